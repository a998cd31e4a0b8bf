"""Train the baselines with several seeds, evaluate them and print the table in `README.md` here.

    python benchmarks/baselines.py                                    everything, three seeds; many hours on two cores
    python benchmarks/baselines.py report_mnist=20 --seeds 3          one of them, 20 epochs
    python benchmarks/baselines.py report_mnist=20 goodfellow_mnist=50 --seeds 1

Each run is a training of the project, in `outputs/baselines/<experiment>_<epochs>/<seed>`. What is finished is not
trained again, what was interrupted goes on from its last checkpoint.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from gan_lightning.wording import counted

EXPERIMENTS = {"report_mnist": 100, "report_fashion_mnist": 100, "report_cifar10": 100, "goodfellow_mnist": 250}
"""What is trained, and for how many epochs unless the command says otherwise."""
COLUMNS = {
    "parzen_official": "Parzen",
    "parzen_fine": "Parzen, fine",
    "frechet_distance": "Fréchet",
    "kernel_distance": "kernel",
    "classifier_score": "score",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
    "modes": "classes",
    "class_divergence": "KL",
    "memorisation": "distance",
    "held_out_accuracy": "D right",
}
"""The metrics of the table, and their heads."""


def run(name: str, *overrides: str) -> None:
    """Run one of the entry points; its own lines go through."""
    done = subprocess.run([sys.executable, "-m", f"gan_lightning.{name}", *overrides])
    if done.returncode != 0:
        sys.exit(done.returncode)


def train(experiment: str, epochs: int, seed: int, folder: Path, options: list[str]) -> None:
    """Train one model, or go on with it, unless it is done."""
    if (folder / "metrics.json").exists():
        return
    overrides = [f"experiment={experiment}", f"trainer.max_epochs={epochs}", f"seed={seed}", f"output_dir={folder}"]
    run("train", *overrides, *options, "ckpt_path=auto")


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
    """A Markdown table of evaluations by title, the floor of each data set once."""
    lines = [f"| | {' | '.join(COLUMNS.values())} |", f"|---{'|---' * len(COLUMNS)}|"]
    floors = {}
    for title, evaluation in evaluations.items():
        lines += [row(title, means["mean"], means["std"]) for means in evaluation["means"]]
        floors[evaluation["dataset"]] = evaluation["floor"]
    lines += [row(f"real images of {dataset}", floor, {}) for dataset, floor in floors.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="experiment=epochs")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--num-samples", type=int, default=10_000, help="images an evaluation draws (default: 10000)")
    parser.add_argument("--folder", type=Path, default=Path("outputs/baselines"), help="another one for other options")
    parser.add_argument("--option", action="append", default=[], help="a setting for the training; repeatable")
    arguments = parser.parse_args()
    try:
        chosen = {name: int(epochs) for name, _, epochs in (each.partition("=") for each in arguments.experiments)}
    except ValueError:
        parser.error("experiments are named with their epochs, as in report_mnist=20")
    if unknown := chosen.keys() - EXPERIMENTS.keys():
        parser.error(f"there is no experiment {unknown.pop()!r} here; there is {', '.join(EXPERIMENTS)}")

    if arguments.seeds < 1:
        parser.error("at least one seed is needed")

    evaluations = {}
    for experiment, epochs in (chosen or EXPERIMENTS).items():
        runs = arguments.folder / f"{experiment}_{epochs}"
        for seed in range(arguments.seeds):
            train(experiment, epochs, seed, runs / str(seed), arguments.option)
        ckpt = ",".join(str(runs / str(seed)) for seed in range(arguments.seeds))
        evaluated = arguments.folder / f"{experiment}_{epochs}_{arguments.seeds}x{arguments.num_samples}"
        if not is_complete(evaluated / "metrics.json", arguments.seeds):
            (evaluated / "metrics.json").unlink(missing_ok=True)
            overrides = [f"ckpt=[{ckpt}]", f"num_samples={arguments.num_samples}", f"output_dir={evaluated}"]
            run("evaluate", *overrides, *(option for option in arguments.option if option.startswith("data_dir=")))
        (evaluation,) = json.loads((evaluated / "metrics.json").read_text())["evaluations"]
        title = f"`{experiment}`, {counted(epochs, 'epoch')}, {counted(arguments.seeds, 'seed')}"
        evaluations[title] = evaluation
    print(table(evaluations))


if __name__ == "__main__":
    main()
