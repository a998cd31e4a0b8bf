"""`{options} dataset`: every option of a group of settings, its first comment and, unfolded, its file."""

from pathlib import PurePosixPath

from docutils import nodes
from repository_links import ROOT
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def said_of(path: str) -> str:
    """The first comment of a file of settings."""
    lines = (ROOT / path).read_text().splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# ") and "@package" not in line)


class Options(SphinxDirective):
    """Takes the group's folder below `conf/`, or `.` for `conf/` itself."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        folder = PurePosixPath("conf", self.arguments[0])
        self.env.note_dependency(f"../{folder}")
        text = f"`{folder}/`:\n\n"
        for path in sorted((ROOT / folder).glob("*.yaml")):
            file = f"{folder}/{path.name}"
            text += f":::{{dropdown}} `{path.stem}`: {said_of(file)}\n"
            text += f"```{{literalinclude}} /../{file}\n:language: yaml\n```\n:::\n"
        return self.parse_text_to_nodes(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's way in."""
    app.add_directive("options", Options)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
