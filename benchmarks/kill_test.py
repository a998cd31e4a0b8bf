"""Kill trainings, sweeps and searches at random moments: the same command again must end with what it would have made.

    python benchmarks/kill_test.py                              50 moments over all kinds, on one file system
    python benchmarks/kill_test.py ema search --moments 10      of some kinds
    python benchmarks/kill_test.py --folder /dev/shm/kills --other /tmp/kills     temporary files on another one

Each kind of run is made once without an interruption. Then, for each moment, the same command begins in a folder of its
own, its process group is killed (SIGKILL) and the command is given again. Weights, the optimizers' states, random
numbers, pictures, curves and results must be those of the uninterrupted run bit for bit; only times may differ. What
differs is said, a line each, its folder is kept, and the exit code is 1.

Trainings are forked from one process that has imported the libraries, which is most of a short training's time.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import torch
from PIL import Image, ImageSequence

from gan_lightning import train
from gan_lightning.paths import ONE_BEFORE
from gan_lightning.reports.event_files import read_scalars
from gan_lightning.sweeps.launcher import PRELOADED
from gan_lightning.sweeps.status import RESULTS
from gan_lightning.sweeps.study import STUDY, open_study_file
from gan_lightning.whole_files import UNFINISHED

TINY = (
    "dataset=mnist5k",
    "dataset.num_train_images=200",
    "dataset.batch_size=8",
    "callbacks.samples.num_samples=4",
    "callbacks.last_checkpoint.every_n_minutes=0.005",
    "trainer.log_every_n_steps=2",
    "trainer.accelerator=cpu",
    "output_dir=run",
)
"""25 alternations an epoch, with pictures, and with checkpoints in mid-epoch."""
MLP = (
    "model.generator.hidden_dims=[16]",
    "model.discriminator.hidden_dim=16",
    "model.discriminator.maxout_dim=8",
)
EACH_EPOCH = "callbacks.checkpoints.every_n_epochs=1"
ONE = ("trainer.max_epochs=3", "ckpt_path=auto", EACH_EPOCH)
KINDS: dict[str, tuple[str, ...]] = {
    "fp32": (*MLP, *ONE),
    "bf16": (*MLP, *ONE, "trainer.precision=bf16-mixed"),
    "fresh": (*MLP, *ONE, "gan.discriminator_batches=fresh", "gan.discriminator_steps=2"),
    "several alternations": (*MLP, *ONE, "gan.alternations_per_step=3"),
    "evaluation": (
        *(*MLP, *ONE, "callbacks=evaluation", "callbacks.evaluation.every_n_epochs=1"),
        *("callbacks.evaluation.num_samples=100", "callbacks.evaluation.measures=[parzen]"),
        "callbacks.best_checkpoint.metric=parzen_official",
    ),
    "ema": (*MLP, *ONE, "gan.ema.half_life=100", "objective=rpgan", "penalty=r1_r2"),
    "conditional": ("model=dcgan", "model.width=4", "model.conditional=true", *ONE),
    "sweep": (*MLP, "-m", "seed=0,1", "trainer.max_epochs=2,3", "hydra.launcher.n_jobs=2", EACH_EPOCH),
    "search": (
        *(*MLP, "hparams_search=optuna", "callbacks.evaluation=null", "callbacks.best_checkpoint=null"),
        *("optimized_metric=generator_loss", "hydra.sweeper.direction=minimize", "hydra.sweeper.n_trials=3"),
        *("hydra.sweeper.n_startup_trials=2", "hydra.sweeper.n_jobs=1", "hydra/launcher=basic"),
        *("trainer.max_epochs=2", "dataset.batch_size=8,20", "model.generator.hidden_dims=[8],[16]"),
        "model.discriminator.hidden_dim=8,16",
    ),
}
"""A sweep's jobs run side by side in processes of their own, the longer ones go on from the shorter; a search's trials
one after the other in its own process."""
SAID = "said.txt"
TIMES = ("training_seconds", "images_per_second")
LONGEST = 600
"""Seconds after which a command is said to hang."""


class Outcome(NamedTuple):
    """What became of a run that was to be killed."""

    killed: bool
    how: str
    """What the same command then did: it went on `from a checkpoint`, began `anew`, or all `had ended`."""
    differences: list[str]


def run_in(folder: Path, words: tuple[str, ...]) -> None:
    """In a process of its own: the command, in a folder and a process group of its own."""
    os.setsid()
    os.chdir(folder)
    with Path(SAID).open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["train", *words]
    train.main([*words])


@contextlib.contextmanager
def started(folder: Path, kind: str) -> Iterator[Any]:
    """The command of a kind, once its process has a group of its own, which ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    process = multiprocessing.get_context("forkserver").Process(target=run_in, args=(folder, (*TINY, *KINDS[kind])))
    process.start()
    try:
        while process.is_alive() and not (folder / SAID).exists():
            time.sleep(0.002)
        yield process
    finally:
        if process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
        process.join()


def finish(folder: Path, kind: str) -> tuple[float, int | None]:
    """The seconds that the command took, and its exit code; None if it hung."""
    with started(folder, kind) as process:
        began = time.monotonic()
        process.join(LONGEST)
        return time.monotonic() - began, process.exitcode


def killed_at(moment: float, folder: Path, kind: str, whole: Path) -> Outcome:
    """Kill the command `moment` seconds after it began, give it again, and compare with the whole run."""
    with started(folder, kind) as process:
        process.join(moment)
        killed = process.is_alive()
    checkpoints = [*folder.rglob("*.ckpt")]
    # A sweep's jobs end a moment after it: until then one may give a checkpoint another name.
    found = [f"{path} is damaged" for path in checkpoints if not loads(path) and path.exists()]
    _, exit_code = finish(folder, kind)
    said = (folder / SAID).read_text()
    had_ended = exit_code == 1 and "already has" in said.splitlines()[-1]
    if exit_code != 0 and not had_ended:
        found.append(f"the same command again ends with {exit_code}: {said[-200:]}")
    found += [f"{path} is left" for path in folder.rglob(f".*{UNFINISHED}")]
    found += differences(whole / "run", folder / "run")
    how = "had ended" if had_ended or not killed else "from a checkpoint" if checkpoints else "anew"
    return Outcome(killed, how, found)


def loads(path: Path) -> bool:
    try:
        torch.load(path, weights_only=True)
    except Exception:  # torch raises many kinds
        return False
    return True


def differences(one: Path, other: Path) -> Iterator[str]:
    """What tells the folders of two runs, or of two sweeps, apart, a line each; times and places do not count."""
    names = {
        str(path.relative_to(folder))
        for folder in (one, other)
        for path in folder.rglob("*")
        if not path.name.startswith(("events.out.tfevents.", ONE_BEFORE, *TIMES))
    }
    for name in sorted(names):
        if not (one / name).exists() or not (other / name).exists():
            yield f"{name} is not there" if (one / name).exists() else f"{name} is there"
        elif name.endswith((".png", ".gif")) and frames(one / name) != frames(other / name):
            yield f"{name} is another picture"
        elif name.endswith(".ckpt"):
            yield from (f"{name}: {part}" for part in different_parts(state(one / name), state(other / name)))
        elif name.endswith(RESULTS):
            yield from (f"{name}: {part}" for part in different_parts(results(one / name), results(other / name)))
        elif name.endswith("study.journal") and trials(one / name) != trials(other / name):
            yield f"{name}: other trials"
    for folder in sorted({path.parent.relative_to(one) for path in one.rglob("events.out.tfevents.*")}):
        yield from (f"{folder}: {part}" for part in different_parts(curves(one / folder), curves(other / folder)))


def frames(path: Path) -> list[tuple[Any, bytes]]:
    """The size and the pixels of each picture in a file."""
    with Image.open(path) as image:
        return [(frame.size, frame.convert("RGB").tobytes()) for frame in ImageSequence.Iterator(image)]


def state(path: Path) -> dict[str, Any]:
    """What a checkpoint holds of a training, but for its callbacks, who know of times and places."""
    checkpoint = torch.load(path, weights_only=True)
    names = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "alternations", "images_seen", "random")
    return {name: checkpoint[name] for name in names}


def results(path: Path) -> dict[str, Any]:
    return {name: value for name, value in json.loads(path.read_text()).items() if name not in TIMES}


def trials(path: Path) -> list[Any]:
    """Of a study."""
    study = optuna.load_study(study_name=STUDY, storage=open_study_file(str(path)))
    return [(trial.params, trial.values, trial.intermediate_values, trial.state) for trial in study.trials]


def curves(folder: Path) -> dict[str, Any]:
    return {tag: points for tag, points in read_scalars(folder).items() if not tag.endswith(TIMES)}


def different_parts(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """Where nested dicts and lists of tensors and other values are not the same bit for bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        yield from (f"{where}: {key} is in one alone" for key in one.keys() ^ other.keys())
        for key in one.keys() & other.keys():
            yield from different_parts(one[key], other[key], f"{where}.{key}" if where else str(key))
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for place, (this, that) in enumerate(zip(one, other, strict=True)):
            yield from different_parts(this, that, f"{where}[{place}]")
    elif isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        if one.dtype != other.dtype or not torch.equal(one, other):
            yield f"{where} differs"
    elif type(one) is not type(other) or one != other:
        yield f"{where} is {other!s:.60}, not {one!s:.60}"


def row(title: str, outcomes: list[Outcome]) -> str:
    """A line of the table."""
    how = Counter(outcome.how for outcome in outcomes)
    numbers = [len(outcomes), sum(outcome.killed for outcome in outcomes)]
    numbers += [how["from a checkpoint"], how["anew"], how["had ended"]]
    numbers.append(sum(not outcome.differences for outcome in outcomes))
    return f"| {' | '.join([title, *map(str, numbers)])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="kind", help=f"(default: all: {', '.join(KINDS)})")
    parser.add_argument("--moments", type=int, default=50, help="over all kinds (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--folder", type=Path, default=Path("outputs/kill_test"), help="of the runs; is emptied")
    parser.add_argument("--other", type=Path, help="of temporary files (default: below the runs')")
    arguments = parser.parse_args()
    if unknown := set(arguments.kinds) - set(KINDS):
        parser.error(f"there is no kind {unknown.pop()!r}; there is {', '.join(KINDS)}")
    kinds = arguments.kinds or [*KINDS]
    if arguments.moments < len(kinds):
        parser.error(f"at least a moment of each kind is needed, {len(kinds)}")

    for kind in kinds:
        shutil.rmtree(arguments.folder / kind, ignore_errors=True)
    temporary = (arguments.other or arguments.folder) / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ |= {"TMPDIR": str(temporary.resolve()), "OMP_NUM_THREADS": "1"}
    os.environ["PYTHONWARNINGS"] = (
        "ignore::UserWarning:multiprocessing.resource_tracker"  # who is killed leaks semaphores
    )
    multiprocessing.set_forkserver_preload(["__main__", *PRELOADED])
    chance = random.Random(arguments.seed)
    print("| | moments | killed | went on from a checkpoint | began anew | had ended | identical |")
    print("|---|---|---|---|---|---|---|", flush=True)
    everything = []
    for place, kind in enumerate(kinds):
        folder = arguments.folder.resolve() / kind
        seconds, exit_code = finish(folder / "whole", kind)
        if exit_code != 0:
            sys.exit(f"{kind} ends with {exit_code}, see {folder / 'whole' / SAID}")
        outcomes = []
        for number in range(arguments.moments // len(kinds) + (place < arguments.moments % len(kinds))):
            moment = chance.uniform(0, seconds)
            outcome = killed_at(moment, folder / str(number), kind, folder / "whole")
            for difference in outcome.differences or ["identical"]:
                how = f"{kind}, killed at {moment:.2f} of {seconds:.2f} s, {outcome.how}"
                print(f"{how}: {difference}", file=sys.stderr, flush=True)
            if not outcome.differences:
                shutil.rmtree(folder / str(number))
            outcomes.append(outcome)
        print(row(kind, outcomes), flush=True)
        everything += outcomes
    print(row("all", everything))
    sys.exit(any(outcome.differences for outcome in everything))


if __name__ == "__main__":
    main()
