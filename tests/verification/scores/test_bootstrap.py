"""Bootstrap intervals: they cover, they grow with dependence, and pairing takes away what both forecasts share."""

import numpy as np
import pytest

from framecast.verification.scores import Bootstrap
from framecast.verification.scores.bootstrap import mean


def test_the_interval_of_a_mean_has_the_width_of_theory() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=400)
    found = Bootstrap([str(k) for k in range(400)], replicates=4000).estimate(mean(values, np.ones(400)))
    low, high = found.intervals[95]
    assert found.value == pytest.approx(values.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.06)
    assert found.intervals[90][0] > low


@pytest.mark.thorough
def test_intervals_over_blocks_cover_and_those_over_dependent_samples_do_not() -> None:
    random = np.random.default_rng(1)
    blocks = np.repeat(np.arange(25), 8)
    hits = {"blocks": 0, "samples": 0}
    for trial in range(100):
        values = random.normal(size=25)[blocks] + 0.3 * random.normal(size=200)
        for name, labels in (("blocks", [str(b) for b in blocks]), ("samples", [str(k) for k in range(200)])):
            low, high = Bootstrap(labels, replicates=300, seed=trial).estimate(mean(values, np.ones(200))).intervals[95]
            hits[name] += int(low < 0 < high)
    assert hits["blocks"] / 100 > 0.84
    assert hits["samples"] / 100 < 0.7


def test_pairing_takes_away_what_both_share() -> None:
    random = np.random.default_rng(2)
    hard = random.lognormal(size=60)
    one, two = hard * 1.0, hard * 0.9
    bootstrap = Bootstrap([str(k) for k in range(60)])
    ones = np.ones(60)
    first, second = mean(one, ones), mean(two, ones)
    skill = bootstrap.estimate(lambda w: 1 - second(w) / first(w))
    alone = bootstrap.estimate(second)
    assert skill.sign == 1
    assert skill.intervals[95] == (pytest.approx(0.1), pytest.approx(0.1))
    assert alone.intervals[95][1] > first(np.ones((1, 60)))[0]


def test_one_block_gives_no_interval_and_an_empty_sum_no_value() -> None:
    found = Bootstrap(["a", "a"]).estimate(mean(np.array([1.0, 3.0]), np.ones(2)))
    assert found.value == 2.0
    assert np.isnan(found.intervals[95]).all()
    assert found.sign == 0
    empty = Bootstrap(["a", "b"]).estimate(mean(np.zeros((2, 3)), np.array([[0, 1, 0], [0, 1, 1]])))
    assert np.isnan(empty.value[0])
    assert (empty.value[1:] == 0).all()


def test_draws_are_those_of_the_seed() -> None:
    values, ones = np.random.default_rng(0).normal(size=9), np.ones(9)
    labels = [str(k // 2) for k in range(9)]
    first, again, other = (Bootstrap(labels, seed=s).estimate(mean(values, ones)).intervals[90] for s in (3, 3, 4))
    assert first == again
    assert first != other
