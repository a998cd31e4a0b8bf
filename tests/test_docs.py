"""The site is built without a warning, its links lead somewhere, and what it quotes and commands is so."""

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import Run
from filelock import FileLock
from test_readme import ROOT, recipe, typed

from gan_lightning import evaluate, report, sample, train

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
OF_THE_REPOSITORY = ["README.md", "SECURITY.md", "benchmarks/README.md", "conf/README.md", "conf/experiment/README.md"]
COMMANDS = sorted(  # those of the README and of conf/README.md are run by tests/test_readme.py
    {
        line
        for page in [*PAGES, ROOT / "benchmarks" / "README.md", ROOT / "conf" / "experiment" / "README.md"]
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.S)
        for line in block.strip().splitlines()
    }
)
PLAIN = ("-D", "html_theme=basic")
"""A theme that takes half the time; the words, links and anchors are the same."""
GROUPS = {path.parent.relative_to(ROOT / "conf").as_posix() for path in (ROOT / "conf").rglob("*.yaml")}


class Page(HTMLParser):
    """What of a page can be linked to, what it links to, what it is made of, and its headings."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.headings: set[str] = set()
        self._heading: str | None = None
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = {name: value for name, value in attributes if value is not None}
        self.anchors |= {known[name] for name in ("id", "name") if name in known}
        if tag == "a" and "href" in known:
            self.links.add(known["href"])
        elif tag in ("link", "script", "img", "iframe", "source"):
            self.loaded |= {known[name] for name in ("href", "src") if name in known}
        elif re.fullmatch("h[1-6]", tag):
            self._heading = ""

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading += data

    def handle_endtag(self, tag: str) -> None:
        if re.fullmatch("h[1-6]", tag) and self._heading is not None:
            self.headings.add(plain(self._heading.removesuffix("¶")))
            self._heading = None


def plain(heading: str) -> str:
    """A heading without what marks code and quotes."""
    return re.sub(r"[^\w ]", "", heading).strip()


@pytest.fixture(scope="session")
def site(shared: Path) -> Path:
    """The folder of the site, as `make docs` builds it."""
    folder = shared / "site"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            shutil.rmtree(DOCS / "api" / "generated", ignore_errors=True)
            unfinished = folder.with_suffix(".unfinished")
            words = ("-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", *PLAIN, str(DOCS), str(unfinished))
            built = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
            assert built.returncode == 0, built.stderr
            unfinished.rename(folder)
    return folder


@pytest.mark.slow
def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    page = cache(Page)
    targets: dict[tuple[str, str], Path] = {}
    for path in site.rglob("*.html"):
        for link in page(path).links | page(path).loaded:
            if re.match(r"(https?|mailto):", link):
                assert link not in page(path).loaded, f"{path}: {link}"
            else:
                name, _, anchor = unquote(link).partition("#")
                there = os.path.normpath(path.parent / name.partition("?")[0]) if name else str(path)
                targets[there, anchor] = path
    assert len(targets) > 1000
    for (there, anchor), path in targets.items():
        assert Path(there).is_file(), f"{path}: {there}"
        if anchor and there.endswith(".html"):
            assert anchor in page(Path(there)).anchors, f"{path}: {there}#{anchor}"


@pytest.mark.slow
def test_no_section_of_the_repositorys_pages_is_left_out(site: Path) -> None:
    shown = {heading for path in site.glob("*.html") for heading in Page(path).headings}
    for name in OF_THE_REPOSITORY:
        text = re.sub(r"```.*?```", "", (ROOT / name).read_text(), flags=re.S)
        for heading in re.findall(r"^##+ (.*)", text, re.M):
            assert plain(heading) in shown, f"{name}: {heading}"


@pytest.mark.slow
def test_the_gallery_has_every_recipe_and_every_picture(site: Path) -> None:
    gallery, text = Page(site / "gallery.html"), (site / "gallery.html").read_text()
    for path in (ROOT / "conf" / "experiment").glob("*.yaml"):
        assert f">{path.stem}<" in text, path
    shown = {Path(image).name for image in gallery.loaded}
    recipes = (ROOT / "benchmarks" / "recipes").glob("*.png")
    assert {path.name for path in recipes if path.stem != "curves"} <= shown


@pytest.mark.parametrize("group", sorted(GROUPS - {"hydra/hydra_logging", "hydra/job_logging"}))
def test_every_group_of_settings_has_its_place(group: str) -> None:
    assert any(f"{{options}} {group}\n" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_possible(command: str, run: Run, data_dir: Path) -> None:
    if command.startswith("make "):
        assert recipe(command.removeprefix("make "))
        return
    name, arguments = typed(command)
    entry_point = {"train": train, "sample": sample, "evaluate": evaluate, "report": report}[name]
    if "-m" in arguments:  # of a sweep its first job
        arguments = [word.split(",")[0] for word in arguments if word != "-m"]
    shown = () if {"--cfg", "--version", "--help"} & set(arguments) else ("--cfg", "job")
    outcome = run(*arguments, *shown, entry_point=entry_point)
    assert outcome.exit_code == 0, outcome.stderr


def literals() -> list[str]:
    """Every text in the package's code, with … for what is filled in."""
    found = []
    for path in (ROOT / "gan_lightning").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(re.sub(r"%[.\d]*[a-z]", "…", node.value))
    return found


def test_every_message_that_is_explained_is_one_that_is_said() -> None:
    messages = re.findall(r"^`(.+)`\n: ", (DOCS / "troubleshooting.md").read_text(), re.M)
    assert len(messages) > 30
    said = literals()
    for message in messages:
        pattern = re.compile(".*".join(map(re.escape, message.split("…"))))
        assert any(pattern.search(text) for text in said), message


def test_the_references_are_given_where_settings_are_named() -> None:
    text = (DOCS / "games.md").read_text()
    for group in ("model", "objective", "penalty", "augmentation"):
        for path in (ROOT / "conf" / group).glob("*.yaml"):
            assert path.stem in ("none", "mlp", "switch") or re.search(rf"^\|.*`{path.stem}`.*arXiv", text, re.M), path
