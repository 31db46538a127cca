import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framecast.core.errors import ConfigError
from framecast.diffusion.schedule import Karras, Linear, RectifiedFlow, ZeroTerminalSNR
from framecast.diffusion.times import (
    FastDDPMNonUniform,
    FastDDPMUniform,
    Leading,
    Linspace,
    LogSNR,
    Quadratic,
    Trailing,
    check_trained,
    rows_to_times,
)

EVEN = [Leading(), Linspace(), Trailing(), Quadratic(), LogSNR()]


def rows(grid, steps=None, count=1000):
    times = grid.times(Linear(rows=count), steps)
    return torch.round(times * count - 1).long().tolist()


def test_the_lists_of_the_papers():
    assert rows(Leading(), 10) == [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]
    assert rows(Trailing(), 10) == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]
    assert rows(Linspace(), 4) == [999, 666, 333, 0]
    assert rows(Quadratic(), 4) == [999, 444, 111, 0]
    assert rows(FastDDPMUniform()) == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99, 0]
    assert rows(FastDDPMNonUniform()) == [999, 949, 899, 849, 799, 699, 599, 399, 199, 0]


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 10, 11, 50, 333, 1000])
def test_even_grids_against_numpy(steps):
    trailing = np.round(1000 - np.arange(steps) * (1000 / steps)).astype(int) - 1
    assert rows(Trailing(), steps) == trailing.tolist()
    assert rows(Leading(), steps) == (np.arange(steps) * (1000 // steps))[::-1].tolist()
    if steps > 1:
        assert rows(Linspace(), steps) == np.linspace(0, 999, steps).round().astype(int)[::-1].tolist()
    assert rows(Linspace(), steps)[0] == rows(Quadratic(), steps)[0] == rows(Trailing(), steps)[0] == 999


@pytest.mark.parametrize("steps", [5, 15, 20, 25, 50, 100])
def test_fast_ddpm_lists_of_other_lengths_against_numpy(steps):
    uniform = np.arange(-1, 1000, 1000 // steps)
    uniform[0] = 0
    assert rows(FastDDPMUniform(steps=steps)) == uniform[::-1].tolist()
    tenths = steps * 4 // 10, steps * 6 // 10
    below = np.ceil(np.round(np.linspace(0, 699, tenths[0] + 1), 9))[:-1]
    above = np.ceil(np.round(np.linspace(699, 999, tenths[1]), 9))
    assert rows(FastDDPMNonUniform(steps=steps)) == np.concatenate([below, above]).astype(int)[::-1].tolist()


@pytest.mark.thorough
@settings(deadline=None)
@given(grid=st.sampled_from(EVEN), count=st.integers(1, 1200), data=st.data())
def test_times_fall_strictly_within_the_table(grid, count, data):
    steps = data.draw(st.integers(1, count))
    times = grid.times(Linear(rows=count), steps)
    assert len(times) == steps
    assert times.dtype == torch.float64
    assert (times.diff() < 0).all()
    assert 0 < times[-1] <= times[0] <= 1
    np.testing.assert_allclose(times * count, np.round(times * count), atol=1e-9)


@pytest.mark.thorough
@settings(deadline=None)
@given(grid=st.sampled_from(EVEN), schedule=st.sampled_from([RectifiedFlow(), Karras()]), steps=st.integers(1, 2000))
def test_times_fall_strictly_in_continuous_time(grid, schedule, steps):
    times = grid.times(schedule, steps)
    assert len(times) == steps
    assert (times.diff() < 0).all()
    assert schedule.earliest <= times[-1] <= times[0] <= 1


@pytest.mark.parametrize("schedule", [Linear(), ZeroTerminalSNR(), RectifiedFlow(), Karras()], ids=lambda s: s.kind)
def test_the_log_snr_rises_evenly_behind_the_noisiest_time(schedule):
    grid = LogSNR(lowest=-4.0, highest=3.0)
    times = grid.times(schedule, 9)
    assert times[0] == 1
    levels = schedule(times[1:]).log_snr
    torch.testing.assert_close(levels, torch.linspace(-4, 3, 8, dtype=torch.float64), atol=0.15, rtol=0)


def test_bounds_beyond_the_schedule_end_at_its_own_ends():
    times = LogSNR(lowest=-50.0, highest=50.0).times(Linear(), 20)
    assert (times[0], times[1], times[-1]) == (1, 0.999, 0.001)


@pytest.mark.thorough
@settings(deadline=None)
@given(
    make=st.sampled_from([FastDDPMUniform, FastDDPMNonUniform]), steps=st.integers(4, 60), count=st.integers(200, 2000)
)
def test_fast_ddpm_lists_rise_without_repeats(make, steps, count):
    listed = make(steps=steps).rows(count)
    assert (listed.diff() > 0).all()
    assert listed[0] == 0
    assert listed[-1] < count
    if make is FastDDPMNonUniform or count % steps == 0:
        assert listed[-1] == count - 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Trailing().times(Linear(), 0), "between 1 and the 1000 rows"),
        (lambda: Leading().times(Linear(rows=10), 11), "between 1 and the 10 rows"),
        (lambda: Trailing().times(RectifiedFlow(), 0), "at least 1"),
        (lambda: FastDDPMUniform().times(Linear(), 10), r"has 11 rows.*\[0, 99, 199"),
        (lambda: FastDDPMUniform().times(RectifiedFlow()), "use a table"),
        (lambda: FastDDPMUniform(steps=11).times(Linear(rows=10)), "does not fit"),
        (lambda: FastDDPMNonUniform(steps=30).times(Linear(rows=10)), "does not fit"),
        (lambda: FastDDPMUniform(steps=0), "at least 1"),
        (lambda: FastDDPMNonUniform(steps=3), "at least 4"),
        (lambda: LogSNR(lowest=2.0, highest=1.0), "must rise"),
        (lambda: LogSNR().times(Linear(rows=10), 11), "between 1 and 10"),
    ],
)
def test_impossible_grids_are_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()


def test_sampling_off_the_trained_rows_is_refused_with_their_list():
    trained = FastDDPMUniform()
    for schedule in (Linear(), ZeroTerminalSNR()):
        check_trained(trained.times(schedule), schedule, trained)
        check_trained(rows_to_times(torch.tensor([99, 999]), 1000), schedule, trained)
        with pytest.raises(ConfigError, match=r"row 998 .*\[0, 99, 199.*fast-ddpm-uniform"):
            check_trained(rows_to_times(torch.tensor([99, 998]), 1000), schedule, trained)
        check_trained(Leading().times(schedule, 7), schedule, None)


def test_the_row_before_is_the_next_entry_of_the_list_and_not_a_fixed_distance():
    assert rows(Trailing(), 7) == [999, 856, 713, 570, 428, 285, 142]
