"""The launcher that uses the whole machine."""

import contextlib
import logging
import math
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, NamedTuple

import cloudpickle
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from gan_lightning.errors import UserError, whole_number
from gan_lightning.signals import terminated_like_ctrl_c
from gan_lightning.sweeps.kinds import kind_of
from gan_lightning.sweeps.status import CONSOLE
from gan_lightning.sweeps.surroundings import Surroundings
from gan_lightning.wording import counted

log = logging.getLogger(__name__)

STOP = {signal.SIGINT, signal.SIGTERM}
MEMORY_OF_A_JOB = 2 * 2**30
PACK_OF_A_GPU = 8
PRELOADED = ["gan_lightning.callbacks.results", "gan_lightning.gan", "torchvision"]


class LocalLauncher(Launcher):
    """Runs jobs side by side on this machine, each in a process of its own, so that nothing of one reaches the next.

    On a CPU the jobs share the cores; on GPUs each has one to itself. What a job prints goes to `console.txt` in its
    folder. A job that dies does not stop the others; if this process dies, so do they.

    Jobs that differ in numbers alone, such as learning rates and seeds, may be packed instead: several share a process,
    and their alternations are done as one, for GPUs, which a small network keeps busy with launches. A process that
    dies then takes its pack with it, to go on from their checkpoints.

    Args:
        n_jobs: how many processes at a time; None for as many as there are GPUs, or else cores and memory for.
        threads: of each process; None for its share of the cores.
        pack: how many jobs share a process at most; `auto` for 8 on a GPU, and 1 on a CPU, where packs take longer.

    Attributes:
        on_start, on_end: called with the folder of a job that begins, or has ended.
    """

    def __init__(self, n_jobs: int | None = None, threads: int | None = None, pack: int | str = 1) -> None:
        for name, value in (("n_jobs", n_jobs), ("threads", threads)):
            if value is not None and (not isinstance(value, int) or value < 1):
                raise UserError(f"hydra.launcher.{name} must be a whole number of at least 1, or null, not {value!r}")
        if pack != "auto":
            whole_number("hydra.launcher.pack (unless auto)", pack, at_least=1)
        self._n_jobs = n_jobs
        self._threads = threads
        self._pack = pack
        self._most: int | None = None
        self.on_start: Callable[[Path], None] = lambda folder: None
        self.on_end: Callable[[Path], None] = lambda folder: None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    @property
    def at_a_time(self) -> int:
        """How many jobs may run at a time."""
        return len(self._slots()) * self._largest_pack

    def share_among(self, jobs: int) -> None:
        """Share the machine among so many jobs, even if fewer are launched."""
        self._most = jobs

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        waiting = [
            _Job(place, initial_job_idx + place, overrides, self._kind(overrides))
            for place, overrides in enumerate(job_overrides)
        ]
        slots = self._slots()[: self._most or len(waiting)]
        threads = self._threads or max(1, _cores() // len(slots))
        at_a_time = min(len(slots) * self._largest_pack, len(waiting))
        log.info("%s, %d at a time, %s each", counted(len(waiting), "job"), at_a_time, counted(threads, "thread"))
        running: dict[Any, _Running] = {}
        results: dict[int, JobReturn] = {}
        with terminated_like_ctrl_c():
            try:
                while waiting or running:
                    while waiting and slots:
                        share = min(self._largest_pack, math.ceil(len(waiting) / len(slots)))
                        jobs = _of_a_kind(waiting, waiting[0].kind, share)
                        with _without_ctrl_c():
                            started = self._start(jobs, slots.pop(), threads)
                            running[started.connection] = started
                    for connection in multiprocessing.connection.wait(list(running)):
                        one = running[connection]
                        ended = one.ended()
                        for place, result in ended or [(place, _died()) for place in one.folders]:
                            results[place] = result
                            self.on_end(one.folders.pop(place))
                        if ended and self._largest_pack > 1:
                            self._go_on(one, _of_a_kind(waiting, one.kind, 1))
                        if not one.folders:
                            one.process.join()
                            slots.append(running.pop(connection).slot)
            except BaseException:
                _stop([one.process for one in running.values()])
                raise
        return [results[place] for place in range(len(job_overrides))]

    def _slots(self) -> list[str | None]:
        """The GPU of each process that there may be at a time; None where it runs on the CPU."""
        gpus: list[str | None] = [] if self.config.trainer.accelerator == "cpu" else [*_gpus()]
        if gpus:
            return (gpus * (self._n_jobs or 1))[: self._n_jobs or len(gpus)]
        return [None] * (self._n_jobs or max(1, min(_cores(), _memory() // MEMORY_OF_A_JOB)))

    @property
    def _largest_pack(self) -> int:
        if self._pack == "auto":
            return 1 if self._slots()[0] is None else PACK_OF_A_GPU
        return int(self._pack)

    def _kind(self, overrides: Sequence[str]) -> str:
        """What is the same of jobs that may share a process."""
        return kind_of(self._composed(overrides)) if self._largest_pack > 1 else ""

    def _composed(self, overrides: Sequence[str]) -> DictConfig:
        return self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))

    def _start(self, jobs: "list[_Job]", slot: str | None, threads: int) -> "_Running":
        programs = [self._program(job) for job in jobs]
        environment = {"OMP_NUM_THREADS": str(threads)} | ({} if slot is None else {"CUDA_VISIBLE_DEVICES": slot})
        connection, theirs = multiprocessing.Pipe()
        process = _processes().Process(target=_work, args=(programs, self._largest_pack > 1, environment, theirs))
        process.start()
        theirs.close()
        folders = {job.place: program.folder for job, program in zip(jobs, programs, strict=True)}
        return _Running(slot, jobs[0].kind, folders, process, connection)

    def _go_on(self, one: "_Running", jobs: "list[_Job]") -> None:
        """Tell a process what to do in the place of a job that has ended: another one, or nothing."""
        for job in jobs:
            program = self._program(job)
            one.folders[job.place] = program.folder
        with contextlib.suppress(OSError):  # it was killed since, which is noticed next
            one.connection.send(program if jobs else None)

    def _program(self, job: "_Job") -> "_Program":
        config = self._composed(job.overrides)
        with open_dict(config.hydra.job):
            config.hydra.job.id = str(job.number)
            config.hydra.job.num = job.number
        folder = Path(config.hydra.sweep.dir, config.hydra.sweep.subdir)
        folder.mkdir(parents=True, exist_ok=True)
        self.on_start(folder)
        pickled = cloudpickle.dumps((self.hydra_context, self.task_function, config, Singleton.get_state()))
        return _Program(job.place, folder, pickled)


class _Job(NamedTuple):
    """One that waits."""

    place: int
    number: int
    overrides: Sequence[str]
    kind: str


def _of_a_kind(waiting: list[_Job], kind: str, most: int) -> list[_Job]:
    """Take out jobs of a kind."""
    taken = [job for job in waiting if job.kind == kind][:most]
    waiting[:] = [job for job in waiting if job not in taken]
    return taken


class _Program(NamedTuple):
    """What a process needs to know of a job."""

    place: int
    folder: Path
    pickled: bytes


class _Running(NamedTuple):
    """A process at work."""

    slot: str | None
    kind: str
    folders: dict[int, Path]
    """Those of its jobs, by their places."""
    process: Any
    connection: Any

    def ended(self) -> list[tuple[int, JobReturn]]:
        """The place of a job that has ended, and how; nothing if the process is no more."""
        try:
            place, pickled = self.connection.recv()
        except (EOFError, OSError):
            return []
        try:
            return [(place, cloudpickle.loads(pickled))]
        except Exception:  # an error that cannot be told to another process
            return [(place, _died())]


def _died() -> JobReturn:
    result = JobReturn(status=JobStatus.FAILED)
    result.return_value = UserError("the job's process died")
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


def _work(programs: list[_Program], packed: bool, environment: dict[str, str], connection: Any) -> None:
    """In the process of some jobs."""
    os.environ |= environment
    threading.Thread(target=_follow_parent, daemon=True).start()
    # Where it cannot be written to, others in this process are not to miss theirs.
    with contextlib.suppress(OSError), (programs[0].folder / CONSOLE).open("ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
    if hasattr(os, "setsid"):
        os.setsid()  # away from the terminal and its Ctrl-C
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP)
    import torch

    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    setup_globals()
    if not packed:
        connection.send(_result(programs[0]))
        return
    from gan_lightning.packing.pack import Pack

    pack = Pack()
    for number in STOP:
        signal.signal(number, lambda *_: pack.stop())
    surroundings = [Surroundings() for _ in programs]
    pack.run([(partial(_go_on, *each, connection, pack), each[1]) for each in zip(programs, surroundings, strict=True)])


def _go_on(program: _Program | None, surroundings: Surroundings, connection: Any, pack: Any) -> None:
    """In one of the threads of a process: a job, and those that take its place."""
    while program is not None:
        try:
            surroundings.print_to(program.folder / CONSOLE)
            told = _result(program)
        except BaseException:  # how it ended cannot be told, but it has
            told = program.place, b""
        if pack.asked_to_stop:  # then nobody listens
            return
        connection.send(told)
        while not connection.poll(0.1):
            if pack.asked_to_stop:  # nor answers
                return
        program = connection.recv()


def _result(program: _Program) -> tuple[int, bytes]:
    """The place of a job, and how it ended, once it has."""
    hydra_context, task_function, config, singletons = cloudpickle.loads(program.pickled)
    Singleton.set_state(singletons)
    result = run_job(
        hydra_context=hydra_context,
        task_function=task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
    return program.place, cloudpickle.dumps(result)


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
