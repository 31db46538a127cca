import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from framecast.core.errors import ConfigError
from framecast.videos.frames import FrameSpec
from framecast.videos.target import AnyTarget, Change, Future, check_target, latest_frame

SCALE = ((0.5, 1.0, 2.0), (3.0, 4.0, 5.0))


def frames(past: tuple[str, ...], future: tuple[str, ...]) -> FrameSpec:
    return FrameSpec(past_channels=past, future_channels=future, past=4, future=3, cadence=60.0, height=2, width=5)


def videos(seed: int, *batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    future = torch.randn(*batch, 2, 3, 2, 5, generator=generator, dtype=torch.float64)
    last = torch.randn(*batch, 2, 1, 2, 5, generator=generator, dtype=torch.float64)
    return future, last


@settings(deadline=None)
@given(
    target=st.sampled_from([Future(), Change(scale=SCALE)]),
    seed=st.integers(0, 50),
    batch=st.lists(st.integers(1, 3), max_size=2),
)
def test_each_direction_undoes_the_other(target, seed, batch):
    future, last = videos(seed, *batch)
    torch.testing.assert_close(target.decode(target.encode(future, last), last), future)
    torch.testing.assert_close(target.encode(target.decode(future, last), last), future)


def test_the_future_itself_does_not_see_the_last_frame():
    future, last = videos(0)
    torch.testing.assert_close(Future().encode(future, last * torch.nan), future)


def test_a_change_is_measured_per_channel_and_lead_time():
    last = torch.full((2, 1, 2, 5), 10.0)
    future = last + torch.tensor(SCALE)[:, :, None, None] * 7.0
    torch.testing.assert_close(Change(scale=SCALE).encode(future, last), torch.full((2, 3, 2, 5), 7.0))


def test_no_change_is_zero_and_zero_is_persistence():
    future, last = videos(1)
    persistence = last.expand_as(future)
    assert (Change(scale=SCALE).encode(persistence, last) == 0).all()
    torch.testing.assert_close(Change(scale=SCALE).decode(torch.zeros_like(future), last), persistence)


def test_masked_pixels_stay_masked():
    future, last = videos(2)
    future[0, 1, 0, 0] = torch.nan
    assert Change(scale=SCALE).encode(future, last).isnan().sum() == 1


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_scale_must_be_positive(value):
    with pytest.raises(ConfigError, match="positive"):
        Change(scale=((1.0, value),))


@pytest.mark.parametrize("target", [Future(), Change(scale=SCALE)])
def test_its_json_is_its_arguments(target):
    adapter = TypeAdapter(AnyTarget)
    assert adapter.validate_json(adapter.dump_json(target)) == target


def test_the_last_frame_has_the_future_channels_in_their_order():
    past = torch.arange(3 * 4 * 2 * 5, dtype=torch.float32).reshape(3, 4, 2, 5)
    last = latest_frame(past, frames(("a", "b", "c"), ("c", "a")))
    torch.testing.assert_close(last, torch.stack([past[2, 3:], past[0, 3:]]))
    batched = latest_frame(past.expand(6, 3, 4, 2, 5), frames(("a", "b", "c"), ("c", "a")))
    torch.testing.assert_close(batched, last.expand(6, 2, 1, 2, 5))


def test_the_change_of_what_is_not_seen_cannot_be_forecast():
    with pytest.raises(ConfigError, match=r"c, d .*\(a, b\)"):
        check_target("change", frames(("a", "b"), ("c", "a", "d")))
    check_target("future", frames(("a", "b"), ("c", "a", "d")))
    check_target("change", frames(("a", "b"), ("b",)))


def test_a_pixel_masked_in_the_last_frame_has_its_earlier_value():
    past = torch.arange(6.0).reshape(2, 3, 1, 1).expand(2, 3, 2, 2).clone()
    past[0, 2, 0, 0] = torch.nan
    past[0, 1:, 0, 1] = torch.nan
    past[0, :, 1, 0] = torch.nan
    spec = frames(("a", "b"), ("a",))
    latest = latest_frame(past, spec)
    torch.testing.assert_close(latest, torch.tensor([[[[1.0, 0.0], [torch.nan, 2.0]]]]), equal_nan=True)
    batch = past.expand(2, *past.shape)
    torch.testing.assert_close(latest_frame(batch, spec), latest.expand(2, *latest.shape), equal_nan=True)
