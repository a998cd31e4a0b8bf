"""A sweep: its folder, its jobs, and what is said of them. Which jobs there are is for a sweeper to decide."""

import contextlib
import io
import logging
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from gan_lightning.building import build, build_callbacks
from gan_lightning.errors import UserError, one_line
from gan_lightning.measures.metrics import higher_is_better
from gan_lightning.mistakes import user_mistakes
from gan_lightning.options import config_dirs, known_settings, prefer_choices
from gan_lightning.settings import but_for_length, override, resolved, short_keys
from gan_lightning.sweeps.jobs import Job, check_folder, folder_name
from gan_lightning.sweeps.launcher import LocalLauncher
from gan_lightning.sweeps.status import LOCK, NUMBERS, STATUS, State, read_results, read_status
from gan_lightning.whole_files import read_json, write_json, write_text
from gan_lightning.wording import counted, time_left

log = logging.getLogger(__name__)


class Sweep:
    """The jobs in one folder, and the launcher that runs them.

    Args:
        hydra_context, task_function, config: what Hydra gives a sweeper.

    Attributes:
        folder: `output_dir` if that was given, else one named after the command, so that the same command again goes
            on with the same sweep.
        launcher: runs jobs.
        size: how many jobs there will be; for the sweeper to say.
        maximizes: whether more of the metric is better; as the metric says it, unless the sweeper knows more.
    """

    def __init__(self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        overrides = [str(each) for each in config.hydra.overrides.task]
        if not any(each.startswith("output_dir=") for each in overrides):
            with open_dict(config):
                config.hydra.sweep.dir = f"outputs/sweeps/{folder_name(overrides) if overrides else 'default'}"
        if not config.hydra.sweep.dir:
            raise UserError("output_dir is empty; to use the current folder, say output_dir=.")
        self.folder = Path(config.hydra.sweep.dir)
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        self.size = 0
        self.maximizes = higher_is_better(str(config.optimized_metric))
        self._config = config
        self._loader = hydra_context.config_loader
        self._jobs: dict[Path, Job] = {}
        self._numbers: dict[str, int] = {}
        self._launched = 0
        self._ended = 0
        self._since = time.monotonic()
        self._errors: dict[Path, str] = {}

    @property
    def parallel_jobs(self) -> int:
        """How many jobs the launcher runs at a time, as far as it says so."""
        return self.launcher.at_a_time if isinstance(self.launcher, LocalLauncher) else 1

    def parse(self, params: dict[str, Any], arguments: list[str]) -> tuple[list[Override], list[str]]:
        """What a sweep's settings and the command line, which wins, say: what has several values, and the rest.

        Of the sweep's settings those are left out, with a line, that the options which are chosen do not have.
        """
        missing = [key for key in params if not _has(self._config, key)]
        # All files of options are read only where it matters: other options may have what is missing.
        known = known_settings("config", config_dirs(sys.argv[1:])) if missing else {}
        left_out = [key for key in missing if key in known]
        if left_out:
            log.info("not varied, because what is chosen has no such settings: %s", ", ".join(left_out))
        lines = [f"{key}={value}" for key, value in params.items() if key not in left_out]
        parsed = OverridesParser.create(config_loader=self._loader).parse_overrides(lines + arguments)
        overrides = {each.get_key_element(): each for each in parsed}.values()
        swept = [each for each in overrides if each.is_sweep_override()]
        return swept, [str(each.input_line) for each in overrides if each not in swept]

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
                self._numbers = read_json(self.folder / NUMBERS) or {}
                yield
        except Timeout:
            raise UserError(
                f"another sweep is at work in {self.folder}; wait for it, or choose another output_dir"
            ) from None
        except (KeyboardInterrupt, SystemExit):
            log.info("interrupted; the same command goes on")
            raise

    def job(self, swept: Sequence[str], fixed: Sequence[str] = ()) -> Job:
        """A job of the overrides that tell it from the others, and of those it shares with them.

        Raises:
            UserError: if a job cannot be so, or its folder holds anything else.
        """
        name = folder_name(swept)
        place = [override("hydra.sweep.dir", str(self.folder)), override("hydra.sweep.subdir", name)]
        keys = [each.lstrip("+").partition("=")[0] for each in swept]
        if self._config.callbacks.get("results") is not None:
            place.append(f"++callbacks.results.hyperparameters=[{','.join(keys)}]")
        overrides = prefer_choices([*fixed, *swept, *place])
        composed = self._loader.load_sweep_config(self._config, overrides)
        HydraConfig.instance().set_config(composed)  # what the settings may refer to
        with open_dict(composed):
            del composed["hydra"]
        short = short_keys(keys)
        values = [_shortened(each.partition("=")[2]) for each in swept]
        varies = " ".join(f"{short[key]}={value}" for key, value in zip(keys, values, strict=True))
        job = Job(varies, self.folder / name, overrides, resolved(composed))
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
            from gan_lightning.callbacks.evaluation import Evaluation
            from gan_lightning.callbacks.results import check_optimized_metric
            from gan_lightning.objectives import Objective  # here, because what these need takes seconds to import
            from gan_lightning.penalties import Penalty

            with user_mistakes():
                objective = build(job.settings, "objective", Objective)
                penalty = build(job.settings, "penalty", Penalty)
            evaluation = Evaluation.among(build_callbacks(job.settings).values())
            # Whether its generator is given labels is known once it is made, by the job.
            check_optimized_metric(job.settings["optimized_metric"], objective, penalty, True, evaluation)

    def label(self, job: Job) -> str:
        """What a job is called: by its number, which stays the same, and what varies: `007 lr=1e-4 seed=2`."""
        return f"{self._numbers[job.folder.name]:03} {job.varies}"

    def register(self, jobs: Sequence[Job]) -> None:
        """Count jobs among those of the sweep, and give a number to each that has none; a file says which it is."""
        self._jobs |= {job.folder: job for job in jobs}
        for job in jobs:
            self._numbers.setdefault(job.folder.name, len(self._numbers) + 1)
        write_json(self.folder / NUMBERS, self._numbers)

    def save_config(self) -> None:
        """Write down what was asked for."""
        write_text(self.folder / "multirun.yaml", OmegaConf.to_yaml(self._config))

    def launch(self, jobs: Sequence[Job], side_by_side: int) -> None:
        """Run jobs, in an order in which a shorter one comes before those that it is the beginning of.

        How each ended is in its folder.

        Args:
            jobs: each in a folder of its own.
            side_by_side: how many the sweep can ever have at a time; the launcher shares the machine among so many, so
                that a job has the same number of threads whatever is left to do.
        """
        self.register(jobs)
        if isinstance(self.launcher, LocalLauncher):
            self.launcher.share_among(side_by_side)
            self.launcher.on_start = lambda folder: log.info("began        %s", self.label(self._jobs[folder]))
            self.launcher.on_end = self._say_how_far
        waiting = list(jobs)
        while waiting:
            # The shortest of each kind; the next ones go on from its checkpoint.
            wave: dict[str, Job] = {}
            for job in sorted(waiting, key=lambda job: job.settings["trainer"]["max_epochs"]):
                wave.setdefault(but_for_length(job.settings), job)
            batch = [job for job in waiting if job in wave.values()]
            for job, error in zip(batch, self._run(batch), strict=True):
                if error is not None and not job.is_done:
                    self._errors[job.folder] = one_line(error)
            self._launched += len(batch)
            waiting = [job for job in waiting if job not in batch]

    def _run(self, batch: list[Job]) -> list[Exception | None]:
        """The error of each job, if it had one."""
        try:
            results = self.launcher.launch([job.overrides for job in batch], initial_job_idx=self._launched)
        except Exception as reason:  # a cluster tells in this way that it lost a job
            log.error("error: %s", one_line(reason))
            return [reason] * len(batch)
        errors: list[Exception | None] = []
        for result in results:
            try:
                with contextlib.redirect_stderr(io.StringIO()):  # to which Hydra says that there was an error
                    result.return_value  # noqa: B018  # raises what the job raised
                errors.append(None)
            except Exception as reason:
                errors.append(reason)
        return errors

    def _say_how_far(self, folder: Path) -> None:
        """A line for a job that has ended: how many others have, the best so far, and how long the rest will take."""
        self._ended += 1
        job = self._jobs[folder]
        done = [each for each in self._jobs.values() if each.state not in (State.WAITING, State.RUNNING)]
        said = [f"{len(done)} of {self.size}"]
        outcomes = [x for each in done if each.state is State.COMPLETED and (x := each.outcome()) is not None]
        if outcomes:
            said.append(f"best {(max if self.maximizes else min)(outcomes):.4g}")
        if len(done) < self.size:
            said.append(time_left((time.monotonic() - self._since) / self._ended * (self.size - len(done))))
        log.info("%-11s  %s  (%s)", job.state, self.label(job), ", ".join(said))

    def summarise(self, jobs: Sequence[Job]) -> None:
        """Say how each job ended, a line each."""
        self.register(jobs)
        states = Counter(job.state for job in jobs)
        how_many = counted(len(jobs), "job")
        log.info("%s: %s, %s", self.folder, how_many, ", ".join(f"{states[each]} {each}" for each in states))
        for job in jobs:
            log.info("%-11s  %s  %s", job.state, self.label(job), self._outcome_of(job))
        log.info("TensorBoard: tensorboard --samples_per_plugin images=500 --logdir %s", shlex.quote(str(self.folder)))

    def write_report(self) -> None:
        """Write the report, unless there is one of what there is, and show its table."""
        from gan_lightning.reports.report import PAGE, write_report

        page = self.folder / "report" / PAGE
        changes = [path.stat().st_mtime for path in self.folder.glob(f"*/{STATUS}")]
        if changes and (not page.exists() or page.stat().st_mtime < max(changes)):
            log.info("\n%s", write_report([str(self.folder)], page.parent))
        elif page.exists():
            log.info("\n%s\npage: %s", page.with_name("table.md").read_text(), page)

    def failed(self, jobs: Sequence[Job]) -> list[str]:
        """A line for each job that did not succeed, unless it was stopped on purpose."""
        failed = [job for job in jobs if job.state is State.FAILED or job.folder in self._errors]
        return [f"{self.label(job)}: {self._outcome_of(job)}" for job in failed]

    def _outcome_of(self, job: Job) -> str:
        """The metric that it reached, or why it failed."""
        metric = job.settings["optimized_metric"]
        if job.state is State.COMPLETED and metric is not None:
            outcome = job.outcome()
            return f"{metric} {'diverged' if outcome is None else format(outcome, '.4g')}"
        return read_status(job.folder).get("error", self._errors.get(job.folder, ""))


def _has(config: DictConfig, key: str) -> bool:
    """Whether there is a setting, or a group, of that name."""
    *above, last = key.split(".")
    node = OmegaConf.select(config, ".".join(above)) if above else config
    return OmegaConf.is_dict(node) and last in node


def _shortened(value: str) -> str:
    """A long fraction to four digits."""
    return f"{float(value):.4g}" if re.fullmatch(r"-?\d*\.\d{5,}(e[+-]?\d+)?", value) else value
