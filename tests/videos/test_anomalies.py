"""Standardised anomalies: cycles that are taken off and put back, pixel by pixel."""

import dataclasses

import numpy as np
import pytest
import torch

from framecast.core.errors import ConfigError, DataError
from framecast.videos.anomalies import Anomalies, Regression, basis, packed, resolved_harmonics
from framecast.videos.forcings import clock
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser, Stretch
from framecast.videos.representation import Representation
from framecast.videos.target import Change

SIZE, START = (3, 4), np.datetime64("2021-03-01", "ns")


def angles(names, hours):
    times = START + np.asarray(hours) * np.timedelta64(1, "h")
    return torch.from_numpy(np.concatenate([clock(name, times) for name in names])).double()


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def anomalies(clocks=("hour",), harmonics=(2,)):
    std = 0.1 * random(1, 1 + 2 * len(clocks), *SIZE, seed=1)
    std[:, 0] += 2.0
    mean = random(1, 1 + 2 * sum(harmonics), *SIZE)
    return Anomalies(
        clocks=clocks, channels=("t",), height=3, width=4, harmonics=harmonics, mean=packed(mean), std=packed(std)
    )


def test_the_inverse_undoes_it_and_what_is_unknown_stays_so():
    own, at = anomalies(("hour", "season"), (2, 1)), angles(("hour", "season"), range(6))
    video = 280 + random(2, 1, 6, *SIZE)
    video[1, 0, 2, 1, 1] = torch.nan
    there = own.forward(video, ["t"], at)
    torch.testing.assert_close(own.inverse(there, ["t"], at), video, equal_nan=True)
    assert there.isnan().nonzero().tolist() == [[1, 0, 2, 1, 1]]


def test_a_regression_finds_the_cycle_of_every_pixel_and_says_where_it_knows_none():
    at, mean = angles(("hour",), range(72)), random(5, *SIZE)
    video = torch.einsum("kt,khw->thw", basis(at, (2,)), mean)
    video[:, 0, 0] = torch.nan
    video[5:20, 1, 1] = torch.nan
    fit = Regression((2,))
    for part in range(0, 72, 24):
        fit.add(video[part : part + 24], at[:, part : part + 24])
    found = fit.solve()
    assert found[:, 0, 0].isnan().all()
    torch.testing.assert_close(found.flatten(1)[:, 1:].double(), mean.flatten(1)[:, 1:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("step", "harmonics"), [(1, 2), (4, 2), (6, 1), (8, 1)])
def test_as_many_harmonics_as_the_times_tell_apart(step, harmonics):
    assert resolved_harmonics(("hour",), angles(("hour",), range(0, 240, step))) == (harmonics,)


def test_times_that_leave_out_most_of_a_cycle_are_refused():
    with pytest.raises(ConfigError, match="hour, and 50%"):
        resolved_harmonics(("hour",), angles(("hour",), range(0, 240, 12)))
    with pytest.raises(ConfigError, match="season, and 9"):
        resolved_harmonics(("hour", "season"), angles(("hour", "season"), range(24 * 20)))


def test_frames_of_another_size_and_unknown_channels_are_refused():
    at = angles(("hour",), range(2))
    with pytest.raises(DataError, match="6×8"):
        anomalies().forward(random(1, 2, 6, 8), ["t"], at)
    with pytest.raises(DataError, match="anomalies of u"):
        anomalies().forward(random(1, 2, *SIZE), ["u"], at)
    with pytest.raises(DataError, match="damaged"):
        dataclasses.replace(anomalies(), mean="AAAA").forward(random(1, 2, *SIZE), ["t"], at)


def test_no_change_is_the_persistence_of_the_anomaly():
    own = anomalies()
    frames = FrameSpec(past_channels=("t",), future_channels=("t",), past=2, future=6, cadence=3600, height=3, width=4)
    one = Normaliser(stretches={"t": Stretch(curve="linear")})
    change = Change(scale=((0.5,) * 6,))
    change_of = Representation(frames=frames, normaliser=one, target=change, forcings=("hour",), anomalies=own)
    at = angles(("hour",), range(8))
    forcing = at[..., None, None].expand(2, 8, *SIZE)
    past, future = 280 + random(1, 2, *SIZE), 280 + random(1, 6, *SIZE, seed=2)
    last = own.forward(past, ["t"], at[:, :2])[:, 1:].expand(-1, 6, -1, -1)
    forecast = change_of.decode(torch.zeros(1, 6, *SIZE, dtype=torch.float64), past, forcing=forcing)
    torch.testing.assert_close(forecast, own.inverse(last, ["t"], at[:, 2:]))
    x0, known = change_of.encode(past, future, forcing=forcing)
    assert known.all()
    torch.testing.assert_close(change_of.decode(x0, past, forcing=forcing), future)
    low, high = change_of.bounds(past[None], {"t": (270.0, 290.0)}, forcing=forcing[None])
    for limit, value in ((low, 270.0), (high, 290.0)):
        decoded = change_of.decode(limit, past[None], forcing=forcing[None])
        torch.testing.assert_close(decoded, torch.full_like(decoded, value))
    with pytest.raises(ConfigError, match="hour"):
        change_of.encode_past(past)
    with pytest.raises(ConfigError, match=r"data\.forcings lacks"):
        Representation(frames=frames, normaliser=one, target=change, anomalies=own)
