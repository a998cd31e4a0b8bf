"""Measure the training's speed against a plain loop and a tight one, side by side, and print the README's tables.

    python benchmarks/speed.py                          on the CPU; some minutes
    python benchmarks/speed.py --epochs 3               and a run of three epochs, with the seconds of each
    python benchmarks/speed.py --device cuda --block 500 --dcgan --epochs 100      all of it on a GPU

The baseline (k = 5, batch 32, Adam) is trained on 60,000 images of MNIST's shape: the 5,000 digits that come with the
install, twelve times over. The contenders run in one go, in turn, a block of alternations each, so that a machine that
is now faster, now slower is so to all of them alike: ratios are medians over the rounds, each of one round's blocks.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from plain_loop import BATCH_SIZE
from tight_loop import Players
from torch.utils.benchmark import Timer
from torch.utils.flop_counter import FlopCounterMode

from gan_lightning.data.mnist5k import MNIST5k

HERE = Path(__file__).parent
EPOCH = 1875
"""Alternations in an epoch of MNIST."""
PRECISIONS = ("32-true", "bf16-mixed")
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
"""In which the training finds the callbacks beside this file."""


def write_images(folder: Path) -> None:
    """MNIST's files, filled with the digits that come with the install, twelve times over."""
    data = MNIST5k()
    splits = [data.load(train) for train in (True, False)]
    images, labels = (torch.cat(parts).numpy().astype(np.uint8) for parts in zip(*splits, strict=True))
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for split, times in (("train", 12), ("t10k", 2)):
        for kind, array in (("images-idx3", images[:, 0]), ("labels-idx1", labels)):
            repeated = np.concatenate([array] * times)
            head = bytes([0, 0, 8, array.ndim]) + np.array(repeated.shape, ">u4").tobytes()
            (raw / f"{split}-{kind}-ubyte").write_bytes(head + repeated.tobytes())


class Contender:
    """A process that trains a block of alternations whenever it is told to.

    Args:
        title: what the table calls it.
        command: for Python; RESULTS in its last argument stands for the file descriptor that it reports to.

    Attributes:
        first_step: seconds from its start to the end of the first alternation.
        alternations, seconds: of each block.
        end_of_epoch: seconds of what comes at the end of an epoch.
        peak_memory: bytes, known at its end.
    """

    def __init__(self, title: str, command: list[str]) -> None:
        print(f"starting {title}", file=sys.stderr)
        self.title = title
        self.alternations: list[int] = []
        self.seconds: list[float] = []
        self.end_of_epoch = 0.0
        self.peak_memory = 0
        reading, writing = os.pipe()
        # A file, because a pipe that nobody reads fills up with progress bars, and stops who writes them.
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # open as long as the process runs
        began = time.time()
        self._process = subprocess.Popen(
            [sys.executable, *command[:-1], command[-1].replace("RESULTS", str(writing))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=[writing],
            env=ENVIRONMENT,
            text=True,
        )
        os.close(writing)
        self._results = os.fdopen(reading)
        self.first_step = self._block()["clock"] - began  # the first block is the warm-up

    def run_block(self) -> None:
        """Let it train a block."""
        print(file=self._process.stdin, flush=True)
        block = self._block()
        self.alternations.append(block["alternations"])
        self.seconds.append(block["seconds"])

    def end(self) -> None:
        """Let it end."""
        self._process.stdin.close()
        for line in self._results:
            self._is_end_of_epoch(line)
        _, status, usage = os.wait4(self._process.pid, 0)
        if status != 0:
            sys.exit(self._why())
        self.peak_memory = usage.ru_maxrss * 1024

    def _block(self) -> dict[str, Any]:
        for line in self._results:
            if not self._is_end_of_epoch(line):
                return json.loads(line)
        sys.exit(self._why())

    def _why(self) -> str:
        self._errors.seek(0)
        return f"{self.title} failed:\n{self._errors.read()}"

    def _is_end_of_epoch(self, line: str) -> bool:
        self.end_of_epoch = json.loads(line).get("end", self.end_of_epoch)
        return "end" in json.loads(line)

    @property
    def each(self) -> list[float]:
        """Seconds an alternation, block by block."""
        return [seconds / number for seconds, number in zip(self.seconds, self.alternations, strict=True)]


def training(folder: Path, name: str, arguments: argparse.Namespace, precision: str, *overrides: str) -> list[str]:
    """The training's command for the baseline."""
    on_gpu = arguments.device == "cuda"
    return [
        *("-m", "gan_lightning.train", "experiment=report_mnist", f"trainer={'gpu' if on_gpu else 'cpu'}"),
        *(f"trainer.precision={precision}", f"data_dir={folder}", f"output_dir={folder / name}", *overrides),
        *arguments.option,
    ]


def timed_training(
    folder: Path, name: str, arguments: argparse.Namespace, precision: str, *overrides: str
) -> list[str]:
    """The training's command for a contender."""
    settings = {
        "_target_": "training_callbacks.TrainingStopwatch",
        "block": arguments.block,
        "device": arguments.device,
        "results": "RESULTS",
    }
    command = training(folder, name, arguments, precision, *overrides)
    return [*command, *(f"+callbacks.stopwatch.{key}={value}" for key, value in settings.items())]


def run_in_turn(contenders: list[Contender], rounds: int) -> None:
    for done in range(rounds):
        print(f"round {done + 1} of {rounds}", file=sys.stderr)
        for contender in contenders:
            contender.run_block()
    for contender in contenders:
        contender.end()


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Contender]:
    """All contenders by name, after their rounds."""
    common = ["--data-dir", str(folder), "--device", arguments.device]
    common += ["--block", str(arguments.block), "--results=RESULTS"]
    contenders = {"plain": Contender("(a) plain loop", [str(HERE / "plain_loop.py"), *common])}
    for precision in arguments.precision:
        tight = [str(HERE / "tight_loop.py"), "--precision", precision, *common]
        contenders[f"tight {precision}"] = Contender(f"(b) tight loop, {precision}", tight)
        project = timed_training(folder, precision, arguments, precision)
        contenders[f"project {precision}"] = Contender(f"(c) this project, {precision}", project)
    run_in_turn(list(contenders.values()), arguments.rounds)
    return contenders


def dcgan(folder: Path, arguments: argparse.Namespace, precision: str) -> str:
    """How fast networks of DCGAN's size are trained: k = 1, batch 128."""
    overrides = ["gan.discriminator_steps=1", "dataset.batch_size=128", "model=dcgan", "model.width=64"]
    overrides += [f"model.{player}.normalization=batch" for player in ("generator", "discriminator")]
    name = f"dcgan_{precision}"
    contender = Contender(
        f"networks of DCGAN's size, {precision}", timed_training(folder, name, arguments, precision, *overrides)
    )
    run_in_turn([contender], arguments.rounds)
    each = statistics.median(contender.each)
    # The discriminator sees a real and a generated batch in its own step, and a generated one in the generator's.
    return (
        f"{contender.title}, batch 128, k = 1: {1e3 * each:.2f} ms an alternation,"
        f" {3 * 128 / each:,.0f} images/s through the discriminator"
    )


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int) -> float:
    """FLOP/s of products of square matrices."""
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    timer = Timer("one @ other", globals={"one": one, "other": other}, num_threads=torch.get_num_threads())
    return 2 * size**3 / timer.blocked_autorange(min_run_time=1).median


def flops() -> int:
    """Of the matrix products of one alternation."""
    # oneDNN's linear layer is not among the operations whose work PyTorch knows.
    without = patch("torch.backends.mkldnn.is_available", return_value=False)
    with without, FlopCounterMode(display=False) as counter:
        Players(torch.device("cpu")).alternate(torch.zeros(BATCH_SIZE, 1, 28, 28))
    return counter.get_total_flops()


def machine(device: str) -> str:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists() and (names := re.findall(r"model name\s*: (.*)", info.read_text())):
        cpu = names[0]
    gpu = f", {torch.cuda.get_device_name()}" if device == "cuda" else ""
    return (
        f"{cpu} ({torch.backends.cpu.get_cpu_capability()}), {torch.get_num_threads()} threads{gpu},"
        f" Python {platform.python_version()}, torch {torch.__version__}"
    )


def ratio(slow: Contender, fast: Contender) -> str:
    """How many times as long the slow one takes: the median over the rounds, and their quartiles."""
    ratios = [one / other for one, other in zip(slow.each, fast.each, strict=True)]
    return f"{statistics.median(ratios):.2f}{spread(ratios, '.2f')}"


def spread(values: list[float], form: str) -> str:
    if len(values) < 2:
        return ""
    low, _, high = statistics.quantiles(values, n=4)
    return f" ({low:{form}} … {high:{form}})"


def table(contenders: dict[str, Contender], rates: dict[str, float]) -> str:
    """A row for each contender, and the ratios."""
    work = flops()
    lines = [
        "| | ms an alternation | real images/s | s an epoch | of the matrix rate | peak host memory | first step |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, contender in contenders.items():
        each = statistics.median(contender.each)
        rate = rates["bf16-mixed" if name.endswith("bf16-mixed") else "32-true"]
        lines.append(
            f"| {contender.title} | {1e3 * each:.2f}{spread([1e3 * one for one in contender.each], '.2f')}"
            f" | {BATCH_SIZE / each:,.0f} | {EPOCH * each + contender.end_of_epoch:.1f} | {work / each / rate:.0%}"
            f" | {contender.peak_memory / 1e9:.2f} GB | {contender.first_step:.1f} s |"
        )
    lines.append("")
    lines += [
        f"{precision}: (a)/(c) {ratio(contenders['plain'], contenders[f'project {precision}'])},"
        f" (c)/(b) {ratio(contenders[f'project {precision}'], contenders[f'tight {precision}'])}"
        for precision in PRECISIONS
        if f"project {precision}" in contenders
    ]
    return "\n".join(lines)


def run_to_end(command: list[str]) -> None:
    """Run a training that nothing has to be told."""
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode != 0:
        sys.exit(done.stderr)


def profile_of_training(folder: Path, arguments: argparse.Namespace, precision: str) -> str:
    """Where the time of an alternation goes, a line for each category."""
    path = arguments.traces / f"profile_{precision}.json"
    profiler = "+callbacks.profile."
    overrides = [
        f"{profiler}_target_=training_callbacks.TrainingProfile",
        f"{profiler}path={path}",
        f"{profiler}alternations={arguments.block}",
    ]
    run_to_end(training(folder, f"profile_{precision}", arguments, precision, *overrides))
    milliseconds = json.loads(path.read_text())
    whole = sum(milliseconds.values())
    lines = [f"| {precision}, under the profiler | ms an alternation | |", "|---|---|---|"]
    lines += [f"| {title} | {value:.2f} | {value / whole:.0%} |" for title, value in milliseconds.items()]
    return "\n".join(lines)


def whole_run(folder: Path, arguments: argparse.Namespace, precision: str) -> str:
    """The seconds of a run of many epochs."""
    path = folder / "epochs.json"
    overrides = [f"trainer.max_epochs={arguments.epochs}", f"+callbacks.epoch_seconds.path={path}"]
    overrides.append("+callbacks.epoch_seconds._target_=training_callbacks.EpochSeconds")
    began = time.time()
    run_to_end(training(folder, f"whole_{precision}", arguments, precision, *overrides))
    seconds = json.loads(path.read_text())
    second = f", the second {seconds[1]:.2f} s" if len(seconds) > 1 else ""
    return (
        f"{precision}: {arguments.epochs} epochs in {sum(seconds):.1f} s (with start and final pictures"
        f" {time.time() - began:.1f} s); the first {seconds[0]:.2f} s{second}, the last {seconds[-1]:.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=PRECISIONS, action="append", help="repeatable (default: both)")
    parser.add_argument("--rounds", type=int, default=20, help="blocks of each contender (default: 20)")
    parser.add_argument("--block", type=int, default=50, help="alternations in a block (default: 50)")
    parser.add_argument("--epochs", type=int, default=0, help="also time a run of so many epochs")
    parser.add_argument("--dcgan", action="store_true", help="also time networks of DCGAN's size")
    parser.add_argument("--traces", type=Path, default=Path("outputs/speed"), help="the folder for Chrome traces")
    parser.add_argument("--option", action="append", default=[], help="a setting for the training; repeatable")
    arguments = parser.parse_args()
    arguments.precision = arguments.precision or list(PRECISIONS)
    if min(arguments.rounds, arguments.block) < 1 or arguments.epochs < 0:
        parser.error("at least one round of one alternation is needed")
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU here")
    arguments.traces.mkdir(parents=True, exist_ok=True)
    arguments.traces = arguments.traces.resolve()
    device = torch.device(arguments.device)
    size = 8192 if arguments.device == "cuda" else 1024
    rates = {
        precision: matrix_rate(device, dtype, size)
        for precision, dtype in zip(PRECISIONS, (torch.float32, torch.bfloat16), strict=True)
    }
    print(machine(arguments.device))
    for precision, rate in rates.items():
        print(f"matrix products of size {size} in {precision}: {rate / 1e9:,.0f} GFLOP/s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder)
        print(f"\n{table(measure(folder, arguments), rates)}")
        for precision in arguments.precision:
            print(f"\n{profile_of_training(folder, arguments, precision)}")
            if arguments.dcgan:
                print(f"\n{dcgan(folder, arguments, precision)}")
            if arguments.epochs:
                print(f"\n{whole_run(folder, arguments, precision)}")


if __name__ == "__main__":
    main()
