"""Forecasts of events: hand-worked values, scoringrules, propriety, and what the literature says of FSS."""

import math

import numpy as np
import pytest
import scoringrules
import torch

from framecast.verification.scores import brier_score, exceedance, fractions, reliability
from framecast.verification.scores.events import (
    critical_success,
    detection,
    false_alarm_ratio,
    heidke_skill,
    true_skill,
)


def fss(forecast: torch.Tensor, truth: torch.Tensor, threshold: float, width: int) -> float:
    above, below = fractions(forecast, truth, threshold, width=width)
    return float(1 - above.sum() / below.sum())


def test_probability_is_the_share_of_the_members_present() -> None:
    forecast = torch.tensor([[1.0, 2.0], [2.0, math.nan], [3.0, math.nan], [0.0, math.nan]])
    probability, present = exceedance(forecast, 2.0)
    assert probability.tolist() == [0.5, 1.0]  # the threshold itself is reached
    assert present.tolist() == [4, 1]
    assert math.isnan(exceedance(torch.full((3, 1), math.nan), 0.0)[0])


def test_brier_score_by_hand_and_by_scoringrules() -> None:
    forecast, truth = torch.tensor([[0.0], [2.0], [3.0], [1.0]]), torch.tensor([5.0])
    assert brier_score(forecast, truth, 2.0, fair=False).item() == pytest.approx(0.25)
    assert brier_score(forecast, truth, 2.0).item() == pytest.approx(0.25 - 0.25 / 3)
    random = np.random.default_rng(0)
    members, seen = random.normal(size=(7, 500)), random.normal(size=500)
    expected = scoringrules.brier_score((seen >= 0.3).astype(float), (members >= 0.3).mean(0))
    found = brier_score(torch.from_numpy(members), torch.from_numpy(seen), 0.3, fair=False)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_fair_score_does_not_depend_on_the_number_of_members() -> None:
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(200_000, generator=random)
    means = []
    for members in (2, 5, 20):
        forecast = torch.randn(members, 200_000, generator=random) + 0.5
        means.append(brier_score(forecast, truth, 0.2).mean().item())
    p, o = 0.5 * math.erfc((0.2 - 0.5) / math.sqrt(2)), 0.5 * math.erfc(0.2 / math.sqrt(2))
    np.testing.assert_allclose(means, (p - o) ** 2 + o * (1 - o), atol=0.004)


def test_the_true_law_scores_best() -> None:
    random = torch.Generator().manual_seed(1)
    truth = torch.randn(100_000, generator=random)
    score = {
        shift: brier_score(torch.randn(10, 100_000, generator=random) + shift, truth, 0.5).mean().item()
        for shift in (-0.5, 0.0, 0.5)
    }
    assert score[0.0] < min(score[-0.5], score[0.5])


def test_what_is_unknown_is_nan() -> None:
    forecast, truth = torch.tensor([[1.0, 1.0, math.nan], [0.0, math.nan, math.nan]]), torch.tensor([math.nan, 1, 1])
    assert torch.isnan(brier_score(forecast, truth, 0.5)).tolist() == [True, True, True]
    assert torch.isnan(brier_score(forecast, truth, 0.5, fair=False)).tolist() == [True, False, True]


def test_a_reliable_forecast_is_on_the_diagonal_and_a_biased_one_beside_it() -> None:
    random = torch.Generator().manual_seed(3)
    centre = torch.randn(20_000, generator=random)
    truth, forecast = (centre + torch.randn(*shape, 20_000, generator=random) for shape in ((), (100,)))
    table = reliability(forecast, truth, 0.5, bins=11)
    assert table.shape == (11, 3)
    assert table[:, 0].sum() == 20_000
    probability, observed = table[:, 1] / table[:, 0], table[:, 2] / table[:, 0]
    torch.testing.assert_close(probability[1:-1], torch.linspace(0.1, 0.9, 9).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(observed, probability, atol=0.06, rtol=0)
    wet = reliability(forecast + 0.7, truth, 0.5, bins=11)
    assert (wet[3:9, 2] < wet[3:9, 1] - 0.1 * wet[3:9, 0]).all()
    assert reliability(forecast, torch.full_like(truth, math.nan), 0.5, bins=11).sum() == 0


def test_fractions_of_a_displaced_cell() -> None:
    truth, shifted = torch.zeros(21, 21), torch.zeros(1, 21, 21)
    truth[10, 8], shifted[0, 10, 11] = 1.0, 1.0
    assert fss(truth[None], truth, 0.5, 1) == 1
    assert fss(shifted, truth, 0.5, 1) == 0  # three pixels off
    assert fss(shifted, truth, 0.5, 3) == 0
    # squares of 5: each cell fills a row of 5 columns, 2 of which overlap
    assert fss(shifted, truth, 0.5, 5) == pytest.approx(1 - 2 * 3 / (2 * 5))
    assert [fss(shifted, truth, 0.5, n) for n in (5, 7, 9, 13)] == sorted(
        fss(shifted, truth, 0.5, n) for n in (5, 7, 9, 13)
    )


def test_fractions_at_the_border_and_with_unknown_pixels_are_those_of_a_slow_count() -> None:
    random = np.random.default_rng(5)
    truth = (random.random((9, 12)) < 0.4).astype(np.float64)
    truth[2:4, 5] = np.nan
    members = (random.random((6, 9, 12)) < 0.5).astype(np.float64)
    probability = members.mean(0)
    known = ~np.isnan(truth)
    for width in (1, 3, 5):
        above = below = 0.0
        for i, j in zip(*np.nonzero(known), strict=True):
            box = (slice(max(i - width // 2, 0), i + width // 2 + 1), slice(max(j - width // 2, 0), j + width // 2 + 1))
            p, o = probability[box][known[box]].mean(), truth[box][known[box]].mean()
            above, below = above + (p - o) ** 2, below + p**2 + o**2
        found = fractions(torch.from_numpy(members), torch.from_numpy(truth), 0.5, width=width)
        assert found[0].item() == pytest.approx(above)
        assert found[1].item() == pytest.approx(below)


def test_where_nothing_happens_both_sums_are_zero() -> None:
    above, below = fractions(torch.zeros(3, 2, 8, 8), torch.zeros(2, 8, 8), 1.0, width=3)
    assert above.tolist() == below.tolist() == [0.0, 0.0]


class TestDiscriminationAndValue:
    def test_a_perfect_forecast_and_one_that_knows_nothing(self):
        from framecast.verification.scores.events import economic_value, roc

        hits, alarms, area = roc(np.array([70.0, 30.0]), np.array([0.0, 30.0]))
        assert area == 1 and hits.tolist() == [0, 1, 1] and alarms.tolist() == [0, 0, 1]
        assert economic_value(hits, alarms, 0.3, (0.1, 0.3, 0.8)) == pytest.approx([1, 1, 1])
        hits, alarms, area = roc(np.array([40.0, 60.0]), np.array([12.0, 18.0]))
        assert area == pytest.approx(0.5)
        assert economic_value(hits, alarms, 0.3, (0.1, 0.3, 0.8)) == pytest.approx([0, 0, 0])

    def test_the_area_is_how_often_an_event_has_the_higher_probability(self):
        """The Mann-Whitney statistic, ties counted half."""
        from framecast.verification.scores.events import roc

        random = np.random.default_rng(0)
        bins, happened = random.integers(0, 6, 400), random.random(400) < 0.4
        bins = np.where(happened, np.minimum(bins + 1, 5), bins)
        points = np.bincount(bins, minlength=6).astype(float)
        events = np.bincount(bins, weights=happened, minlength=6)
        with_event, without = bins[happened][:, None], bins[~happened]
        expected = (with_event > without).mean() + 0.5 * (with_event == without).mean()
        assert roc(points, events)[2] == pytest.approx(expected)
        assert np.isnan(roc(points, np.zeros(6))[2])

    def test_the_value_by_the_costs_that_it_saves(self):
        """Richardson's value from expenses counted case by case, for one warning."""
        from framecast.verification.scores.events import economic_value

        hit, miss, alarm, quiet = 30, 10, 20, 140
        rate, total = 40 / 200, 200
        for ratio in (0.1, 0.2, 0.5, 0.8):
            forecast = (hit + alarm) * ratio + miss
            climate = min(ratio * total, hit + miss)
            perfect = (hit + miss) * ratio
            own = (climate - forecast) / (climate - perfect)
            rates = np.array([0.0, hit / 40, 1.0]), np.array([0.0, alarm / 160, 1.0])
            assert economic_value(*rates, rate, [ratio]) == pytest.approx([max(own, 0.0)])
        assert quiet == total - hit - miss - alarm


HITS, ALARMS, MISSES, NEGATIVES = (np.array(n) for n in (28, 72, 23, 2680))


def test_tornadoes():
    """Wilks (2011), section 8.2.3."""
    assert detection(HITS, MISSES) == pytest.approx(0.549, abs=1e-3)
    assert false_alarm_ratio(HITS, ALARMS) == pytest.approx(0.720, abs=1e-3)
    assert critical_success(HITS, ALARMS, MISSES) == pytest.approx(0.228, abs=1e-3)
    assert true_skill(HITS, ALARMS, MISSES, NEGATIVES) == pytest.approx(0.523, abs=1e-3)
    assert heidke_skill(HITS, ALARMS, MISSES, NEGATIVES) == pytest.approx(0.355, abs=1e-3)


def test_pysteps_says_the_same():
    verification = pytest.importorskip("pysteps.verification.detcatscores")
    random = np.random.default_rng(0)
    forecast, seen = random.normal(size=(2, 1000))
    seen = 0.6 * forecast + 0.8 * seen
    theirs = verification.det_cat_fct(forecast, seen, 0.5, ["POD", "FAR", "CSI", "HK", "HSS"])
    warned, happened = forecast > 0.5, seen > 0.5
    cells = [np.sum(a & b) for a, b in ((warned, happened), (warned, ~happened), (~warned, happened))]
    negatives = np.sum(~warned & ~happened)
    ours = {
        "POD": detection(cells[0], cells[2]),
        "FAR": false_alarm_ratio(cells[0], cells[1]),
        "CSI": critical_success(*cells),
        "HK": true_skill(*cells, negatives),
        "HSS": heidke_skill(*cells, negatives),
    }
    for name, value in ours.items():
        assert value == pytest.approx(theirs[name]), name


def test_nothing_warned_of_and_nothing_happened_has_no_value():
    none = np.zeros(3)
    for value in (detection(none, none), false_alarm_ratio(none, none), critical_success(none, none, none)):
        assert np.isnan(value).all()
    assert np.isnan(true_skill(none, none, none, none + 5)).all()
