"""A sweep: its folder, its jobs, and what is said of them. What the jobs are is decided by `hydra_plugins/`."""

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lightning.building import build
from gan_lightning.config import resolved, word
from gan_lightning.errors import UserError, one_line
from gan_lightning.jobs import LOCK, STATUS, State, but_for_length, check_folder, folder_name, read_results, read_status

log = logging.getLogger(__name__)


class Job(NamedTuple):
    """One run of a sweep."""

    folder: Path
    overrides: list[str]
    settings: dict[str, Any]

    @property
    def state(self) -> State:
        return read_status(self.folder)["state"]

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in (State.COMPLETED, State.PRUNED)

    def outcome(self) -> float | None:
        """The metric that the sweep optimises; None if the job has none, or diverged."""
        return read_results(self.folder).get(self.settings["optimized_metric"])


class Sweep:
    """The jobs in one folder, and the launcher that runs them.

    Args:
        hydra_context, task_function, config: what Hydra hands to a sweeper.

    Attributes:
        folder: `output_dir` if that was given, else one named after the command, so that the same command again goes
            on with the same sweep.
        launcher: runs jobs.
    """

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        words = [str(each) for each in config.hydra.overrides.task]
        if not any(each.startswith("output_dir=") for each in words):
            with open_dict(config):
                config.hydra.sweep.dir = f"outputs/sweeps/{folder_name(words) if words else 'default'}"
        if not config.hydra.sweep.dir:
            raise UserError("output_dir is empty; to use the current folder, say output_dir=.")
        self.folder = Path(config.hydra.sweep.dir)
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self._config = config
        self._loader = hydra_context.config_loader
        self._launched = 0
        self._errors: dict[Path, str] = {}

    @property
    def parallel_jobs(self) -> int:
        """How many jobs the launcher runs at a time, as far as it says so."""
        return len(self.launcher.slots()) if hasattr(self.launcher, "slots") else 1

    def parse(self, params: dict[str, Any], arguments: list[str]) -> tuple[list[Override], list[str]]:
        """What a sweep's settings and the command line, which wins, say: what has several values, and the rest."""
        words = [f"{key}={value}" for key, value in params.items()]
        parsed = OverridesParser.create(config_loader=self._loader).parse_overrides(words + arguments)
        overrides = {override.get_key_element(): override for override in parsed}.values()
        swept = [override for override in overrides if override.is_sweep_override()]
        return swept, [str(override.input_line) for override in overrides if override not in swept]

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """While nobody else works at the sweep.

        Raises:
            UserError: if somebody does, or the folder is that of a single run.
        """
        if (self.folder / "config.yaml").exists():
            raise UserError(f"{self.folder} holds a single run; choose another output_dir")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / LOCK, timeout=0):
                yield
        except Timeout:
            raise UserError(
                f"another sweep is at work in {self.folder}; wait for it, or choose another output_dir"
            ) from None

    def job(self, swept: Sequence[str], fixed: Sequence[str] = ()) -> Job:
        """A job of the overrides that tell it from the others, and of those it shares with them.

        Raises:
            UserError: if a job cannot be so, or its folder holds anything else.
        """
        name = folder_name(swept)
        place = [word("hydra.sweep.dir", str(self.folder)), word("hydra.sweep.subdir", name)]
        overrides = [*fixed, *swept, *place]
        composed = self._loader.load_sweep_config(self._config, overrides)
        HydraConfig.instance().set_config(composed)  # what the settings may refer to
        with open_dict(composed):
            del composed["hydra"]
        job = Job(self.folder / name, overrides, resolved(composed))
        if job.settings["trainer"]["devices"] not in (1, "1"):
            raise UserError(
                "a job of a sweep trains on one device: jobs run side by side instead,"
                f" so leave out trainer.devices={job.settings['trainer']['devices']}"
            )
        check_folder(job.folder, job.settings)
        metric = job.settings["optimized_metric"]
        if metric is not None and job.state is State.COMPLETED and metric not in read_results(job.folder):
            raise UserError(f"{job.folder} was completed without {metric}; choose another output_dir")
        return job

    def check_metric(self, job: Job) -> None:
        """See that a job will know the metric that the sweep optimises.

        Raises:
            UserError: if it will not.
        """
        if job.settings["optimized_metric"] is not None:
            from gan_lightning.cli import user_mistakes
            from gan_lightning.gan import statistics_of
            from gan_lightning.objectives import Objective  # here, because what these need takes seconds to import
            from gan_lightning.penalties import Penalty
            from gan_lightning.train import check_outcome, named_callbacks

            with user_mistakes():
                objective = build(job.settings, "objective", Objective)
                penalty = build(job.settings, "penalty", Penalty)
            statistics = statistics_of(objective, penalty)
            evaluation = named_callbacks(job.settings).get("evaluation")
            check_outcome(job.settings["optimized_metric"], evaluation, statistics, objective.log_odds)

    def save_config(self) -> None:
        """Write down what was asked for."""
        OmegaConf.save(self._config, self.folder / "multirun.yaml")

    def launch(self, jobs: Sequence[Job], side_by_side: int) -> None:
        """Run jobs, in an order in which a shorter one comes before those that it is the beginning of.

        What happened to each is in its folder.

        Args:
            jobs: each in a folder of its own.
            side_by_side: how many the sweep can ever have at a time; the launcher shares the machine among so many, so
                that a job has the same number of threads whatever is left to do.
        """
        if hasattr(self.launcher, "share_among"):
            self.launcher.share_among(side_by_side)
        waiting = list(jobs)
        while waiting:
            # The shortest of each kind; the next ones go on from its checkpoint.
            wave: dict[str, Job] = {}
            for job in sorted(waiting, key=lambda job: job.settings["trainer"]["max_epochs"]):
                wave.setdefault(but_for_length(job.settings), job)
            batch = [job for job in waiting if job in wave.values()]
            try:
                results = self.launcher.launch([job.overrides for job in batch], initial_job_idx=self._launched)
                failed = [result._return_value if result.status != JobStatus.COMPLETED else None for result in results]
            except Exception as reason:  # a cluster tells in this way that it lost a job
                log.error("error: %s", one_line(reason))
                failed = [reason] * len(batch)
            for job, error in zip(batch, failed, strict=True):
                if error is not None and not job.is_done:
                    self._errors[job.folder] = one_line(error)
            self._launched += len(batch)
            waiting = [job for job in waiting if job not in batch]

    def summarise(self, jobs: Sequence[Job]) -> None:
        """Say what became of each job, a line each."""
        states = Counter(job.state for job in jobs)
        log.info("%s: %d jobs, %s", self.folder, len(jobs), ", ".join(f"{states[each]} {each}" for each in states))
        for job in jobs:
            log.info("%-11s  %s  %s", job.state, job.folder.name, self._what_came_of(job))

    def write_report(self) -> None:
        """Write the report, unless there is one of what there is."""
        from gan_lightning.report import PAGE, write_report

        page = self.folder / "report" / PAGE
        changes = [path.stat().st_mtime for path in self.folder.glob(f"*/{STATUS}")]
        if changes and (not page.exists() or page.stat().st_mtime < max(changes)):
            log.info("\n%s", write_report([str(self.folder)], page.parent))

    def failed(self, jobs: Sequence[Job]) -> list[str]:
        """A line for each job that did not succeed, unless it was stopped on purpose."""
        failed = [job for job in jobs if job.state is State.FAILED or job.folder in self._errors]
        return [f"{job.folder.name}: {self._what_came_of(job)}" for job in failed]

    def _what_came_of(self, job: Job) -> str:
        metric = job.settings["optimized_metric"]
        if job.state is State.COMPLETED and metric is not None:
            outcome = job.outcome()
            return f"{metric} {'diverged' if outcome is None else format(outcome, '.4g')}"
        return read_status(job.folder).get("error", self._errors.get(job.folder, ""))
