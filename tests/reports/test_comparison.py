import itertools
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import f_oneway

from gan_lightning.errors import UserError
from gan_lightning.jobs import State
from gan_lightning.reports.comparison import choose_metric, groups, main_effects, ranked, varied
from gan_lightning.reports.runs import Run


def a_run(seed: int = 0, *, state: State = State.COMPLETED, metric: float | None = 1.0, **settings: object) -> Run:
    hyperparameters = {"dataset": "MNIST", "seed": seed, "gan.seed": seed} | settings
    results = {"frechet_distance": metric, "coverage": None if metric is None else -metric}
    return Run(Path("run"), "run", state, hyperparameters, None, results if state is State.COMPLETED else {})


def test_what_varies_is_named_once_and_seeds_are_not_settings() -> None:
    rates = (1e-4, 1e-4, 1e-5)
    runs = [a_run(n, **{"optimizer.generator.lr": rate, "optimizer.lr": rate}) for n, rate in enumerate(rates)]
    assert varied(runs) == ["optimizer.lr"]
    apart = [*runs, a_run(**{"optimizer.generator.lr": 1.0, "optimizer.lr": 1e-5})]
    assert set(varied(apart)) == {"optimizer.lr", "optimizer.generator.lr"}
    assert varied(runs[:2]) == []
    assert varied([a_run(**{"objective.switch_epoch": 5}), a_run(**{"objective.switch_epoch": math.nan}), a_run()]) == [
        "objective.switch_epoch"
    ]


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
    assert effects["a"].means == pytest.approx({"1": 2, "2": 5, "3": 8})
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
        assert {len(numbers) for numbers in effect.levels.values()} == {6}
        shares.append(effect.share)
    assert statistics.fmean(shares) < 0.07  # cut off at 0; unadjusted it would be 0.13


def test_the_metric_is_what_was_asked_for_or_what_the_runs_optimised() -> None:
    runs = [a_run(), a_run()]
    assert choose_metric(runs, None) == "frechet_distance"
    assert choose_metric(runs, "coverage") == "coverage"
    runs[0].metric = "coverage"
    assert choose_metric(runs, None) == "coverage"
    with pytest.raises(UserError, match="no run has a metric called fid; there is frechet_distance, coverage"):
        choose_metric(runs, "fid")
    assert choose_metric([a_run(state=State.RUNNING)], None) == "generator_loss"
