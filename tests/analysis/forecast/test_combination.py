"""Weights out of the backtest: the good prevail, the bad have no say, and no origin judges itself."""

import numpy as np

from analysis.forecast.accuracy import absolute_scale, owa, pinball, smape
from analysis.forecast.combination import combine, weighted_median, weights_of
from analysis.forecast.intervals import conformal_widths, horizon_spread, model_widths, phases_of, student_quantile
from analysis.forecast.origins import longest_horizon, plan_of


def test_what_is_clearly_worse_has_no_say() -> None:
    losses = np.array([[0.5, 0.5], [0.55, 0.5], [3.0, 3.0], [50.0, 50.0]])
    weights = weights_of(losses)
    assert weights[0] > weights[1] > 0.3
    assert weights[2] < 0.01
    assert weights[3] == 0
    assert weights.sum() == 1


def test_the_median_of_weights() -> None:
    forecasts = np.array([[1.0, 9], [2, 8], [100, 7]])
    assert weighted_median(forecasts, np.array([0.2, 0.6, 0.2])).tolist() == [2, 8]
    assert weighted_median(forecasts, np.array([0.1, 0.1, 0.8])).tolist() == [100, 7]


def test_an_origin_has_no_say_in_its_own_forecast() -> None:
    """Where one model turns out perfect at one origin only, the combination there does not know yet."""
    chance = np.random.default_rng(1)
    forecasts, actual = chance.normal(10, 1, (6, 5, 4)), chance.normal(10, 1, (4, 4))
    naive2 = forecasts[0, :-1]
    before = combine(forecasts, actual, naive2)
    actual[2] = forecasts[3, 2]
    after = combine(forecasts, actual, naive2)
    assert before.how == after.how
    assert np.allclose(before.forecasts[2], after.forecasts[2])
    assert not np.allclose(before.forecasts[1], after.forecasts[1])
    assert after.weights[3] > before.weights[3]


def test_the_best_model_leads_the_combination() -> None:
    chance = np.random.default_rng(2)
    truth = chance.normal(100, 10, (7, 12))
    good = truth + chance.normal(0, 1, truth.shape)
    bad = [truth + chance.normal(0, 15, truth.shape) for _ in range(5)]
    made = combine(np.array([good, *bad]), truth[:-1], bad[0][:-1])
    assert np.abs(made.forecasts[-1] - truth[-1]).mean() < 2
    assert made.weights[0] > 0.9


def test_origins_that_overlap_do_not_judge_each_other() -> None:
    plan = plan_of(700, 48, (24, 168))
    for place, judges in enumerate(plan.others()):
        assert len(judges) >= 5
        assert all(abs(plan.origins[judge] - plan.origins[place]) >= 48 for judge in judges)
    close = plan_of(9, 2, ())
    assert all(len(judges) == 2 for judges in close.others())


def test_measures() -> None:
    assert smape(np.array([100.0, 0]), np.array([50.0, 0])) == 200 * 50 / 150 / 2
    assert absolute_scale(np.array([1.0, 5, 2, 6, 3]), 2) == 1.0
    assert absolute_scale(np.ones(5), 1) == 0
    assert owa(10, 1, 20, 4) == (0.5 + 0.25) / 2
    assert owa(0, 0, 0, 0) == 1
    assert owa(1, 1, 0, 0) is None
    narrow, wide = pinball(np.array([-1.0]), np.array([1.0]), np.zeros(1), 0.9), 0.0
    wide = pinball(np.array([-5.0]), np.array([5.0]), np.zeros(1), 0.9)
    missed = pinball(np.array([-1.0]), np.array([1.0]), np.full(1, 9.0), 0.9)
    assert narrow < wide < missed


def test_student_quantiles() -> None:
    wanted = {1: 12.7062, 2: 4.3027, 3: 3.1824, 5: 2.5706, 8: 2.3060, 30: 2.0423}
    assert all(abs(student_quantile(0.95, freedom) - value) < 1e-3 for freedom, value in wanted.items())


def test_conformal_intervals_cover_as_promised() -> None:
    """Independent errors that grow with the horizon: what is outside is at most what was promised."""
    inside = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        spread = np.sqrt(np.arange(1, 13))
        errors = chance.standard_t(4, (9, 12)) * spread
        widths = conformal_widths(errors[:8], (0.8, 0.95)).widths
        inside.append((np.abs(errors[8]) <= widths).mean(axis=1))
    achieved = np.mean(inside, axis=0)
    print("covered:", achieved)
    assert 0.8 <= achieved[0] <= 0.9
    assert 0.95 <= achieved[1] <= 0.99


def test_intervals_of_a_few_dependent_origins_are_wider() -> None:
    """Where all errors of an origin go the same way, eight origins are eight errors, however many steps each has."""
    inside = []
    for seed in range(300):
        errors = np.random.default_rng(seed).normal(size=(9, 1)) * np.ones(12)
        inside.append((np.abs(errors[8]) <= conformal_widths(errors[:8], (0.95,)).widths[0]).mean())
    print("covered:", np.mean(inside))
    assert np.mean(inside) >= 0.9


def test_calm_phases_have_narrow_intervals() -> None:
    """Errors ten times as large in half of the season: both halves are covered, and the calm one is not drowned."""
    inside, ratios = [], []
    for seed in range(100):
        chance = np.random.default_rng(seed)
        size = np.where(np.arange(24) < 12, 1.0, 10.0)
        errors = chance.normal(size=(9, 48)) * np.tile(size, 2)
        phases = phases_of(24, tuple(range(0, 8 * 24, 24)), 240, 48)
        widths = conformal_widths(errors[:8], (0.95,), phases).widths[0]
        inside.append((np.abs(errors[8]) <= widths).reshape(4, 12).mean(axis=1))
        without = conformal_widths(errors[:8], (0.95,)).widths[0]
        ratios.append(widths[24:36].mean() / without[24:36].mean())
    covered = np.mean(inside, axis=0)
    print("covered by halves:", covered, "width of the calm half, relative to that without:", np.mean(ratios))
    assert np.all(covered > 0.85)
    assert covered.mean() > 0.93
    assert np.mean(ratios) < 0.75


def test_spread_grows_with_the_horizon_and_never_falls() -> None:
    chance = np.random.default_rng(3)
    walk = np.cumsum(chance.normal(size=(200, 10)), axis=1)
    assert np.allclose(horizon_spread(walk), np.sqrt(np.arange(1, 11)), rtol=0.2)
    shrinking = chance.normal(size=(50, 5)) * np.array([5, 4, 3, 2, 1])
    assert np.all(np.diff(horizon_spread(shrinking)) >= 0)
    assert np.all(horizon_spread(np.zeros((4, 6))) >= 0)
    widths = model_widths(np.cumsum(chance.normal(size=300)), 20, (0.8, 0.95)).widths
    assert np.all(np.diff(widths, axis=1) >= 0)
    assert np.all(widths[1] > widths[0])


def test_plans_keep_within_the_series() -> None:
    for values in range(8, 400, 7):
        for asked in (1, 2, 5, 13, 48):
            horizon = min(asked, longest_horizon(values))
            plan = plan_of(values, horizon, (7, 52))
            assert len(plan.origins) >= 3, (values, horizon)
            assert plan.origins[-1] + horizon == values
            assert plan.origins[0] >= 5
            assert all(2 * period + 2 <= plan.origins[0] for period in plan.periods)
    assert longest_horizon(7) == 0
    assert plan_of(700, 48, (24, 168)).periods == (24, 168)
    assert len(plan_of(700, 48, (24, 168)).origins) == 8
