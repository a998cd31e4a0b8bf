"""Searches with Optuna."""

import json
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from conftest import SHORT, Run
from optuna.trial import TrialState
from test_cli import the_one_line
from test_sweep import until

from gan_lightning.study import open_study_file

SEARCH = (
    *SHORT,
    "hparams_search=optuna",
    "callbacks.evaluation=null",
    "callbacks.best_checkpoint=null",
    "optimized_metric=generator_loss",
    "hydra/launcher=basic",
    "hydra.sweeper.n_jobs=1",
    "hydra.sweeper.direction=minimize",
    "trainer.max_epochs=2",
    "dataset.batch_size=8,20",
    "model.generator.hidden_dims=[8],[16]",
    "model.discriminator.hidden_dim=8,16",
)


def study() -> optuna.Study:
    return optuna.load_study(study_name="sweep", storage=open_study_file("run/study.journal"))


def states() -> list[TrialState]:
    return [trial.state for trial in study().trials]


def test_a_search_finds_its_best_trial_and_goes_on_when_asked_for_more(run: Run) -> None:
    outcome = run(*SEARCH, "hydra.sweeper.n_trials=2")
    assert outcome.exit_code == 0, outcome.stderr
    trials = study().trials
    assert len(trials) == 2
    folders = [path.parent for path in Path("run").glob("*/metrics.json")]
    found = {json.loads((folder / "metrics.json").read_text())["generator_loss"] for folder in folders}
    assert found == {trial.value for trial in trials}
    assert f"{study().best_value:.4g}" in Path("run/report/table.md").read_text().splitlines()[2]
    assert run(*SEARCH, "hydra.sweeper.n_trials=2").exit_code == 0
    assert len(study().trials) == 2
    assert run(*SEARCH, "hydra.sweeper.n_trials=3").exit_code == 0
    assert [trial.params for trial in study().trials[:2]] == [trial.params for trial in trials]
    # In one go it would have tried the same.
    assert run(*SEARCH, "hydra.sweeper.n_trials=3", "output_dir=whole").exit_code == 0
    whole = optuna.load_study(study_name="sweep", storage=open_study_file("whole/study.journal"))
    assert [(trial.params, trial.value) for trial in whole.trials] == [(t.params, t.value) for t in study().trials]


def test_a_trial_lies_in_its_space(run: Run) -> None:
    run(*SEARCH, "hydra.sweeper.n_trials=1")
    ((trial,), space) = study().trials, study().trials[0].distributions
    assert 2e-5 <= trial.params["optimizer.generator.lr"] <= 2e-3
    assert space["optimizer.generator.lr"].log
    assert (space["gan.discriminator_steps"].low, space["gan.discriminator_steps"].high) == (1, 5)
    assert space["optimizer.betas"].choices == ("[0.5,0.999]", "[0.9,0.999]")
    for wanted in ("optimizer.discriminator.lr", "dataset.batch_size", "model.discriminator.dropout",
                   "objective.switch_epoch", "model.generator.hidden_dims"):  # fmt: skip
        assert wanted in trial.params


def test_trials_that_fail_or_diverge_stop_nothing(run: Run) -> None:
    """One of the discriminator's learning rates is refused, one of the generator's leads to NaN."""
    rates = ("optimizer.generator.lr=1e-4,1e38", "optimizer.discriminator.lr=1e-4,-1.0")
    outcome = run(*SEARCH, *rates, "hydra.sweeper.n_trials=6")
    assert outcome.exit_code == 0, outcome.stderr
    assert "optimizer.discriminator.lr must be a number of at least 0, not -1.0" in outcome.stdout
    trials = study().trials
    assert len(trials) == 6
    for trial in trials:
        diverging, refused = (
            trial.params["optimizer.generator.lr"] == "1e+38",
            trial.params["optimizer.discriminator.lr"] == "-1.0",
        )
        ended_well = trial.state is TrialState.COMPLETE
        assert ended_well == (not diverging and not refused), trial
    assert len({trial.state for trial in trials}) > 1
    assert run(*SEARCH, *rates, "hydra.sweeper.n_trials=6").exit_code == 0
    assert len(study().trials) == 6


def test_settings_that_do_not_go_together_are_a_failed_trial(run: Run) -> None:
    outcome = run(*SEARCH, "model=mlp,goodfellow", "hydra.sweeper.n_trials=4")  # which has no dropout to search
    assert outcome.exit_code == 0, outcome.stderr
    models = {trial.params["model"]: trial.state for trial in study().trials}
    assert models == {"mlp": TrialState.COMPLETE, "goodfellow": TrialState.FAIL}
    assert run(*SEARCH, "model=mlp,goodfellow", "hydra.sweeper.n_trials=5").exit_code == 0
    assert len(study().trials) == 5


def test_if_no_trial_succeeds_the_search_fails(run: Run) -> None:
    outcome = run(*SEARCH, "optimizer.discriminator.lr=-1.0", "hydra.sweeper.n_trials=2")
    assert outcome.exit_code == 1
    assert "none of 2 trials succeeded" in outcome.stderr.splitlines()[-1]


def test_several_trials_at_a_time_may_be_alike(run: Run) -> None:
    fixed = [f"{key}=1e-4" for key in ("optimizer.generator.lr", "optimizer.discriminator.lr")]
    fixed += ["optimizer.betas=[0.5,0.999]", "gan.discriminator_steps=1", "model.discriminator.dropout=0.1"]
    fixed += ["objective.switch_epoch=1", "model.generator.hidden_dims=[8]", "model.discriminator.hidden_dim=8"]
    outcome = run(*SEARCH, *fixed, "hydra.sweeper.n_jobs=4", "hydra.sweeper.n_trials=4", "callbacks.pruning=null")
    assert outcome.exit_code == 0, outcome.stderr
    assert states() == [TrialState.COMPLETE] * 4
    assert len(list(Path("run").glob("*/metrics.json"))) == len(
        {trial.params["dataset.batch_size"] for trial in study().trials}
    )


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on(run: Run, tmp_path: Path) -> None:
    words = [word for word in SEARCH if word not in ("hydra/launcher=basic", "hydra.sweeper.n_jobs=1")]
    words += ["trainer.max_epochs=15", "hydra.sweeper.n_trials=3"]
    command = [sys.executable, "-m", "gan_lightning.train", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as search:
        until(lambda: list(Path("run").glob("*/samples/epoch_0003.png")))
        search.kill()
        search.wait()
    outcome = run(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert len(study().trials) == 3
    assert set(states()) <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert any("ckpt_path: run/" in path.read_text() for path in Path("run").glob("*/config.yaml"))


def test_a_hopeless_trial_is_pruned(run: Run) -> None:
    outcome = run(*SEARCH, "hydra.sweeper.n_trials=2", "callbacks.pruning.pruner._target_=plugs.Merciless")
    assert outcome.exit_code == 0, outcome.stderr
    assert states() == [TrialState.PRUNED] * 2
    assert "2 jobs, 2 pruned" in outcome.stdout
    assert [list(trial.intermediate_values) for trial in study().trials] == [[1], [1]]
    assert not list(Path("run").glob("*/metrics.json"))
    assert len(list(Path("run").glob("*/checkpoints/last.ckpt"))) == 2


def test_an_interrupted_trial_goes_on(run: Run) -> None:
    stop = "+callbacks.plug={_target_: plugs.Signal, after: 3}"
    assert run(*SEARCH, "hydra.sweeper.n_trials=1", "dataset.batch_size=8", stop).exit_code == 130
    assert states() == [TrialState.RUNNING]
    outcome = run(*SEARCH, "hydra.sweeper.n_trials=1", "dataset.batch_size=8")
    assert outcome.exit_code == 0, outcome.stderr
    assert states() == [TrialState.COMPLETE]
    (config,) = Path("run").glob("*/config.yaml")
    assert "ckpt_path: run/" in config.read_text()


def test_a_mistyped_key_is_named_also_beside_lists(run: Run) -> None:
    assert "there is no setting 'sead'; did you mean seed" in the_one_line(run(*SEARCH, "sead=1"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["+hydra.sweeper.params={optimizer.lrr: 'interval(0,1)'}"], "there is no setting 'optimizer.lrr'"),
        (["optimized_metric=null"], "a search needs a metric"),
        (["optimized_metric=frechet"], "a run with these callbacks knows generator_loss"),
        (["hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials must be a whole number of at least 1"),
        (["hydra.sweeper.direction=up"], "hydra.sweeper.direction must be minimize, maximize or null, not 'up'"),
        (["hydra.sweeper.direction=null"], "hydra.sweeper.direction must say whether to minimize or to maximize"),
        (["optimizer.generator.lr=tag(log,interval(0,1))"], "optimizer.generator.lr"),
    ],
)
def test_a_search_that_cannot_be(words: list[str], expected: str, run: Run) -> None:
    assert expected in the_one_line(run(*SEARCH, *words))
    assert not list(Path().rglob("study.journal"))


def test_another_search_in_the_same_folder(run: Run) -> None:
    run(*SEARCH, "hydra.sweeper.n_trials=1")
    for other in (
        "gan.discriminator_steps=1",
        "optimized_metric=discriminator_loss",
        "hydra.sweeper.direction=maximize",
    ):
        line = the_one_line(run(*SEARCH, "hydra.sweeper.n_trials=2", other))
        assert "run holds a search over other settings" in line
    assert len(study().trials) == 1


def test_the_metric_says_whether_more_is_better(run: Run) -> None:
    words = [word for word in SEARCH if "evaluation" not in word and "best" not in word and "direction" not in word]
    more = ("callbacks.evaluation.metrics=[equilibrium]", "optimized_metric=held_out_probability")
    none = ("callbacks.best_checkpoint=null", "callbacks.evaluation.num_samples=8")
    assert "must say whether to minimize or to maximize held_out_probability" in the_one_line(run(*words, *more, *none))
    more = ("callbacks.evaluation.metrics=[parzen]", "optimized_metric=parzen_fine", "hydra.sweeper.n_trials=1")
    outcome = run(*words, *more, *none)
    assert outcome.exit_code == 0, outcome.stderr
    assert study().direction is optuna.study.StudyDirection.MAXIMIZE
