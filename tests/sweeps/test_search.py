"""Searches with Optuna."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from conftest import SHORT, Run, the_one_line, trained_once
from optuna.trial import TrialState
from test_grid import until

from gan_lightning.sweeps.study import open_study_file
from hydra_plugins.gan_lightning_sweeps import OptunaSweeper

pytestmark = pytest.mark.usefixtures("undrawn")
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


def study(folder: str = "run") -> optuna.Study:
    return optuna.load_study(study_name="sweep", storage=open_study_file(f"{folder}/study.journal"))


def states() -> list[TrialState]:
    return [trial.state for trial in study().trials]


@pytest.fixture
def search(shared: Path, run: Run) -> Path:
    """A search of one trial in the folder `run`, which the test may change."""
    return shutil.copytree(trained_once(shared / "search", *SEARCH, "hydra.sweeper.n_trials=1"), Path("run"))


@pytest.mark.slow
def test_a_search_finds_its_best_trial_and_goes_on_when_asked_for_more(search: Path, run: Run) -> None:
    (first,) = study().trials
    (results,) = search.glob("*/metrics.json")
    assert json.loads(results.read_text())["generator_loss"] == first.value == study().best_value
    assert run(*SEARCH, "hydra.sweeper.n_trials=1").exit_code == 0
    assert len(study().trials) == 1
    outcome = run(*SEARCH, "hydra.sweeper.n_trials=2")
    assert outcome.exit_code == 0, outcome.stderr
    assert study().trials[0].params == first.params
    assert len(study().trials) == len(list(search.glob("*/metrics.json"))) == 2
    assert f"{study().best_value:.4g}" in Path("run/report/table.md").read_text().splitlines()[2]
    # In one go it would have tried the same.
    assert run(*SEARCH, "hydra.sweeper.n_trials=2", "output_dir=whole").exit_code == 0
    assert [(t.params, t.value) for t in study("whole").trials] == [(t.params, t.value) for t in study().trials]


@pytest.mark.usefixtures("search")
def test_a_trial_lies_in_its_space() -> None:
    ((trial,), space) = study().trials, study().trials[0].distributions
    assert 2e-5 <= trial.params["optimizer.generator.lr"] <= 2e-3
    assert space["optimizer.generator.lr"].log
    assert (space["gan.discriminator_steps"].low, space["gan.discriminator_steps"].high) == (1, 5)
    assert space["optimizer.betas"].choices == ("[0.5,0.999]", "[0.9,0.999]")
    for wanted in ("optimizer.discriminator.lr", "dataset.batch_size", "model.discriminator.dropout",
                   "objective.switch_epoch", "model.generator.hidden_dims"):  # fmt: skip
        assert wanted in trial.params


@pytest.mark.slow
def test_trials_that_fail_or_diverge_stop_nothing(run: Run) -> None:
    """One of the generator's learning rates leads to NaN, one is refused."""
    words = (*SEARCH, "optimizer.generator.lr=1e-4,1e38,-1.0", "trainer.max_epochs=1", "hydra.sweeper.n_trials=4")
    words = (*words, "hydra.sweeper.seed=3")  # with which all three are drawn
    outcome = run(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert "optimizer.generator.lr (such as 1e-4) must be a number of at least 0, not -1.0" in outcome.stdout
    ended = {(trial.params["optimizer.generator.lr"], trial.state) for trial in study().trials}
    assert ended == {("0.0001", TrialState.COMPLETE), ("1e+38", TrialState.PRUNED), ("-1.0", TrialState.FAIL)}
    assert run(*words).exit_code == 0
    assert len(study().trials) == 4


@pytest.mark.slow
def test_settings_that_do_not_go_together_are_a_failed_trial(run: Run) -> None:
    words = (*SEARCH, "model=mlp,goodfellow", "trainer.max_epochs=1")  # goodfellow has no dropout to search
    outcome = run(*words, "hydra.sweeper.n_trials=4")
    assert outcome.exit_code == 0, outcome.stderr
    models = {trial.params["model"]: trial.state for trial in study().trials}
    assert models == {"mlp": TrialState.COMPLETE, "goodfellow": TrialState.FAIL}
    assert run(*words, "hydra.sweeper.n_trials=5").exit_code == 0
    assert len(study().trials) == 5


@pytest.mark.slow
def test_if_no_trial_succeeds_the_search_fails(run: Run) -> None:
    outcome = run(*SEARCH, "optimizer.discriminator.lr=-1.0", "hydra.sweeper.n_trials=2")
    assert outcome.exit_code == 1
    assert "none of 2 trials succeeded" in outcome.stderr.splitlines()[-1]


@pytest.mark.slow
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
    words += ["trainer.max_epochs=15", "hydra.sweeper.n_trials=2"]
    command = [sys.executable, "-m", "gan_lightning.train", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as search:
        until(lambda: list(Path("run").glob("*/samples/epoch_0003.png")))
        search.kill()
        search.wait()
    outcome = run(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert len(study().trials) == 2
    assert set(states()) <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert any("ckpt_path: run/" in path.read_text() for path in Path("run").glob("*/config.yaml"))


@pytest.mark.slow
def test_a_hopeless_trial_is_pruned(run: Run) -> None:
    outcome = run(*SEARCH, "hydra.sweeper.n_trials=2", "callbacks.pruning.pruner._target_=plugs.Merciless")
    assert outcome.exit_code == 0, outcome.stderr
    assert states() == [TrialState.PRUNED] * 2
    assert "2 jobs, 2 pruned" in outcome.stdout
    assert [list(trial.intermediate_values) for trial in study().trials] == [[1], [1]]
    assert not list(Path("run").glob("*/metrics.json"))
    assert len(list(Path("run").glob("*/checkpoints/last.ckpt"))) == 2


@pytest.mark.slow
def test_an_interrupted_trial_goes_on(run: Run) -> None:
    stop = "+callbacks.plug={_target_: plugs.Signal, after: 3}"
    assert run(*SEARCH, "hydra.sweeper.n_trials=1", "dataset.batch_size=8", stop).exit_code == 130
    assert states() == [TrialState.RUNNING]
    outcome = run(*SEARCH, "hydra.sweeper.n_trials=1", "dataset.batch_size=8")
    assert outcome.exit_code == 0, outcome.stderr
    assert states() == [TrialState.COMPLETE]
    (config,) = Path("run").glob("*/config.yaml")
    assert "ckpt_path: run/" in config.read_text()


@pytest.mark.slow
def test_what_the_chosen_networks_do_not_have_is_not_varied(run: Run) -> None:
    words = [word for word in SEARCH if not word.startswith("model.")]
    outcome = run(*words, "model=dcgan", "model.width=2", "hydra.sweeper.n_trials=1")
    assert outcome.exit_code == 0, outcome.stderr
    assert "no such settings: model.generator.hidden_dims, model.discriminator.dropout" in outcome.stdout
    assert {"optimizer.generator.lr", "model.discriminator.hidden_dim"} <= study().trials[0].params.keys()


def test_a_mistyped_key_is_named_also_beside_lists(run: Run) -> None:
    assert "there is no setting 'sead'; did you mean seed" in the_one_line(run(*SEARCH, "sead=1"))


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("+hydra.sweeper.params={optimizer.lrr: 'interval(0,1)'}", "did you mean optimizer.lr"),
        ("optimized_metric=null", "optimized_metric=frechet_distance"),
        ("optimized_metric=frechet", "generator_loss"),
        ("hydra.sweeper.direction=null", "minimize or to maximize"),
        ("optimizer.generator.lr=tag(log,interval(0,1))", "low"),
    ],
)
def test_a_search_that_cannot_be(word: str, right: str, run: Run) -> None:
    key = "optimizer.lrr" if "lrr" in word else word.partition("=")[0]
    line = the_one_line(run(*SEARCH, word))
    assert key in line
    assert right in line
    assert not list(Path().rglob("study.journal"))


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [("n_trials", 0, "at least 1"), ("n_jobs", 0, "at least 1"), ("direction", "up", "minimize, maximize or null")],
)
def test_refuses_what_is_no_setting_of_a_search(key: str, value: object, right: str) -> None:
    with pytest.raises(ValueError, match=rf"hydra\.sweeper\.{key} .*{right}"):
        OptunaSweeper({}, **{key: value})  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.usefixtures("search")
def test_another_search_in_the_same_folder(run: Run) -> None:
    for other in (
        "gan.discriminator_steps=1",
        "optimized_metric=discriminator_loss",
        "hydra.sweeper.direction=maximize",
    ):
        line = the_one_line(run(*SEARCH, "hydra.sweeper.n_trials=2", other))
        assert "run holds a search over other settings" in line
    assert len(study().trials) == 1


@pytest.mark.slow
def test_the_metric_says_whether_more_is_better(run: Run, classifiers: Path) -> None:
    words = [word for word in SEARCH if "evaluation" not in word and "best" not in word and "direction" not in word]
    words += ["callbacks.best_checkpoint=null", "callbacks.evaluation.num_samples=8", f"data_dir={classifiers}"]
    undecided = ("callbacks.evaluation.measures=[equilibrium]", "optimized_metric=held_out_probability")
    assert "minimize or to maximize held_out_probability" in the_one_line(run(*words, *undecided))
    decided = ("callbacks.evaluation.measures=[neighbourhoods]", "optimized_metric=precision", "trainer.max_epochs=1")
    outcome = run(*words, *decided, "hydra.sweeper.n_trials=1")
    assert outcome.exit_code == 0, outcome.stderr
    assert study().direction is optuna.study.StudyDirection.MAXIMIZE
