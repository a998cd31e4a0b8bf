"""What each ingredient of a recipe gives: train it without, or with another one in its place, and print the table.

    python benchmarks/ablation.py                            ingredients of mnist_classes_10min, three seeds
    python benchmarks/ablation.py --table games --seeds 5    mnist_10min under other games: how often does it collapse?
    python benchmarks/ablation.py "no labels" "no R2"        some of the rows

All for two epochs of MNIST, 1,874 alternations, and measured at their end, by 5,000 samples. A sweep over the seeds a
row, in `outputs/ablation/`; what is finished is not trained again.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def train(folder: Path, experiment: str, changes: tuple[str, ...], arguments: argparse.Namespace) -> None:
    """A sweep over the seeds."""
    command = [sys.executable, "-m", "gan_lightning.train", "-m", f"experiment={experiment}", *changes]
    command += [f"output_dir={folder}", f"seed={','.join(map(str, range(arguments.seeds)))}"]
    command += [f"trainer.max_epochs={arguments.epochs}", "trainer.log_every_n_steps=100"]
    command += ["callbacks=evaluation", f"callbacks.evaluation.every_n_epochs={arguments.epochs}"]
    command += ["callbacks.divergence.stop=false"]  # to have results of it, too
    command += ["callbacks.evaluation.num_samples=5000", "optimized_metric=frechet_distance"]
    command += [f"hydra.launcher.n_jobs={arguments.jobs or 'null'}", *arguments.option]
    if subprocess.run(command).returncode != 0:
        sys.exit(1)


def results(folder: Path, seeds: int) -> list[dict[str, Any]]:
    """What each seed's run ended with, and the variety of its samples then."""
    found = []
    for name in [f"seed-{seed}" for seed in range(seeds)]:
        variety = read_scalars(folder / name)["collapse/variety"][-1][1]
        found.append({**json.loads((folder / name / "metrics.json").read_text()), "variety": variety})
    return found


def has_diverged(run: dict[str, Any]) -> bool:
    return None in (run["frechet_distance"], run["discriminator_loss"], run["generator_loss"])


def has_collapsed(run: dict[str, Any]) -> bool:
    """Whether samples are near copies of one another, or a class is not among them."""
    return not has_diverged(run) and (run["variety"] < LEAST_VARIETY or run["modes"] < 10)


def row(title: str, runs: list[dict[str, Any]]) -> str:
    """A line of the table: means over the seeds that did not diverge; the milliseconds are those of an alternation."""

    def mean(name: str) -> str:
        values = [run[name] for run in runs if not has_diverged(run)]
        deviation = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
        return f"{statistics.fmean(values):.3g}{deviation}" if values else "–"

    names = ("frechet_distance", "spatial_frechet_distance", "precision", "recall", "coverage", "modes", "variety")
    ended = [f"{sum(map(how, runs))} of {len(runs)}" for how in (has_collapsed, has_diverged)]
    each = statistics.median(1000 * BATCH_SIZE / run["images_per_second"] for run in runs)
    return f"| {' | '.join([title, *map(mean, names), *ended, f'{each:.0f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="row", help="some of the table (default: all)")
    parser.add_argument("--table", choices=TABLES, default="ingredients", help="which one (default: ingredients)")
    parser.add_argument("--epochs", type=int, default=2, help="of each run (default: 2)")
    parser.add_argument("--seeds", type=int, default=3, help="how many, at least 2 (default: 3)")
    parser.add_argument("--jobs", type=int, default=0, help="at a time (default: as many as there are cores)")
    parser.add_argument("--folder", type=Path, default=Path("outputs/ablation"))
    parser.add_argument("--option", action="append", default=[], help="a setting for the trainings; repeatable")
    arguments = parser.parse_args()
    experiment, rows = TABLES[arguments.table]
    if arguments.epochs < 1 or arguments.seeds < 2:
        parser.error("at least one epoch of two seeds is needed")
    if unknown := set(arguments.rows) - set(rows):
        parser.error(f"there is no row {unknown.pop()!r} in that table; there is {', '.join(rows)}")
    folder = arguments.folder / f"{experiment}_{arguments.epochs}_epochs_{arguments.seeds}_seeds"
    chosen = {title: folder / str(place) for place, title in enumerate(rows) if title in (arguments.rows or rows)}
    for title, place in chosen.items():
        train(place, experiment, rows[title], arguments)
    print("| | Fréchet | spatial | precision | recall | coverage | classes | variety | collapsed | diverged | ms |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for title, place in chosen.items():
        print(row(title, results(place, arguments.seeds)))


if __name__ == "__main__":
    main()
