"""The launcher that uses the whole machine."""

import contextlib
import logging
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from gan_lightning.errors import UserError
from gan_lightning.signals import terminated_like_ctrl_c
from gan_lightning.sweeps.status import CONSOLE
from gan_lightning.wording import counted

log = logging.getLogger(__name__)

STOP = {signal.SIGINT, signal.SIGTERM}
MEMORY_OF_A_JOB = 2 * 2**30
PRELOADED = ["gan_lightning.callbacks.results", "gan_lightning.gan", "torchvision"]


class LocalLauncher(Launcher):
    """Runs jobs side by side on this machine, each in a process of its own, so that nothing of one reaches the next.

    On a CPU the jobs share the cores; on GPUs each has one to itself. What a job prints goes to `console.txt` in its
    folder. A job that dies does not stop the others; if this process dies, so do they.

    Args:
        n_jobs: how many at a time; None for as many as there are GPUs, or else cores and memory for.
        threads: of each job; None for its share of the cores.

    Attributes:
        on_start, on_end: called with the folder of a job that begins, or has ended.
    """

    def __init__(self, n_jobs: int | None = None, threads: int | None = None) -> None:
        for name, value in (("n_jobs", n_jobs), ("threads", threads)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise UserError(f"hydra.launcher.{name} must be a whole number of at least 1, or null, not {value!r}")
        self._n_jobs = n_jobs
        self._threads = threads
        self._most: int | None = None
        self.on_start: Callable[[Path], None] = lambda folder: None
        self.on_end: Callable[[Path], None] = lambda folder: None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def slots(self) -> list[str | None]:
        """The GPU of each job that may run at a time; None where it runs on the CPU."""
        gpus: list[str | None] = [] if self.config.trainer.accelerator == "cpu" else [*_gpus()]
        if gpus:
            return (gpus * (self._n_jobs or 1))[: self._n_jobs or len(gpus)]
        return [None] * (self._n_jobs or max(1, min(_cores(), _memory() // MEMORY_OF_A_JOB)))

    def share_among(self, jobs: int) -> None:
        """Share the machine among so many jobs, even if fewer are launched."""
        self._most = jobs

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        slots = self.slots()[: self._most or len(job_overrides)]
        threads = self._threads or max(1, _cores() // len(slots))
        side_by_side = min(len(slots), len(job_overrides))
        how_many = counted(len(job_overrides), "job")
        log.info("%s, %d at a time, %s each", how_many, side_by_side, counted(threads, "thread"))
        waiting = list(enumerate(job_overrides))
        running: dict[Any, _Running] = {}
        results: dict[int, JobReturn] = {}
        with terminated_like_ctrl_c():
            try:
                while waiting or running:
                    while waiting and slots:
                        place, overrides = waiting.pop(0)
                        with _without_ctrl_c():
                            started = self._start(place, initial_job_idx + place, overrides, slots.pop(), threads)
                            running[started.receiver] = started
                    for receiver in multiprocessing.connection.wait(list(running)):
                        ended = running.pop(receiver)
                        results[ended.place] = ended.result()
                        slots.append(ended.slot)
                        self.on_end(ended.folder)
            except BaseException:
                _stop([one.process for one in running.values()])
                raise
        return [results[place] for place in range(len(job_overrides))]

    def _start(self, place: int, number: int, overrides: Sequence[str], slot: str | None, threads: int) -> "_Running":
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config.hydra.job):
            config.hydra.job.id = str(number)
            config.hydra.job.num = number
        folder = Path(config.hydra.sweep.dir, config.hydra.sweep.subdir)
        folder.mkdir(parents=True, exist_ok=True)
        self.on_start(folder)
        job = cloudpickle.dumps((self.hydra_context, self.task_function, config, Singleton.get_state()))
        environment = {"OMP_NUM_THREADS": str(threads)} | ({} if slot is None else {"CUDA_VISIBLE_DEVICES": slot})
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = _processes().Process(target=_work, args=(job, environment, folder / CONSOLE, sender))
        process.start()
        sender.close()
        return _Running(place, slot, folder, process, receiver)


class _Running(NamedTuple):
    """A job at work."""

    place: int
    slot: str | None
    folder: Path
    process: Any
    receiver: Any

    def result(self) -> JobReturn:
        """How it ended, once it has said so or is no more."""
        try:
            result: JobReturn = self.receiver.recv()
        except Exception:  # the end of the pipe, or an error that cannot be told to another process
            result = JobReturn(status=JobStatus.FAILED)
            result.return_value = UserError("the job's process died")
        self.process.join()
        return result


def _stop(processes: list[Any]) -> None:
    """Ask jobs to write a checkpoint and end, as Ctrl-C does; where that is pressed again, end them."""
    try:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(process.pid, signal.SIGINT)
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        for process in processes:
            process.kill()
        raise


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Jobs, and what starts them, do not see Ctrl-C: it is for this process, which asks each job once to end."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # as it starts, it lets Ctrl-C through again
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)


def _processes() -> Any:
    """Linux forks jobs from one process that has imported the libraries already; elsewhere each job imports them."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _work(job: bytes, environment: dict[str, str], console: Path, sender: Any) -> None:
    """In the job's process."""
    os.environ |= environment
    threading.Thread(target=_follow_parent, daemon=True).start()
    with console.open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    if hasattr(os, "setsid"):
        os.setsid()  # away from the terminal and its Ctrl-C
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
    import torch

    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    hydra_context, task_function, config, singletons = cloudpickle.loads(job)
    Singleton.set_state(singletons)
    setup_globals()
    result = run_job(
        hydra_context=hydra_context,
        task_function=task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    sender.send(result)


def _follow_parent() -> None:
    """A sweep that was killed leaves no jobs behind that would be in the way of the next try."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """In bytes; plenty where it cannot be known."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2**62


def _gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES may be for each."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else map(str, range(torch.cuda.device_count()))
    return list(names)[: torch.cuda.device_count()]
