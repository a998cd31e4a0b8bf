"""Train every objective with every penalty that makes sense, for as many alternations each, and print the table.

    python benchmarks/objectives.py                                  30 epochs of 4,000 digits, three seeds
    python benchmarks/objectives.py --epochs 3 --seeds 1 --jobs 1    how long an alternation takes, one job at a time
    python benchmarks/objectives.py hinge wasserstein                some of them

Beside them everything is as the settings below say. A sweep for each
objective, in `outputs/objectives/`; what is finished is not trained again.
"""

import argparse
import json
import statistics
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

OBJECTIVES = ("minimax", "non_saturating", "switch", "lsgan", "hinge", "rpgan", "wasserstein")
PENALTIES = ("none", "gradient_penalty", "r1", "r1_r2")
BATCH_SIZE = 64
SETTINGS = (
    *(
        "dataset=mnist5k",
        f"dataset.batch_size={BATCH_SIZE}",
        "gan.discriminator_steps=1",
        "gan.alternations_per_step=7",
    ),
    *("optimizer.lr=4e-4", "optimizer.betas=[0.5,0.999]", "trainer.log_every_n_steps=21"),
)
"""What all have in common; the networks are those of the baseline."""


def makes_sense(objective: str, penalty: str) -> bool:
    return (objective, penalty) != ("wasserstein", "none")


def train(folder: Path, objective: str, penalties: list[str], arguments: argparse.Namespace) -> None:
    """A sweep over penalties and seeds."""
    command = [sys.executable, "-m", "gan_lightning.train", "-m", *SETTINGS, f"output_dir={folder}"]
    command += [f"objective={objective}", f"penalty={','.join(penalties)}"]
    command += [f"seed={','.join(map(str, range(arguments.seeds)))}", f"trainer.max_epochs={arguments.epochs}"]
    command += ["callbacks=evaluation", f"callbacks.evaluation.every_n_epochs={arguments.epochs}"]
    command += ["callbacks.divergence.stop=false"]  # to have results of it, too
    command += ["optimized_metric=frechet_distance", "callbacks.checkpoints=null", "callbacks.training_gif=null"]
    command += [f"hydra.launcher.n_jobs={arguments.jobs or 'null'}", *arguments.option]
    if subprocess.run(command).returncode != 0:
        sys.exit(1)


def results(folder: Path, penalty: str, seeds: int) -> list[dict[str, Any]]:
    """What each seed's run ended with; its folder is named after what its sweep has several of."""
    several = [f"penalty-{penalty}+seed-{seed}" for seed in range(seeds)]
    names = several if seeds > 1 else [f"penalty-{penalty}"]
    return [json.loads((folder / name / "metrics.json").read_text()) for name in names]


def row(objective: str, penalty: str, runs: list[dict[str, Any]]) -> str:
    """A line of the table: means over the seeds that did not diverge."""
    finite = [run for run in runs if run["frechet_distance"] is not None and run["discriminator_loss"] is not None]

    def mean(name: str) -> str:
        values = [run[name] for run in finite]
        deviation = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
        return f"{statistics.fmean(values):.3g}{deviation}" if values else "–"

    each = statistics.median(1000 * BATCH_SIZE / run["images_per_second"] for run in runs)
    cells = [objective, penalty, mean("frechet_distance"), mean("coverage"), mean("modes")]
    return f"| {' | '.join([*cells, f'{len(runs) - len(finite)} of {len(runs)}', f'{each:.1f}'])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("objectives", nargs="*", metavar="objective", help=f"of {', '.join(OBJECTIVES)} (default: all)")
    parser.add_argument("--epochs", type=int, default=30, help="of each run (default: 30)")
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--jobs", type=int, default=0, help="at a time (default: as many as there are cores)")
    parser.add_argument("--folder", type=Path, default=Path("outputs/objectives"))
    parser.add_argument("--option", action="append", default=[], help="a setting for the trainings; repeatable")
    arguments = parser.parse_args()
    if min(arguments.epochs, arguments.seeds) < 1:
        parser.error("at least one epoch of one seed is needed")
    if unknown := set(arguments.objectives) - set(OBJECTIVES):
        parser.error(f"there is no objective {unknown.pop()!r} here; there is {', '.join(OBJECTIVES)}")
    chosen = arguments.objectives or OBJECTIVES
    folder = arguments.folder / f"{arguments.epochs}_epochs_{arguments.seeds}_seeds"
    for objective in chosen:
        penalties = [penalty for penalty in PENALTIES if makes_sense(objective, penalty)]
        train(folder / objective, objective, penalties, arguments)
    print("| objective | penalty | Fréchet | coverage | classes | diverged | ms an alternation |")
    print("|---|---|---|---|---|---|---|")
    for objective, penalty in product(chosen, PENALTIES):
        if makes_sense(objective, penalty):
            print(row(objective, penalty, results(folder / objective, penalty, arguments.seeds)))


if __name__ == "__main__":
    main()
