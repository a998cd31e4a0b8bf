"""How much faster jobs side by side are than jobs one after the other: `python benchmarks/sweeps.py`.

The same small grid of the baseline on the 5,000 digits is run both ways, in turn, each time into new folders.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

GRID = ["dataset=mnist5k", "-m", "dataset.batch_size=16,64", "optimizer.lr=1e-4,1e-5", "optimized_metric=null"]


def seconds(n_jobs: int, epochs: int, folder: Path) -> float:
    """From the command to its end."""
    overrides = [*GRID, f"trainer.max_epochs={epochs}", f"hydra.launcher.n_jobs={n_jobs}", f"output_dir={folder}"]
    shutil.rmtree(folder, ignore_errors=True)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "gan_lightning.train", *overrides, *unknown], check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="side by side (one a core)")
parser.add_argument("--epochs", type=int, default=6, help="of each job (6)")
parser.add_argument("--rounds", type=int, default=3, help="(3)")
options, unknown = parser.parse_known_args()
ratios = []
for number in range(1, options.rounds + 1):
    alone = seconds(1, options.epochs, Path("outputs/sweeps_benchmark/one_at_a_time"))
    beside = seconds(options.jobs, options.epochs, Path("outputs/sweeps_benchmark/side_by_side"))
    ratios.append(alone / beside)
    times = f"one at a time {alone:.1f} s, {options.jobs} at a time {beside:.1f} s"
    print(f"round {number}: 4 jobs, {times}: {alone / beside:.2f}", flush=True)
print(f"median of {options.rounds}: {statistics.median(ratios):.2f} times the throughput")
