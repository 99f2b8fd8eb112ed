"""How the documentation is built: ``sphinx-build -W -n docs docs/_build``."""

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

import plugline
from plugline.codes import CODES
from plugline.values import Value

project = "plugline"
author = "The plugline authors"
copyright = "The plugline authors"
version = release = plugline.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"plugline {release}"
html_static_path = ["_css"]
html_css_files = ["wrapped.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute told of in its class's docstring is not documented a second time

# The page is what the tests' scenes say now, so it is written anew at each build and not kept.
sys.path.insert(0, str(Path(__file__).parents[1]))
Path(__file__).with_name("reference").joinpath("gallery.md").write_text(
    importlib.import_module("tests.gallery").page(), encoding="utf-8"
)

# For "sphinx-build -b linkcheck", which is run by hand: other sites come and go, and a test that needs them does too.
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_anchors = False  # many sites make theirs by a script

nitpicky = True
# Other projects' objects: their inventories would have to be fetched at each build.
nitpick_ignore_regex = [(r"py:.*", r"(?!plugline\b).*")]


TYPE_VARIABLES = {"T"}  # Host[T] and Plugin[T]: what they stand for is told there
MADE_BY_US = {"plugline.Plugin", "plugline.host.Rejected"}  # handed out by a host; how they are made is no promise
DOCUMENTED = {"plugline.records"}  # by a page of its own


class ModuleMap(SphinxDirective):
    """List every module of the package with the sentence that says what it does, so that texts can refer to it."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        lines: list[str] = []
        for found in sorted(pkgutil.walk_packages(plugline.__path__, "plugline."), key=lambda module: module.name):
            if found.name.endswith("__main__"):
                continue
            sentence = (importlib.import_module(found.name).__doc__ or "").strip().partition("\n\n")[0]
            if found.name not in DOCUMENTED:
                lines += [f".. py:module:: {found.name}", ""]
            lines += [f"``{found.name}``", f"   {' '.join(sentence.split())}", ""]
        # The page is Markdown, the docstrings are reStructuredText: the eval-rst block around this directive
        # makes nested parsing reStructuredText too.
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source="module-map"), self.content_offset, container)
        return container.children


class FindingCodes(SphinxDirective):
    """List every finding code with its title, what it means and what to do."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """Return the list."""
        lines: list[str] = []
        for name, code in sorted(CODES.items()):
            title, meaning, remedy = (as_it_is(text) for text in (code.title, code.meaning, code.remedy))
            lines += [name, f"   **{title}**", "", f"   {meaning}", "", f"   *What to do:* {remedy}", ""]
        container = nodes.container()
        self.state.nested_parse(StringList(lines, source="finding-codes"), self.content_offset, container)
        return container.children


def as_it_is(text: str) -> str:
    """Return reStructuredText that shows a text without markup in it."""
    return "".join(f"\\{character}" if character in "\\*`_|" else character for character in text)


def by_public_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: Any) -> Any:
    """Lead a reference to where a thing is defined (``plugline.host.host.Host``) to where it is documented.

    Signatures carry the name of the defining module; the reference documents what users import. What is in no
    page of the reference leads to its module's line in the list of modules, if the module has it at all.
    """
    target = str(node.get("reftarget", ""))
    name = target.rpartition(".")[2]
    if node.get("refdomain") != "py" or name.startswith("_"):
        return None
    if name in TYPE_VARIABLES:
        return contnode
    domain = env.domains["py"]
    for public in (f"plugline.{name}", f"plugline.records.{name}"):
        if public in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, contnode)
    module = target.rpartition(".")[0] or str(node.get("py:module"))
    if module in domain.modules and hasattr(importlib.import_module(module), name):
        return domain.resolve_xref(env, node["refdoc"], app.builder, "mod", module, node, contnode)
    return None


def show_public_bases(app: Sphinx, name: str, obj: type, options: object, bases: list[type]) -> None:
    """Show the public classes that a private base, or the base of all values, stands in for."""
    public: list[type] = []
    for base in bases:
        hidden = getattr(base, "__name__", "").startswith("_") or base is Value
        public += [above for above in base.__bases__ if above is not object] if hidden else [base]
    bases[:] = public or [object]


def hide_how_it_is_made(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Leave out the signature of a class that only we make instances of."""
    return ("", None) if name in MADE_BY_US else (signature, returns)


def setup(app: Sphinx) -> None:
    """Add what the pages use."""
    app.add_directive("finding-codes", FindingCodes)
    app.add_directive("module-map", ModuleMap)
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("autodoc-process-signature", hide_how_it_is_made)
    app.connect("missing-reference", by_public_name)
