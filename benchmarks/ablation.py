"""What each ingredient of a recipe gives: train it without, or with another one in its place, and print the table.

    python benchmarks/ablation.py                            ingredients of mnist_classes_10min, three seeds
    python benchmarks/ablation.py --table games --seeds 5    mnist_10min under other games: how often does it collapse?
    python benchmarks/ablation.py "no labels" "no R2"        some of the rows

All for two epochs of MNIST, 1,874 alternations, and measured at their end, by 5,000 samples. A sweep over the seeds a
row, in `outputs/ablation/`; what is finished is not trained again.
"""

from pathlib import Path
from typing import Any

from repeated import has_diverged, mean, milliseconds, parser, result, train

from gan_lightning.callbacks.collapse import LEAST_VARIETY
from gan_lightning.reports.event_files import read_scalars

INGREDIENTS: dict[str, tuple[str, ...]] = {
    "the recipe": (),
    "no labels": ("model.conditional=false",),
    "no average of the weights": ("gan.ema.half_life=null",),
    "no R2": ("penalty=r1", "penalty.gamma=0.3"),
    "γ = 1": ("penalty.gamma=1",),
    "no penalty": ("penalty=none",),
    "non-saturating": ("objective=non_saturating",),
    "hinge": ("objective=hinge",),
    "learning rate 1e-3": ("optimizer.lr=1e-3",),
    "learning rate 1e-4": ("optimizer.lr=1e-4",),
    "β 0.5 and 0.999": ("optimizer.betas=[0.5,0.999]",),
    "100 latents": ("model.latent_dim=100",),
    "batch normalisation in G": ("model.generator.normalization=batch",),
    "the MLPs of the baseline": ("model=mlp", "model.latent_dim=32", "model.conditional=true"),
    "float32": ("trainer.precision=32-true",),
}
USUAL = ("optimizer.lr=2e-4", "optimizer.betas=[0.5,0.999]")
GAMES: dict[str, tuple[str, ...]] = {
    "rpgan, R1 and R2": (),
    "non-saturating": ("objective=non_saturating", "penalty=none"),
    "hinge": ("objective=hinge", "penalty=none"),
    "non-saturating, Adam as usual": ("objective=non_saturating", "penalty=none", *USUAL),
    "hinge, Adam as usual": ("objective=hinge", "penalty=none", *USUAL),
}
"""Adam as usual is that of Radford et al. 2016: learning rate 2e-4, β 0.5 and 0.999."""
TABLES = {"ingredients": ("mnist_classes_10min", INGREDIENTS), "games": ("mnist_10min", GAMES)}
BATCH_SIZE = 64


def results(folder: Path, seeds: int) -> list[dict[str, Any]]:
    """What each seed's run ended with, and the variety of its samples then."""
    folders = [folder / f"seed-{seed}" for seed in range(seeds)]
    return [{**result(each), "variety": read_scalars(each)["collapse/variety"][-1][1]} for each in folders]


def has_collapsed(run: dict[str, Any]) -> bool:
    """Whether samples are near copies of one another, or a class is not among them."""
    return not has_diverged(run) and (run["variety"] < LEAST_VARIETY or run["modes"] < 10)


def row(title: str, runs: list[dict[str, Any]]) -> str:
    """A line of the table; the milliseconds are those of an alternation."""
    names = ("frechet_distance", "spatial_frechet_distance", "precision", "recall", "coverage", "modes", "variety")
    ended = [f"{sum(map(how, runs))} of {len(runs)}" for how in (has_collapsed, has_diverged)]
    cells = [title, *(mean(name, runs) for name in names), *ended, f"{milliseconds(BATCH_SIZE, runs):.0f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    takes = parser(__doc__, epochs=2, folder="outputs/ablation")
    takes.add_argument("rows", nargs="*", metavar="row", help="some of the table (default: all)")
    takes.add_argument("--table", choices=TABLES, default="ingredients", help="which one (default: ingredients)")
    arguments = takes.parse_args()
    experiment, rows = TABLES[arguments.table]
    if arguments.epochs < 1 or arguments.seeds < 2:
        takes.error("at least one epoch of two seeds is needed")
    if unknown := set(arguments.rows) - set(rows):
        takes.error(f"there is no row {unknown.pop()!r} in that table; there is {', '.join(rows)}")
    folder = arguments.folder / f"{experiment}_{arguments.epochs}_epochs_{arguments.seeds}_seeds"
    chosen = {title: folder / str(place) for place, title in enumerate(rows) if title in (arguments.rows or rows)}
    for title, place in chosen.items():
        common = (f"experiment={experiment}", "trainer.log_every_n_steps=100", "callbacks.evaluation.num_samples=5000")
        train(place, [*common, *rows[title]], arguments)
    print("| | Fréchet | spatial | precision | recall | coverage | classes | variety | collapsed | diverged | ms |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for title, place in chosen.items():
        print(row(title, results(place, arguments.seeds)))


if __name__ == "__main__":
    main()
