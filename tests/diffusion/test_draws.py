import math

import pytest
import torch
from scipy import stats

from framecast.core.errors import ConfigError
from framecast.core.seeding import generator
from framecast.diffusion.draws import LogNormalTimes, UniformTimes
from framecast.diffusion.schedule import Cosine, Karras, Linear, RectifiedFlow, ZeroTerminalSNR
from framecast.diffusion.times import FastDDPMNonUniform, FastDDPMUniform


@pytest.mark.thorough
@pytest.mark.parametrize("stratified", [False, True])
def test_every_row_is_drawn_equally_often_the_first_and_the_last_included(stratified):
    schedule = Linear(rows=10, beta_end=0.5)
    draw = UniformTimes(stratified=stratified)
    times = torch.cat([draw.times(schedule, None, 7, generator(0, k)) for k in range(3000)])
    rows, counts = schedule.network_time(times).unique(return_counts=True)
    assert rows.tolist() == list(range(10))
    torch.testing.assert_close(times * 10, torch.round(times * 10))
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3 or stratified
    assert (counts / len(times) - 0.1).abs().max() < 0.01


@pytest.mark.parametrize("grid", [FastDDPMUniform(), FastDDPMNonUniform()], ids=repr)
def test_fast_ddpm_draws_its_rows_alone_in_antithetic_pairs(grid):
    listed = grid.times(Linear())
    places = {float(t): i for i, t in enumerate(listed)}
    seen = set()
    for k in range(200):
        times = UniformTimes().times(Linear(), grid, 9, generator(k))
        assert len(times) == 9
        index = [places[float(t)] for t in times]
        assert all(a + b == len(listed) - 1 for a, b in zip(index[:8:2], index[1:8:2], strict=True))
        seen |= set(index)
    assert seen == set(range(len(listed)))
    stratified = UniformTimes(stratified=True).times(Linear(), grid, len(listed), generator(1))
    assert set(stratified.tolist()) == set(listed.tolist())


def test_continuous_times_are_uniform_down_to_the_earliest():
    times = UniformTimes().times(Karras(), None, 20000, generator(2))
    earliest = Karras().earliest
    assert stats.kstest(((times - earliest) / (1 - earliest)).numpy(), "uniform").pvalue > 1e-3
    assert earliest < times.min()
    assert times.max() <= 1


def test_stratified_times_leave_no_gap_and_stay_uniform():
    draw = UniformTimes(stratified=True)
    batches = [draw.times(RectifiedFlow(), None, 16, generator(3, k)) for k in range(500)]
    for times in batches[:20]:
        assert times.sort().values.diff().max() < 1.01 / 16
    assert stats.kstest(torch.stack(batches)[:, 0].numpy(), "uniform").pvalue > 1e-3
    spread = [torch.stack([t.mean() for t in b]).std() for b in (batches, _plain(16, 500))]
    assert spread[0] < spread[1] / 3


def _plain(batch, count):
    return [UniformTimes().times(RectifiedFlow(), None, batch, generator(4, k)) for k in range(count)]


@pytest.mark.parametrize("schedule", [Karras(), Linear(), ZeroTerminalSNR(base=Cosine()), RectifiedFlow()], ids=repr)
def test_log_normal_noise_levels(schedule):
    draw = LogNormalTimes(mean=-0.5, std=0.7)
    times = draw.times(schedule, None, 5000, generator(5))
    level = -schedule(times).log_snr
    assert abs(float(level.mean()) + 0.5) < 4 * 0.7 / math.sqrt(5000) + 0.01
    assert abs(float(level.std()) - 0.7) < 0.05
    if schedule.rows is None:
        assert stats.kstest(level.numpy(), "norm", args=(-0.5, 0.7)).pvalue > 1e-3


def test_levels_beyond_the_schedule_are_drawn_at_its_ends():
    schedule = Linear(rows=10, beta_end=0.5)
    times = LogNormalTimes(mean=0.0, std=50.0).times(schedule, None, 500, generator(6))
    assert times.min() == 0.1
    assert times.max() == 1.0


def test_impossible_draws_are_refused():
    with pytest.raises(ConfigError, match="Fast-DDPM"):
        LogNormalTimes().check(FastDDPMUniform())
    with pytest.raises(ConfigError, match="positive"):
        LogNormalTimes(std=0.0)
