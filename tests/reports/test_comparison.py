import itertools
import statistics
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import f_oneway

from gan_lightning.errors import UserError
from gan_lightning.reports.comparison import caveat, choose_metric, groups, ranked
from gan_lightning.reports.effects import main_effects
from gan_lightning.reports.names import named, short_keys, shown, varied
from gan_lightning.reports.runs import MISSING, Run
from gan_lightning.sweeps.jobs import State


def a_run(seed: int = 0, *, state: State = State.COMPLETED, metric: float | None = 1.0, **settings: object) -> Run:
    hyperparameters = {"dataset": "MNIST", "seed": seed, "gan.seed": seed} | settings
    results = {"frechet_distance": metric, "coverage": None if metric is None else -metric}
    return Run(Path("run"), state, hyperparameters, None, results if state is State.COMPLETED else {})


def test_what_varies_is_named_once_and_seeds_are_not_settings() -> None:
    rates = (1e-4, 1e-4, 1e-5)
    runs = [a_run(n, **{"optimizer.generator.lr": rate, "optimizer.lr": rate}) for n, rate in enumerate(rates)]
    assert varied(runs) == ["optimizer.lr"]
    apart = [*runs, a_run(**{"optimizer.generator.lr": 1.0, "optimizer.lr": 1e-5})]
    assert set(varied(apart)) == {"optimizer.lr", "optimizer.generator.lr"}
    assert varied(runs[:2]) == []
    assert varied([a_run(**{"objective.switch_epoch": None}), a_run()]) == ["objective.switch_epoch"]


def test_a_trial_is_called_by_its_number_and_by_what_varies() -> None:
    runs = [a_run(seed, **{"optimizer.lr": 1e-4, "dataset.batch_size": size}) for size, seed in ((16, 0), (36, 0))]
    assert [run.name for run in named(runs)] == ["001 batch_size=16", "002 batch_size=36"]
    runs = [
        a_run(0, **{"optimizer.betas": "[0.5, 0.999]"}),
        a_run(1, **{"objective.switch_epoch": None, "optimizer.betas": "[0.9, 0.999]"}),
        Run(Path("failed"), State.FAILED),
    ]
    names = ["001 betas=[0.5,0.999] seed=0", "002 betas=[0.9,0.999] switch_epoch=null seed=1", "003"]
    assert [run.name for run in named(runs)] == names
    assert [run.number for run in named(runs)] == ["001", "002", "003"]
    assert [run.name for run in named(runs[:1])] == ["001"]


def test_a_key_keeps_the_last_parts_that_tell_it_from_others() -> None:
    keys = ["optimizer.generator.lr", "optimizer.discriminator.lr", "gan.discriminator_steps", "lr", "a.b", "b"]
    assert list(short_keys(keys).values()) == [
        "generator.lr",
        "discriminator.lr",
        "discriminator_steps",
        "lr",
        "a.b",
        "b",
    ]


def test_a_setting_without_a_value_is_not_one_that_a_run_does_not_have() -> None:
    assert [shown(value) for value in (None, MISSING, 1e-4, 5, True)] == ["null", "–", "0.0001", "5", "True"]
    runs = [a_run(metric=1.0, switch_epoch=None), a_run(metric=2.0), a_run(metric=3.0, switch_epoch=5)]
    assert [group.values["switch_epoch"] for group in groups(runs, "frechet_distance")] == ["null", "–", "5"]
    (effect,) = main_effects(runs, "frechet_distance")
    assert [level.name for level in effect.levels] == ["5", "null", "–"]


def test_seeds_become_mean_and_standard_deviation() -> None:
    random = np.random.default_rng(0)
    numbers = {rate: random.normal(size=3).tolist() for rate in (1e-3, 1e-4, 1e-5)}
    runs = [a_run(n, metric=x, lr=rate) for rate, values in numbers.items() for n, x in enumerate(values)]
    found = groups([*runs, runs[0]], "frechet_distance")  # one was read twice
    assert [group.mean for group in found] == sorted(group.mean for group in found)
    for group in found:
        values = numbers[float(group.values["lr"])]
        assert group.mean == pytest.approx(statistics.fmean(values))
        assert group.std == pytest.approx(statistics.stdev(values))
        assert group.seeds == ["0", "1", "2"]
    # Of coverage more is better.
    assert [group.values for group in groups(runs, "coverage")] == [group.values for group in found]


def test_runs_whose_settings_look_alike_are_not_one() -> None:
    runs = [a_run(metric=x, lr=rate) for rate, x in ((1e-4, 1.0), (1.000001e-4, 2.0))]
    assert [group.mean for group in groups(runs, "frechet_distance")] == [1.0, 2.0]
    runs = [a_run(0, metric=x, **{"gan.seed": seed}) for seed, x in ((1, 10.0), (2, 20.0), (3, 30.0))]
    (group,) = groups(runs, "frechet_distance")
    assert (group.mean, group.std, len(group.seeds)) == (20, 10, 3)


def test_what_is_not_finished_or_diverged_comes_last_and_does_not_count() -> None:
    runs = [a_run(0, metric=None), a_run(1, state=State.RUNNING), a_run(2, metric=2.0), a_run(3, metric=1.0)]
    assert [run.seed for run in ranked(runs, "frechet_distance")][:2] == ["3", "2"]
    (group,) = groups(runs, "frechet_distance")
    assert group.mean == 1.5
    (group,) = groups(runs[:2], "frechet_distance")
    assert (group.mean, group.std) == (None, None)


def test_main_effects_of_a_design_with_known_effects() -> None:
    """In a full design without noise each setting by itself explains what its term in the sum varies."""
    terms = {"a": {1: 0.0, 2: 3.0, 3: 6.0}, "b": {"x": 0.0, "y": 4.0}, "c": {0.1: 0.0, 0.2: 0.0}}
    cells = list(itertools.product(*(term.items() for term in terms.values())))
    runs = [
        a_run(metric=sum(x for _, x in cell), **dict(zip(terms, (v for v, _ in cell), strict=True))) for cell in cells
    ]
    effects = {effect.key: effect for effect in main_effects(runs, "frechet_distance")}
    assert list(effects) == ["a", "b", "c"]
    assert effects["c"].share == 0
    means = {level.name: level.mean for level in effects["a"].levels}
    assert means == pytest.approx({"1": 2, "2": 5, "3": 8})
    total = statistics.pvariance([run.results["frechet_distance"] for run in runs])
    n = len(runs)
    for key, k in (("a", 3), ("b", 2)):
        explained = statistics.pvariance(terms[key].values()) / total
        assert effects[key].share == pytest.approx(1 - (1 - explained) * (n - 1) / (n - k))


def test_the_share_agrees_with_the_f_test() -> None:
    """Epsilon squared is (F - 1)(k - 1) / (F (k - 1) + n - k)."""
    random = np.random.default_rng(1)
    levels = {level: random.normal(level, size=5).tolist() for level in (0, 1, 2)}
    runs = [a_run(metric=x, a=level) for level, values in levels.items() for x in values]
    (effect,) = main_effects(runs, "frechet_distance")
    f = f_oneway(*levels.values()).statistic
    assert effect.share == pytest.approx((f - 1) * 2 / (f * 2 + 12))


def test_chance_alone_has_no_effect_on_average() -> None:
    random = np.random.default_rng(2)
    shares = []
    for _ in range(200):
        runs = [a_run(metric=float(random.normal()), lr=float(random.random())) for _ in range(24)]
        (effect,) = main_effects(runs, "frechet_distance")
        assert len(effect.levels) == 4  # ranges with as many runs each
        assert {len(level.numbers) for level in effect.levels} == {6}
        values = [value for level in effect.levels for value in level.values]
        assert values == sorted(run.hyperparameters["lr"] for run in runs)
        shares.append(effect.share)
    assert statistics.fmean(shares) < 0.07  # cut off at 0; unadjusted it would be 0.13


@pytest.mark.parametrize(("number", "enough"), [(2, False), (4, False), (5, True)])
def test_too_few_runs_have_no_share_of_the_variance(number: int, enough: bool) -> None:
    runs = [a_run(metric=float(n), a=n % 2, same=n % 2) for n in range(number)]
    (effect,) = main_effects(runs, "frechet_distance")
    assert (effect.share is not None) == enough
    runs = [a_run(metric=float(n), a=n % 2, lr=0.1 * n) for n in range(5)]
    assert [(effect.key, effect.share is None) for effect in main_effects(runs, "frechet_distance")] == [
        ("a", False),
        ("lr", True),  # a value of its own for each run
    ]


def test_of_losses_it_is_said_that_they_do_not_tell() -> None:
    assert "Losses do not tell" in caveat("generator_loss")
    assert caveat("frechet_distance") == ""


def test_the_metric_is_what_was_asked_for_or_what_the_runs_optimised() -> None:
    runs = [a_run(), a_run()]
    assert choose_metric(runs, None) == "frechet_distance"
    assert choose_metric(runs, "coverage") == "coverage"
    runs[0].metric = "coverage"
    assert choose_metric(runs, None) == "coverage"
    with pytest.raises(UserError, match="no run has a metric called fid; there is frechet_distance, coverage"):
        choose_metric(runs, "fid")
    assert choose_metric([a_run(state=State.RUNNING)], None) == "generator_loss"
