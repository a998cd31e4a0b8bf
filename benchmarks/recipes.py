"""Train recipes with several seeds, evaluate them, print the table of "Which one should I use?" and draw its pictures.

    python benchmarks/recipes.py                                  all recipes for two cores; days on two cores
    python benchmarks/recipes.py first_run mnist_10min --seeds 3  some of them
    python benchmarks/recipes.py report_mnist=5                   one of another length than its own, 5 epochs

Each run is a training of the project, in `outputs/recipes/<experiment>/<seed>`. What is finished is not trained again,
what was interrupted goes on from its last checkpoint. Minutes are those that a training took here, with all it writes
and with the evaluations for the curves.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from gan_lightning.reports.event_files import read_scalars
from gan_lightning.settings import read_settings

RECIPES = tuple(
    path.stem
    for path in sorted(Path(__file__).parents[1].glob("conf/experiment/*.yaml"))
    if path.stem.endswith(("_run", "_10min", "_1h"))
)
"""What is trained unless the command says otherwise."""
COLUMNS = {
    "minutes": "minutes",
    "frechet_distance": "Fréchet",
    "spatial_frechet_distance": "spatial Fréchet",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "parzen_official": "Parzen",
    "parzen_fine": "Parzen, fine",
    "kernel_distance": "kernel",
    "classifier_score": "score",
    "modes": "classes",
    "class_divergence": "KL",
    "class_accuracy": "class right",
    "memorisation": "distance",
    "held_out_accuracy": "D right",
}
"""The metrics of the table, and their heads."""


def run(name: str, *overrides: str) -> None:
    """Run one of the entry points; its own lines go through."""
    done = subprocess.run([sys.executable, "-m", f"gan_lightning.{name}", *overrides])
    if done.returncode != 0:
        sys.exit(done.returncode)


def train(experiment: str, epochs: int | None, seed: int, folder: Path, options: list[str]) -> None:
    """Train one model, or go on with it, unless it is done."""
    if (folder / "metrics.json").exists():
        return
    length = [] if epochs is None else [f"trainer.max_epochs={epochs}"]
    overrides = [f"experiment={experiment}", *length, f"seed={seed}", f"output_dir={folder}", "callbacks=evaluation"]
    run("train", *overrides, *options, "ckpt_path=auto")


def minutes(folder: Path) -> float:
    """How long the training in a folder took."""
    return json.loads((folder / "metrics.json").read_text())["training_seconds"] / 60


def curve(folder: Path) -> list[tuple[float, float]]:
    """(minutes of training, Fréchet distance) at each evaluation of a run, without the time that evaluations took."""
    scalars = read_scalars(folder)
    batch_size = read_settings(folder)["dataset"]["batch_size"]
    seconds, before, passed = 0.0, 0, {}
    for alternation, images_per_second in scalars["images_per_second"]:
        seconds += (alternation - before) * batch_size / images_per_second
        passed[alternation] = seconds / 60
        before = alternation
    return [(passed[alternation], distance) for alternation, distance in scalars["evaluation/frechet_distance"]]


def draw_curves(runs: dict[str, Path], evaluations: dict[str, dict[str, Any]], path: Path) -> None:
    """Quality against minutes: a panel a data set, a curve a recipe, of its first seed.

    The evaluations in a training take fewer samples and test images than the table's, so that their floor is another.
    """
    datasets = dict.fromkeys(evaluation["dataset"] for evaluation in evaluations.values())
    figure = Figure(figsize=(5 * len(datasets), 4.5), layout="constrained")
    for axes, dataset in zip(figure.subplots(1, len(datasets), squeeze=False)[0], datasets, strict=True):
        for title, evaluation in evaluations.items():
            if evaluation["dataset"] == dataset:
                axes.plot(*zip(*curve(runs[title]), strict=True), marker="o", markersize=3, label=title)
        axes.set(title=dataset, xlabel="minutes of training", ylabel="Fréchet distance", xscale="log", yscale="log")
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)


def is_complete(path: Path, num_models: int) -> bool:
    """Whether an evaluation was not interrupted before its last model."""
    return path.exists() and len(json.loads(path.read_text())["evaluations"][0]["models"]) == num_models


def cell(name: str, mean: dict[str, float], std: dict[str, float]) -> str:
    """A number of the table, with its deviation over the seeds where there are several."""
    if name not in mean:
        return "–"
    return f"{mean[name]:.3g}" + (f" ± {std[name]:.2g}" if name in std else "")


def row(title: str, mean: dict[str, float], std: dict[str, float]) -> str:
    return f"| {' | '.join([title, *(cell(name, mean, std) for name in COLUMNS)])} |"


def table(evaluations: dict[str, dict[str, Any]]) -> str:
    """A Markdown table of evaluations by recipe, the floor of each data set once."""
    lines = [f"| recipe | {' | '.join(COLUMNS.values())} |", f"|---{'|---' * len(COLUMNS)}|"]
    floors = {}
    for recipe, evaluation in evaluations.items():
        lines += [row(f"`{recipe}`", means["mean"], means["std"]) for means in evaluation["means"]]
        floors[evaluation["dataset"]] = evaluation["floor"]
    lines += [row(f"real images of {dataset}", floor, {}) for dataset, floor in floors.items()]
    return "\n".join(lines)


def with_minutes(evaluation: dict[str, Any], folders: list[Path]) -> dict[str, Any]:
    """The evaluation of the runs in these folders, with the minutes of their trainings among the metrics."""
    taken = [minutes(folder) for folder in folders]
    spread = {"minutes": statistics.stdev(taken)} if len(taken) > 1 else {}
    (means,) = evaluation["means"]
    means = {**means, "mean": {"minutes": statistics.fmean(taken), **means["mean"]}, "std": {**spread, **means["std"]}}
    return {**evaluation, "means": [means]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="*", metavar="experiment[=epochs]", default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--num-samples", type=int, help="images an evaluation draws (default: 10000; stacked: 26000)")
    parser.add_argument("--folder", type=Path, default=Path("outputs/recipes"), help="another one for other options")
    parser.add_argument("--pictures", type=Path, help="where the curves and the samples of the first seed go")
    parser.add_argument("--option", action="append", default=[], help="a setting for the training; repeatable")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error("at least one seed is needed")

    evaluations, first_runs = {}, {}
    for recipe in arguments.recipes:
        experiment, _, epochs = recipe.partition("=")
        if epochs and not epochs.isdecimal():
            parser.error(f"epochs are a whole number, as in report_mnist=20, not {recipe}")
        name = recipe.replace("=", "_")  # which a path on the command line would have to quote
        folders = [arguments.folder / name / str(seed) for seed in range(arguments.seeds)]
        for seed, folder in enumerate(folders):
            train(experiment, int(epochs) if epochs else None, seed, folder, arguments.option)
        num_samples = arguments.num_samples or (26_000 if experiment.startswith("stacked") else 10_000)  # as PacGAN's
        evaluated = arguments.folder / f"{name}_{arguments.seeds}x{num_samples}"
        if not is_complete(evaluated / "metrics.json", arguments.seeds):
            (evaluated / "metrics.json").unlink(missing_ok=True)
            overrides = [f"num_samples={num_samples}", f"output_dir={evaluated}"]
            data_dir = [option for option in arguments.option if option.startswith("data_dir=")]
            run("evaluate", f"ckpt=[{','.join(map(str, folders))}]", *overrides, *data_dir)
        (evaluation,) = json.loads((evaluated / "metrics.json").read_text())["evaluations"]
        evaluations[recipe] = with_minutes(evaluation, folders)
        first_runs[recipe] = folders[0]
        if arguments.pictures:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            last = max((folders[0] / "samples").glob("epoch_*.png"))
            shutil.copy(last, arguments.pictures / f"{experiment}.png")
    print(table(evaluations))
    if arguments.pictures:
        draw_curves(first_runs, evaluations, arguments.pictures / "curves.png")


if __name__ == "__main__":
    main()
