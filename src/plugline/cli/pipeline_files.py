"""A pipeline file, on disk, to its configuration."""

import os
from collections.abc import Sequence

from plugline.errors import ConfigurationError
from plugline.files import read_source
from plugline.findings import Finding, Place
from plugline.pipeline.config import Override, PipelineConfig, read_config

DEFAULT_PIPELINE = "pipeline.toml"


def load_config(path: str, overrides: Sequence[Override] = ()) -> PipelineConfig:
    """Read a pipeline file.

    Args:
        path: The file.
        overrides: Values that count instead of the file's.

    Raises:
        ConfigurationError: It cannot be read, or is wrong; carries all findings.
    """
    found = read_source(path)
    if isinstance(found, Finding):
        hint = (
            f"run it in the folder of {DEFAULT_PIPELINE}, or name another file" if not os.path.lexists(path) else None
        )
        message = "there is no such file" if hint is not None else found.message
        raise ConfigurationError([Finding("C109", message, Place(path), hint)])
    return read_config(found.content, path, overrides)
