"""A pytest plugin's source to its code as pytest makes that of an installed one: a failing ``assert`` shows its values."""

import ast
import os
import sys
from types import CodeType

import pytest
from _pytest.assertion.rewrite import rewrite_asserts  # pytest's own, but of this name and signature since pytest 5

from plugline.discovery.bundle import Bundle, entry_of
from plugline.discovery.cache import cache_folder, write_whole
from plugline.files import digest_of


class Rewriting:
    """Compiles plugins for one run of pytest.

    Rewriting takes longer than all else that is done for a plugin, so what came out is kept in the cache folder, as pytest keeps
    that of an installed one beside it.

    Args:
        config: Of the run.
        way: What the code depends on, beside Python and plugline.
    """

    def __init__(self, config: pytest.Config, way: str) -> None:
        self._config = config
        self._way = way

    def __call__(self, content: bytes, path: str) -> CodeType:
        """Return the code of a file."""
        folder = cache_folder()
        if folder is None:
            return self._rewritten(content, path)
        settings = repr((self._way, sys.version, sys.implementation.cache_tag, sys.flags.optimize))
        key = digest_of(settings.encode())
        digest = digest_of(content, key)
        kept = Bundle(os.path.join(folder, f"pytest-{digest_of(os.fsencode(path), key).hex()}"))
        code = kept.find_code_for(path, digest, (0, kept.size()))
        if code is None:
            code = self._rewritten(content, path)
            entry = entry_of(digest, None, code, b"")
            if entry is not None:
                write_whole(kept.path, entry)
        return code

    def _rewritten(self, content: bytes, path: str) -> CodeType:
        tree = ast.parse(content, filename=path)
        rewrite_asserts(tree, content, path, self._config)
        return compile(tree, path, "exec", dont_inherit=True)
