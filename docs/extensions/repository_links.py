"""Links of the repository's own pages, where these are included in pages of the site.

A README is written to be read where it lies: its links and images are relative to its folder. In the site the same
link leads to the page that includes that section, to the module's place in the API, to the notebook's page, or to the
file itself.
"""

import re
from pathlib import Path, PurePosixPath

from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index",
    "SECURITY.md": "security",
    "benchmarks": "measured",
    "benchmarks/README.md": "measured",
    "conf": "settings",
    "conf/README.md": "settings",
    "conf/experiment/README.md": "choosing",
    "notebooks": "notebooks",
}
"""Where a link to a whole page, or to a folder, leads."""
LINK = re.compile(r"(!?)\[((?:[^][]|!\[[^]]*\]\([^)]*\))*)\]\(([^)\s:]*)\)")
SCHEME = "repository:"


def in_the_repository(page: PurePosixPath, target: str) -> tuple[str, str]:
    """The path below the root of what a page links to, and the section of it, `#` and all, or nothing."""
    path, hash_sign, section = target.partition("#")
    there = (ROOT / page.parent / path).resolve().relative_to(ROOT).as_posix() if path else page.as_posix()
    return there, hash_sign + section


def of_the_site(page: PurePosixPath, image: str, text: str, target: str) -> str:
    """A link of a page of the repository, as the site has it; the text alone if it has no such place."""
    path, section = in_the_repository(page, target)
    if image:
        return f"![{text}](/../{path})"
    if path in PAGES or path.startswith(("gan_lightning/", "conf/", "notebooks/")):
        return f"[{text}]({SCHEME}{path}{section})"
    return f"[{text}](/../{path})" if (ROOT / path).is_file() else text


def rewrite(app: Sphinx, included: Path, _: str, content: list[str]) -> None:
    """Sphinx's event `include-read`: of every link in what is included."""
    page = (Path(app.srcdir) / included).resolve()
    if page.suffix == ".md":
        below = PurePosixPath(page.relative_to(ROOT).as_posix())
        content[0] = LINK.sub(lambda found: of_the_site(below, *found.groups()), content[0])


class RepositoryLinks(SphinxPostTransform):
    """Finds the documents of the site that links lead to, once all are read."""

    default_priority = 8  # before MyST resolves its own, at 9

    def run(self, **_: object) -> None:
        for node in self.document.findall(addnodes.pending_xref):
            target = node["reftarget"]
            if target.startswith(SCHEME):
                path, _hash, section = target.removeprefix(SCHEME).partition("#")
                node["refdomain"], node["reftargetid"] = "doc", section or None
                node["reftarget"] = self.document_of(path, section)

    def document_of(self, path: str, section: str) -> str:
        """The one that has that section of a page; the module's; the notebook's; or that of the settings."""
        if path.endswith(".ipynb"):
            return path.removesuffix(".ipynb")
        if path.startswith("gan_lightning/"):
            return f"api/generated/{path.removesuffix('.py').replace('/', '.')}"
        for document, files in self.env.dependencies.items():
            has_section = section in self.env.metadata[document].get("myst_slugs", {})
            if has_section and ROOT / path in {(Path(self.env.srcdir) / file).resolve() for file in files}:
                return document
        return PAGES.get(path, PAGES["conf"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's way in."""
    app.connect("include-read", rewrite)
    app.add_post_transform(RepositoryLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
