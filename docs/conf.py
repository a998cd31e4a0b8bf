"""How Sphinx makes the site. `make docs` builds it, without a network and with warnings as errors."""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]

from sphinx import addnodes  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402

from gan_lightning import __version__  # noqa: E402

project = "gan-lightning"
author = "the gan-lightning authors"
project_copyright = f"2026 {author}"
release = __version__

extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    # of this folder
    "gallery",
    "mathml",
    "options",
    "repository_links",
]
exclude_patterns = ["build", "extensions", "templates"]
templates_path = ["templates"]
nitpicky = True
nitpick_ignore_regex = [
    # What other projects have is not looked up: that would need a network.
    (r"py:.*", r"(?s)(?!gan_lightning).*"),
]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"

default_role = "py:obj"
add_module_names = False
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
maximum_signature_line_length = 90
viewcode_follow_imported_members = False
napoleon_custom_sections = [("Attributes", "params_style")]
copybutton_exclude = ".linenos, .gp, .go"

pygments_dark_style = "github-dark"
html_theme = "furo"
html_title = "gan-lightning"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False


def bring_notebooks(_app: Sphinx) -> None:
    """Sphinx reads what lies in its folder alone."""
    shutil.rmtree(HERE / "notebooks", ignore_errors=True)
    shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", ignore=shutil.ignore_patterns(".*"))


held: list[str] = []


def hold(_app: Sphinx, what: str, _name: str, _it: object, _options: object, lines: list[str]) -> None:
    """Napoleon would take what stands before a colon in an attribute's docstring for its type. And |x| is a norm."""
    lines[:] = [line.replace("|", r"\|") for line in lines]
    if what in ("attribute", "data", "property"):
        held[:] = [] if "Alias for field number" in "".join(lines) else lines
        lines.clear()


def give_back(_app: Sphinx, what: str, _name: str, _it: object, _options: object, lines: list[str]) -> None:
    """After Napoleon."""
    if what in ("attribute", "data", "property"):
        lines[:] = held


def leave_out_long_values(_app: Sphinx, _domain: str, _type: str, content: addnodes.desc_content) -> None:
    """Of a table of many lines its docstring tells more."""
    for value in list(content.parent.findall(addnodes.desc_annotation)):
        if len(value.astext()) > 200:
            value.parent.remove(value)


def setup(app: Sphinx) -> None:
    """Sphinx's way in."""
    app.connect("builder-inited", bring_notebooks)
    app.connect("object-description-transform", leave_out_long_values)
    app.connect("autodoc-process-docstring", hold, priority=400)
    app.connect("autodoc-process-docstring", give_back, priority=600)
