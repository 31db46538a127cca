"""What is taken for independent: by the archive's word, by the scores, or in time; and when no interval is given."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from framecast.verification.blocks import LEAST_BLOCKS, effective_number, independent_blocks
from framecast.verification.cases import Cases
from framecast.verification.scores import Bootstrap
from framecast.verification.scores.bootstrap import mean

HOUR = np.timedelta64(1, "h")


def cases(sequences: int, times: int, *, every: int = 1, told: bool | None = None) -> SimpleNamespace:
    """Samples of ``sequences`` at the same ``times``, a window of 12 hours each."""
    issue = np.datetime64("2017-08-01", "ns") + every * HOUR * np.repeat(np.arange(times), sequences)
    attrs = {} if told is None else {"independent_sequences": told}
    own = SimpleNamespace(
        sequences=[f"s{k}" for k in np.tile(np.arange(sequences), times)],
        issue_times=issue,
        lead_times=(7200.0, 21600.0),
        past_times=(-21600.0, 0.0),
        calendar=SimpleNamespace(name="standard"),
        sources=[SimpleNamespace(dataset=SimpleNamespace(attrs=attrs))],
    )
    own.named = partial(Cases.named, own)
    return own


def shared(sequences: int, times: int, part: float, *, seed: int = 0) -> np.ndarray:
    """Scores of which a part of the variance is common to all sequences at a time."""
    random = np.random.default_rng(seed)
    common = np.repeat(random.normal(size=times), sequences)
    return np.sqrt(part) * common + np.sqrt(1 - part) * random.normal(size=sequences * times)


def test_overlapping_regions_of_two_days_allow_no_interval():
    chosen = independent_blocks(cases(40, 36, told=False), shared(40, 36, 0.0))
    assert len(set(chosen.names)) == 2 < LEAST_BLOCKS == chosen.least
    estimate = Bootstrap(chosen.names, least=chosen.least).estimate(mean(np.ones(1440), np.ones(1440)))
    assert float(estimate) == 1 and not estimate.certain


def test_sequences_are_blocks_where_their_archive_says_so():
    chosen = independent_blocks(cases(12, 6, told=True), shared(12, 6, 0.9))
    assert (chosen.blocks, len(set(chosen.names))) == ("sequence", 12)


@pytest.mark.parametrize(("part", "blocks"), [(0.0, "sequence"), (0.5, "periods of 1d")])
def test_where_nothing_is_told_the_scores_decide(part, blocks):
    chosen = independent_blocks(cases(10, 30, every=24), shared(10, 30, part))
    assert (chosen.blocks == blocks and "independent" in chosen.reason) or blocks == "sequence"


def test_periods_grow_until_their_scores_are_not_correlated():
    random, days = np.random.default_rng(3), 128
    weather = np.repeat(random.normal(size=days // 8), 8)  # lasts eight days
    lasting = independent_blocks(cases(1, days, every=24), weather + 0.1 * random.normal(size=days))
    fickle = independent_blocks(cases(1, days, every=24), random.normal(size=days))
    assert fickle.blocks == "periods of 1d" and len(set(fickle.names)) == days
    assert len(set(lasting.names)) <= days // 4


def test_the_effective_number_is_that_of_independent_samples():
    random = np.random.default_rng(0)
    values = np.repeat(random.normal(size=50), 8)  # 400 samples of which 50 differ
    ones = np.ones_like(values)
    blocks = Bootstrap([str(k // 8) for k in range(400)], replicates=4000)
    alone = Bootstrap([str(k) for k in range(400)], replicates=4000)
    assert effective_number(values, blocks.draws(mean(values, ones))[1:]) == pytest.approx(50, rel=0.1)
    assert effective_number(values, alone.draws(mean(values, ones))[1:]) == pytest.approx(400, rel=0.1)
