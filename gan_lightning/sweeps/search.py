"""The sweeper that searches with Optuna.

Hydra's own plugin for Optuna asks for a version of it that is years old, so this one stands on the current one.
"""

import logging
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from gan_lightning.errors import UserError, one_line, whole_number
from gan_lightning.measures.metrics import METRICS
from gan_lightning.mistakes import MISTAKES
from gan_lightning.settings import override
from gan_lightning.sweeps.jobs import Job
from gan_lightning.sweeps.status import State
from gan_lightning.sweeps.study import open_study
from gan_lightning.sweeps.sweep import Sweep

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial


log = logging.getLogger(__name__)


class OptunaSweeper(Sweeper):
    """Searches for the settings with the best `optimized_metric`, by the tree-structured Parzen estimator (Bergstra et
    al. 2011).

    The study is kept in the sweep's folder: the same command again goes on with it, first with the trials that were
    interrupted. Trials that fail or diverge count, but are no reason to stop; the search keeps away from what diverged.

    Args:
        params: keys with what to search, as on the command line, which wins: `interval(0, 0.5)`, `tag(log,
            interval(1e-5, 1e-3))`, `range(1, 6)`, `choice(a, b)` or `a,b`.
        direction: `minimize` or `maximize`; None for what the metric itself says.
        n_trials: of the whole study.
        n_startup_trials: random ones in the beginning.
        n_jobs: trials at a time; None for as many as the launcher runs.
        seed: of what is drawn.
    """

    def __init__(
        self,
        params: dict[str, Any],
        direction: str | None = None,
        n_trials: int = 20,
        n_startup_trials: int = 10,
        n_jobs: int | None = None,
        seed: int = 0,
    ) -> None:
        whole_number("hydra.sweeper.n_trials", n_trials, at_least=1)
        whole_number("hydra.sweeper.n_startup_trials", n_startup_trials, at_least=1)
        if n_jobs is not None:
            whole_number("hydra.sweeper.n_jobs", n_jobs, at_least=1)
        if direction not in (None, "minimize", "maximize"):
            raise ValueError(f"hydra.sweeper.direction must be minimize, maximize or null, not {direction!r}")
        self.params = params
        self.direction = direction
        self.n_trials = n_trials
        self.n_startup_trials = n_startup_trials
        self.n_jobs = n_jobs
        self.seed = seed

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.sweep_of_jobs = Sweep(hydra_context, task_function, config)
        self.journal = self.sweep_of_jobs.folder / "study.journal"
        self.prunes = config.callbacks.get("pruning") is not None

    def sweep(self, arguments: list[str]) -> None:
        import optuna  # here and below, not above: every command looks at its plugins

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sweep = self.sweep_of_jobs
        searched, self.fixed = sweep.parse(self.params, arguments)
        if not searched:
            raise UserError("there is nothing to search: hydra.sweeper.params is empty, or has single values only")
        sweep.size = self.n_trials
        self.num_searched = len(searched)
        space = {each.get_key_element(): _distribution(each) for each in searched}
        probe = self._job({each.get_key_element(): _any_value(each) for each in searched}, trial=0)
        metric = probe.settings["optimized_metric"]
        if metric is None:
            raise UserError("a search needs a metric: optimized_metric=frechet_distance with callbacks=evaluation")
        sweep.check_metric(probe)
        direction = self.direction or self._direction_of(metric)
        sweep.maximizes = direction == "maximize"
        with sweep.claimed():
            study = self._study(metric, direction, space)
            sweep.save_config()
            jobs: dict[int, Job] = {}
            try:
                self._search(study, space, jobs)
            finally:
                sweep.summarise(list(jobs.values()))
            sweep.write_report()
            failed = sweep.failed(list(jobs.values()))
            if failed and len(failed) == len(study.trials):
                raise UserError(f"none of {len(failed)} trials succeeded; {failed[0]}")

    def _study(self, metric: str, direction: Any, space: "dict[str, BaseDistribution]") -> "Study":
        """The study in the sweep's folder, or a new one there."""
        study = open_study(str(self.journal), direction)
        before = study.user_attrs.get("metric", metric), study.direction.name.lower()
        if before != (metric, direction) or any(_elsewhere(trial, space) for trial in study.trials):
            raise UserError(f"{self.journal.parent} holds a search over other settings; choose another output_dir")
        study.set_user_attr("metric", metric)
        return study

    @staticmethod
    def _direction_of(metric: str) -> str:
        better = METRICS[metric].better if metric in METRICS else ""
        if not better:
            raise UserError(f"hydra.sweeper.direction must say whether to minimize or to maximize {metric}")
        return "maximize" if better == "higher" else "minimize"

    def _search(self, study: "Study", space: "dict[str, BaseDistribution]", jobs: dict[int, Job]) -> None:
        """Run trials until there are enough; `jobs` gets those that there are, also from before."""
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        at_a_time = self.n_jobs or self.sweep_of_jobs.parallel_jobs
        for trial in study.trials:
            if trial.state != TrialState.RUNNING:
                self._compose(study, trial, jobs)
        interrupted = study.get_trials(states=[TrialState.RUNNING])
        while interrupted or len(study.trials) < self.n_trials:
            batch, interrupted = interrupted[:at_a_time], interrupted[at_a_time:]
            if not batch:
                # Seeded anew, so that a search that was interrupted draws what it would have drawn.
                study.sampler = TPESampler(
                    n_startup_trials=self.n_startup_trials, constant_liar=True, seed=self.seed + len(study.trials)
                )
                numbers = [study.ask(space).number for _ in range(min(at_a_time, self.n_trials - len(study.trials)))]
                batch = [study.trials[number] for number in numbers]
            batch = [trial for trial in batch if self._compose(study, trial, jobs)]
            self.sweep_of_jobs.register(list(jobs.values()))
            waiting = {jobs[trial.number].folder: jobs[trial.number] for trial in batch}  # some may be alike
            self.sweep_of_jobs.launch([job for job in waiting.values() if not job.is_done], side_by_side=at_a_time)
            for trial in batch:
                _tell(study, trial, jobs[trial.number])

    def _compose(self, study: "Study", trial: "FrozenTrial", jobs: dict[int, Job]) -> bool:
        """Whether a trial's settings go together; the study is told if not, or if it was killed while it drew them."""
        from optuna.trial import TrialState

        try:
            jobs[trial.number] = self._job(trial.params, trial.number)
            complete = len(trial.params) == self.num_searched
        except MISTAKES as mistake:
            log.error("trial %d: %s", trial.number, one_line(mistake))
            complete = False
        if not complete and trial.state == TrialState.RUNNING:
            study.tell(trial.number, state=TrialState.FAIL)
        return complete

    def _job(self, params: dict[str, Any], trial: int) -> Job:
        fixed = list(self.fixed)
        if self.prunes:
            fixed += [override("callbacks.pruning.journal", str(self.journal)), f"callbacks.pruning.trial={trial}"]
        return self.sweep_of_jobs.job([f"{key}={value}" for key, value in params.items()], fixed)


def _elsewhere(trial: "FrozenTrial", space: "dict[str, BaseDistribution]") -> bool:
    """Whether a trial is of another space; one that was killed while it drew its settings has a part of them."""
    from optuna.trial import TrialState

    if trial.state == TrialState.COMPLETE:
        return trial.distributions != space
    return not trial.distributions.items() <= space.items()


def _tell(study: "Study", trial: "FrozenTrial", job: Job) -> None:
    """Tell the study how a trial ended; nothing of one that was interrupted, which goes on when the search does."""
    from optuna.trial import TrialState

    match job.state:
        case State.COMPLETED if (outcome := job.outcome()) is not None:
            study.tell(trial.number, outcome)
        case State.FAILED | State.WAITING:
            study.tell(trial.number, state=TrialState.FAIL)
        case State.COMPLETED | State.PRUNED | State.DIVERGED:  # which the sampler ranks below all others
            study.tell(trial.number, state=TrialState.PRUNED)


def _distribution(searched: Override) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    key, value = searched.get_key_element(), searched.value()
    try:
        if isinstance(value, IntervalSweep):
            log = "log" in value.tags
            if isinstance(value.start, int) and isinstance(value.end, int):
                return IntDistribution(value.start, value.end, log=log)
            return FloatDistribution(float(str(value.start)), float(str(value.end)), log=log)
        if isinstance(value, RangeSweep) and isinstance(value.step, int):
            whole = [int(each) for each in value.range()]
            return IntDistribution(min(whole), max(whole), step=value.step)
        return CategoricalDistribution(list(searched.sweep_string_iterator()))
    except (ValueError, HydraException) as reason:
        raise UserError(f"hydra.sweeper.params: {key}: {reason}") from reason


def _any_value(searched: Override) -> Any:
    value = searched.value()
    return value.start if isinstance(value, IntervalSweep) else next(searched.sweep_string_iterator())
