"""Motion: a known translation is found, and advection is what its law says."""

import numpy as np
import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.videos.frames import FrameSpec
from framecast.videos.motion import OpticalFlow, advect
from framecast.videos.target import Advected, advected_frames


def blobs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A rain-like field of positive blobs and exact zeros."""
    random = np.random.default_rng(3)
    field = np.zeros(np.broadcast(x, y).shape)
    for cx, cy, size in zip(*random.uniform(0, 96, (2, 25)), random.uniform(3, 7, 25), strict=True):
        field += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * size**2))
    return np.where(field > 0.3, 10 * field**2, 0.0)


def drifting(dx: float, dy: float, frames: int, size: int = 96) -> torch.Tensor:
    y, x = np.mgrid[:size, :size].astype(float)
    return torch.tensor(np.stack([blobs(x - k * dx, y - k * dy) for k in range(frames)]), dtype=torch.float32)


@pytest.mark.parametrize(("dx", "dy"), [(2.0, -1.0), (-3.0, 0.5), (0.0, 0.0)])
def test_a_drift_is_found_and_moves_the_last_frame(dx, dy):
    pytest.importorskip("cv2")
    video = drifting(dx, dy, 7)
    flow = OpticalFlow().estimate(video[:3])
    inner = flow[:, 24:-24, 24:-24]
    assert inner[0].mean().item() == pytest.approx(dx, abs=0.2)
    assert inner[1].mean().item() == pytest.approx(dy, abs=0.2)
    moved = advect(video[2], flow, 4)
    centre = (slice(None), slice(24, -24), slice(24, -24))
    still = (video[2] - video[3:])[centre].abs().mean()
    assert (moved - video[3:])[centre].abs().mean() < 0.35 * still or (dx, dy) == (0, 0)


def test_neither_unit_nor_stretch_changes_the_motion():
    pytest.importorskip("cv2")
    video = drifting(2, 1, 3)
    flow = OpticalFlow().estimate(video)
    torch.testing.assert_close(OpticalFlow().estimate(torch.log1p(1000 * video) - 5), flow, atol=0.02, rtol=0)


def test_unknown_pixels_and_empty_frames_have_a_finite_motion():
    pytest.importorskip("cv2")
    video = drifting(2, 1, 3)
    video[:, :, :30] = torch.nan
    flow = OpticalFlow().estimate(video)
    assert torch.isfinite(flow).all()
    assert flow[0, 30:60, 50:80].mean() == pytest.approx(2, abs=0.25)
    assert (OpticalFlow().estimate(torch.full((3, 20, 30), torch.nan)) == 0).all()
    assert (OpticalFlow().estimate(torch.zeros(2, 3, 16, 24)) == 0).all()


def test_one_frame_shows_no_motion():
    with pytest.raises(ConfigError, match="one frame"):
        OpticalFlow().estimate(torch.zeros(1, 16, 16))


def test_a_uniform_motion_by_whole_pixels_shifts_exactly():
    frame = torch.rand(12, 15)
    flow = torch.tensor([2.0, -1.0])[:, None, None].expand(2, 12, 15)
    moved = advect(frame, flow, 2)
    torch.testing.assert_close(moved[0, :-1, 2:], frame[1:, :-2])
    torch.testing.assert_close(moved[1, :-2, 4:], frame[2:, :-4])
    assert torch.isnan(moved[0, -1]).all()
    assert torch.isnan(moved[0, :, :2]).all()


def test_a_rotation_comes_round():
    """Solid rotation by 2π/40 per frame: after 40 frames the field is back where it was."""
    y, x = torch.meshgrid(torch.arange(81.0) - 40, torch.arange(81.0) - 40, indexing="ij")
    omega = 2 * torch.pi / 40
    flow = torch.stack([-omega * y, omega * x])
    frame = torch.exp(-((x - 10) ** 2 + y**2) / 50)
    moved = advect(frame, flow, 40)
    quarter = moved[9]
    row, column = divmod(int(quarter.nan_to_num(0).argmax()), 81)
    assert (row - 40, column - 40) == pytest.approx((10, 0), abs=2)
    assert (moved[39] - frame).nan_to_num(0).abs().max() < 0.35


def test_a_part_is_the_part_of_the_whole():
    frame, flow = torch.rand(2, 20, 30), torch.randn(2, 2, 20, 30)
    part = slice(3, 11), slice(7, 27)
    torch.testing.assert_close(advect(frame, flow, 3, part=part), advect(frame, flow, 3)[..., *part], equal_nan=True)


def frames_of(size: int) -> FrameSpec:
    return FrameSpec(
        past_channels=("a", "b"), future_channels=("b",), past=3, future=4, cadence=1, height=size, width=size
    )


def test_where_nothing_arrives_the_latest_value_stays():
    past = torch.rand(2, 3, 10, 10)
    past[1, 2, 4, 4] = torch.nan  # known one frame earlier
    past[1, :, 9, 9] = torch.nan
    flow = torch.tensor([3.0, 0.0])[:, None, None].expand(1, 2, 10, 10)
    moved = advected_frames(past, frames_of(10), flow)
    assert moved.shape == (1, 4, 10, 10)
    torch.testing.assert_close(
        moved[0, 1, :9, :6],
        past[1, 2, :9, :6].where(
            torch.arange(9)[:, None] != 4, past[1, 1, :9, :6].where(torch.arange(6) == 4, past[1, 2, :9, :6])
        ),
    )
    assert moved[0, 0, 4, 7] == past[1, 1, 4, 4]
    assert torch.isnan(moved[0, :, 9, 9]).all()


def test_the_change_since_the_advected_frame_is_inverted():
    target = Advected(scale=((0.5, 1.0, 2.0, 3.0),))
    base, future = torch.rand(2, 1, 4, 6, 6), torch.rand(2, 1, 4, 6, 6)
    torch.testing.assert_close(target.decode(target.encode(future, base), base), future)
    assert (target.encode(base, base) == 0).all()
