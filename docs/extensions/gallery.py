"""`{gallery}`: every recipe's samples, from those of which somebody made a picture, and what made them."""

from docutils import nodes
from options import said_of
from repository_links import ROOT
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

CARD = """:::{{grid-item-card}} `{name}`
:img-top: /../{picture}
:img-alt: samples of {name}
{said}
:::
"""


class Gallery(SphinxDirective):
    """A card a recipe; below them, in a list, those without a picture."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency("../conf/experiment")
        self.env.note_dependency("../benchmarks/recipes")
        cards, others = "", ""
        for path in sorted((ROOT / "conf" / "experiment").glob("*.yaml")):
            said = said_of(f"conf/experiment/{path.name}")
            picture = f"benchmarks/recipes/{path.stem}.png"
            if (ROOT / picture).exists():
                cards += CARD.format(name=path.stem, picture=picture, said=said)
            else:
                others += f"- `{path.stem}`: {said}\n"
        return self.parse_text_to_nodes(
            f"::::{{grid}} 1 2 2 2\n:gutter: 3\n{cards}::::\n\nWithout a picture yet:\n\n{others}"
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx's way in."""
    app.add_directive("gallery", Gallery)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
