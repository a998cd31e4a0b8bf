"""Trainings repeated with several seeds, as the tables of objectives and of ingredients are made of."""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Runs = Sequence[dict[str, Any]]
"""What each ended with, its `metrics.json`."""


def parser(doc: str | None, epochs: int, folder: str) -> argparse.ArgumentParser:
    """What the scripts take, with their own defaults."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--epochs", type=int, default=epochs, help=f"of each run (default: {epochs})")
    made.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    made.add_argument("--jobs", type=int, default=0, help="at a time (default: as many as there are cores)")
    made.add_argument("--folder", type=Path, default=Path(folder))
    made.add_argument("--option", action="append", default=[], help="a setting for the trainings; repeatable")
    return made


def train(folder: Path, words: Sequence[str], arguments: argparse.Namespace) -> None:
    """A sweep over the seeds, each run measured at its end; what is finished is not trained again."""
    command = [sys.executable, "-m", "gan_lightning.train", "-m", *words, f"output_dir={folder}"]
    command += [f"seed={','.join(map(str, range(arguments.seeds)))}", f"trainer.max_epochs={arguments.epochs}"]
    command += ["callbacks=evaluation", f"callbacks.evaluation.every_n_epochs={arguments.epochs}"]
    command += ["callbacks.divergence.stop=false"]  # to have results of it, too
    command += ["optimized_metric=frechet_distance", f"hydra.launcher.n_jobs={arguments.jobs or 'null'}"]
    if subprocess.run([*command, *arguments.option]).returncode != 0:
        sys.exit(1)


def result(folder: Path) -> dict[str, Any]:
    """What a run ended with."""
    return json.loads((folder / "metrics.json").read_text())


def has_diverged(run: dict[str, Any]) -> bool:
    return None in (run["frechet_distance"], run["discriminator_loss"], run["generator_loss"])


def mean(name: str, runs: Runs) -> str:
    """Of the runs that did not diverge, with the standard deviation if there are several."""
    values = [run[name] for run in runs if not has_diverged(run)]
    deviation = f" ± {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3g}{deviation}" if values else "–"


def milliseconds(batch_size: int, runs: Runs) -> float:
    """Of an alternation, the median of the runs."""
    return statistics.median(1000 * batch_size / run["images_per_second"] for run in runs)
