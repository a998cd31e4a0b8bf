"""Trials an hour: one after the other, side by side, and packed, whose alternations are done as one.

    python benchmarks/packed.py                                    the baseline on the CPU; a quarter of an hour
    python benchmarks/packed.py --packs 2 8 --model dcgan          small convolutions
    python benchmarks/packed.py --device cuda --processes 1 4      on a GPU

A trial is 20 epochs of MNIST, 37,500 alternations of 32 images. Each arrangement trains at once what it can hold, as a
sweep over seeds would, for two short epochs; what counts are the images of all in a second of the latter, without its
end. The plain loop, with all threads, is timed before and after each, so that a ratio is one of the same minutes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from plain_loop import BATCH_SIZE
from speed import EPOCH, HERE, Contender, machine, spread, write_images

TRIAL = 20 * EPOCH
MODELS = {
    "baseline": ["experiment=report_mnist"],
    "dcgan": ["experiment=report_mnist", "model=dcgan", "model.width=16", "gan.discriminator_steps=1"],
}


def plain_rate(plain: Contender) -> float:
    """Alternations in a second, of a block more."""
    plain.run_block()
    return 1 / plain.each[-1]


def rate(data: Path, output: Path, pack: int, processes: int, arguments: argparse.Namespace, precision: str) -> float:
    """Alternations in a second of all the jobs of a sweep that run at a time."""
    jobs = pack * processes
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    command = [
        *("-m", "gan_lightning.train", *MODELS[arguments.model], "-m", f"seed=range({jobs})"),
        *(f"data_dir={data}", f"output_dir={output}"),
        *(f"trainer={'gpu' if arguments.device == 'cuda' else 'cpu'}", f"trainer.precision={precision}"),
        *("trainer.max_epochs=2", f"trainer.limit_train_batches={max(1, arguments.alternations // pack)}"),
        *("callbacks=default", "~callbacks.exhibits", "~callbacks.training_gif", "optimized_metric=null"),
        *(f"hydra.launcher.n_jobs={processes}", f"hydra.launcher.pack={pack}", f"hydra.launcher.threads={threads}"),
    ]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    results = [json.loads(path.read_text()) for path in output.glob("*/metrics.json")]
    return sum(each["images_per_second"] for each in results) / BATCH_SIZE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--model", choices=MODELS, default="baseline")
    parser.add_argument("--precision", nargs="+", default=["32-true", "bf16-mixed"])
    parser.add_argument("--packs", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="jobs of a process")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="side by side")
    parser.add_argument("--alternations", type=int, default=240, help="of a pack in an epoch (240)")
    parser.add_argument("--rounds", type=int, default=3, help="of each arrangement (3)")
    arguments = parser.parse_args()
    print(machine(arguments.device))
    print("\n| precision | processes | pack | trials an hour | times (a) |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder)
        block = ["--data-dir", name, "--device", arguments.device, f"--block={max(1, arguments.alternations // 4)}"]
        plain = Contender("(a) plain loop", [str(HERE / "plain_loop.py"), *block, "--results=RESULTS"])
        before = plain_rate(plain)
        for precision in arguments.precision:
            for processes in arguments.processes:
                for pack in arguments.packs:
                    rates, ratios = [], []
                    for number in range(arguments.rounds):
                        output = folder / f"{precision}_{processes}_{pack}_{number}"
                        rates.append(rate(folder, output, pack, processes, arguments, precision))
                        after = plain_rate(plain)
                        ratios.append(rates[-1] / statistics.mean([before, after]))
                        before = after
                    hourly = 3600 * statistics.median(rates) / TRIAL
                    times = f"{statistics.median(ratios):.2f}{spread(ratios, '.2f')}"
                    print(f"| {precision} | {processes} | {pack} | {hourly:.1f} | {times} |", flush=True)
        print(f"\n(a) plain loop: {3600 / statistics.median(plain.each) / TRIAL:.1f} trials an hour")
        plain.end()


if __name__ == "__main__":
    main()
