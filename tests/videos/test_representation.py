import dataclasses
import math

import pytest
import torch

from framecast.core.errors import ConfigError, DataError
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser, Stretch
from framecast.videos.representation import Representation
from framecast.videos.target import Change, Future

FRAMES = FrameSpec(past_channels=("a", "b"), future_channels=("b",), past=3, future=2, cadence=60.0, height=4, width=6)
NORMALISER = Normaliser(
    stretches={"a": Stretch(curve="linear", mean=5.0, std=2.0), "b": Stretch(curve="log1p", mean=3.0, std=0.5)}
)
CHANGE = Change(scale=((0.5, 2.0),))


def representation(target):
    return Representation(frames=FRAMES, normaliser=NORMALISER, target=target)


def video(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 50


@pytest.mark.parametrize("target", [Future(), CHANGE], ids=lambda target: target.kind)
def test_decoding_undoes_encoding(target):
    past, future = video(5, 2, 3, 4, 6), video(5, 1, 2, 4, 6, seed=1)
    x0, known = representation(target).encode(past, future)
    assert known.all()
    torch.testing.assert_close(representation(target).decode(x0, past), future, rtol=1e-4, atol=1e-4)


def test_the_change_is_measured_from_the_last_frame_in_its_own_units():
    past, future = video(2, 3, 4, 6), video(1, 2, 4, 6, seed=1)
    x0, _ = representation(CHANGE).encode(past, future)
    by_hand = (torch.log1p(future[0, 1]) - torch.log1p(past[1, 2])) / 0.5 / 2.0
    torch.testing.assert_close(x0[0, 1], by_hand)


def test_zero_change_is_persistence():
    past = video(2, 3, 4, 6)
    forecast = representation(CHANGE).decode(torch.zeros(7, 1, 2, 4, 6), past)
    torch.testing.assert_close(forecast, past[1:, 2:].expand(7, 1, 2, 4, 6))


def test_masked_pixels_are_the_mean_in_the_condition_and_do_not_count_in_the_target():
    past, future = video(2, 3, 4, 6), video(1, 2, 4, 6, seed=1)
    past[0, 1, 2, 3] = math.nan
    future[0, 0, 1, 1] = math.nan
    condition = representation(CHANGE).encode_past(past)
    assert condition[0, 1, 2, 3] == 0
    assert torch.isfinite(condition).all()
    x0, known = representation(CHANGE).encode(past, future)
    assert not known[0, 0, 1, 1]
    assert known.sum() == known.numel() - 1
    assert torch.isfinite(x0).all()


def test_a_block_missing_from_the_last_frame_is_taken_from_the_frame_before():
    past = video(2, 3, 4, 6)
    broken = past.clone()
    broken[1, 2, :2] = math.nan
    forecast = representation(CHANGE).decode(torch.zeros(1, 2, 4, 6), broken)
    torch.testing.assert_close(forecast[0, 0, :2], past[1, 1, :2])
    torch.testing.assert_close(forecast[0, 0, 2:], past[1, 2, 2:])


@pytest.mark.parametrize("target", [Future(), CHANGE], ids=lambda target: target.kind)
def test_what_no_past_frame_shows_is_not_forecast(target):
    past = video(2, 3, 4, 6)
    past[1, :, 0, 0] = math.nan
    forecast = representation(target).decode(torch.zeros(1, 2, 4, 6), past)
    assert torch.isnan(forecast[0, :, 0, 0]).all()
    assert torch.isfinite(forecast[0, :, 1:]).all()


def test_a_channel_that_is_not_seen_can_be_forecast_but_not_its_change():
    frames = dataclasses.replace(FRAMES, past_channels=("a",))
    unseen = Representation(frames=frames, normaliser=NORMALISER, target=Future())
    past, future = video(1, 3, 4, 6), video(1, 2, 4, 6, seed=1)
    x0, known = unseen.encode(past, future)
    assert known.all()
    torch.testing.assert_close(unseen.decode(x0, past), future, rtol=1e-4, atol=1e-4)
    with pytest.raises(ConfigError, match="needs b among the past channels"):
        Representation(frames=frames, normaliser=NORMALISER, target=CHANGE)


@pytest.mark.parametrize("shape", [(1, 3, 4, 6), (2, 2, 4, 6)])
def test_other_channels_or_frames_are_refused(shape):
    with pytest.raises(DataError, match=r"2 channels \(a, b\) and 3 frames"):
        representation(CHANGE).encode_past(video(*shape))


@pytest.mark.parametrize("target", [Future(), CHANGE], ids=lambda target: target.kind)
def test_bounds_are_x0_of_the_values_that_they_stand_for(target):
    past = video(3, 2, 3, 4, 6)
    past[0, 1, :, 1, 1] = math.nan
    shape = (3, 1, 2, 4, 6)
    for limit, value in zip(representation(target).bounds(past, {"b": (2.0, 30.0)}), (2.0, 30.0), strict=True):
        decoded = representation(target).decode(limit.expand(shape), past)
        known = torch.isfinite(decoded)
        assert known.sum() == known.numel() - 2
        torch.testing.assert_close(decoded[known], torch.full_like(decoded[known], value))
    low, high = representation(target).bounds(past, {})
    assert (low == -math.inf).all()
    assert (high == math.inf).all()
