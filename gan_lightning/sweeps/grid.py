"""The sweeper that tries every combination of some values."""

from itertools import product
from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from gan_lightning.errors import UserError
from gan_lightning.settings import but_for_length
from gan_lightning.sweeps.sweep import Sweep


class GridSweeper(Sweeper):
    """Every combination of the values given on the command line, `key=1,2`, and in `params`.

    A job that was completed before is not run again. Of jobs that differ by `trainer.max_epochs` alone, each longer one
    goes on from the shorter one's checkpoint, so that they cost no more than the longest.

    Args:
        params: keys with their values as on the command line, `{"seed": "0,1,2"}`; the command line wins.
    """

    def __init__(self, params: dict[str, Any] | None = None) -> None:
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.sweep_of_jobs = Sweep(hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        sweep = self.sweep_of_jobs
        swept, fixed = sweep.parse(self.params, arguments)
        if not swept:
            raise UserError("there is nothing to sweep over: give several values, such as seed=0,1,2, or leave out -m")
        for override in swept:
            if not override.is_discrete_sweep():
                raise UserError(
                    f"{override.input_line} is for a search, hparams_search=optuna; a sweep takes values: 1,2"
                )
            if not list(override.sweep_string_iterator()):
                raise UserError(f"the sweep is empty: {override.input_line} has no value")
        combinations = product(*([f"{o.get_key_element()}={v}" for v in o.sweep_string_iterator()] for o in swept))
        jobs = list({job.folder: job for job in (sweep.job(each, fixed) for each in combinations)}.values())
        sweep.size = len(jobs)
        if not all(job.is_done for job in jobs):
            sweep.check_metric(jobs[0])
        with sweep.claimed():
            waiting = [job for job in jobs if not job.is_done]
            sweep.save_config()
            sweep.register(jobs)
            try:
                sweep.launch(waiting, side_by_side=len({but_for_length(job.settings) for job in jobs}))
            finally:
                sweep.summarise(jobs)
            sweep.write_report()
            if failed := sweep.failed(jobs):
                raise UserError(
                    f"{len(failed)} of {len(jobs)} jobs did not succeed, for one {failed[0]};"
                    " the same command runs them again and skips the others"
                )
