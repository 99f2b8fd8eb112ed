"""A pipeline file, on disk, to its configuration."""

import os
from collections.abc import Sequence

from plugline.errors import ConfigurationError
from plugline.files import read_source
from plugline.findings import Finding, Place
from plugline.names import nearest_file
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
        if os.path.lexists(path):
            hint = "name a file in it" if os.path.isdir(path) else found.hint
            raise ConfigurationError([Finding("C109", found.message, Place(path), hint)])
        near = nearest_file(path, ".toml")
        question = f"did you mean {near!r}? else " if near is not None else ""
        hint = f"{question}run it in the folder of {DEFAULT_PIPELINE}, or name another file"
        raise ConfigurationError([Finding("C109", "there is no such file", Place(path), hint)])
    return read_config(found.content, path, overrides)
