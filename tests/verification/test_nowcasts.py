"""Nowcasts of pysteps as baselines: moved rain, in files and in evaluations."""

from pathlib import Path

import numpy as np
import pytest
import torch

from framecast.core.errors import ConfigError
from framecast.data.forecasts import SampleInfo, open_forecast, write_forecast
from framecast.verification.evaluation import evaluate
from framecast.verification.nowcasts import NOWCASTS, Nowcaster, nowcast, pixel_km
from framecast.videos.frames import FrameSpec

pytest.importorskip("pysteps")
pytestmark = pytest.mark.thorough

SIZE, LEADS, SHIFT = 64, 2, 2


def rain(frames: int) -> np.ndarray:
    """Cells of rain that move by two pixels a frame along x, in mm/h."""
    random = np.random.default_rng(0)
    wide = np.zeros((SIZE, SIZE + 4 * SHIFT * frames))
    rows, columns = np.mgrid[: wide.shape[0], : wide.shape[1]]
    for y, x in zip(random.uniform(0, SIZE, 30), random.uniform(0, wide.shape[1], 30), strict=True):
        wide += 12 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 18)
    wide[wide < 0.2] = 0
    start = 2 * SHIFT * frames
    return np.stack([wide[:, start - SHIFT * k : start - SHIFT * k + SIZE] for k in range(frames)]).astype(np.float32)


@pytest.fixture(scope="module")
def video() -> torch.Tensor:
    return torch.from_numpy(rain(3 + LEADS))[None]


def caster(name: str, **options) -> Nowcaster:
    given = {"leads": LEADS, "cadence": 300.0, "unit": "mm/h", "members": 4} | options
    return Nowcaster(name=name, **given)


@pytest.mark.parametrize("name", NOWCASTS)
def test_rain_that_moves_is_forecast_better_than_by_the_last_frame(name, video):
    past, future = video[:, :3], video[:, 3:]
    drawn = caster(name)(past, 1)
    assert drawn.shape == (4 if name == "steps" else 1, 1, LEADS, SIZE, SIZE)
    assert torch.isfinite(drawn).all() and (drawn >= 0).all()
    inside = (..., slice(8, -8), slice(12, -12))
    still = (past[:, -1:] - future)[inside].abs().mean()
    assert (drawn.mean(0) - future)[inside].abs().mean() < (0.5 if name == "lagrangian" else 0.9) * still
    torch.testing.assert_close(caster(name)(past, 1), drawn)


def test_lagrangian_persistence_is_that_of_pysteps(video):
    from pysteps import motion, nowcasts

    past = video[0, :3].numpy()
    level = np.where(past >= 0.1, 10 * np.log10(np.maximum(past, 0.1)), -15.0)
    theirs = nowcasts.get_method("extrapolation")(past[-1], motion.get_method("LK")(level), LEADS)
    ours = caster("lagrangian")(video[:, :3], 0)[0, 0].numpy()
    known = np.isfinite(theirs)
    np.testing.assert_allclose(ours[known], theirs[known], rtol=1e-5, atol=1e-6)
    assert (ours[~known] == 0).all()


def test_dry_pasts_stay_dry_and_unknown_pixels_unknown(video):
    for name in NOWCASTS:
        assert (caster(name)(torch.zeros(1, 3, SIZE, SIZE), 0) == 0).all()
    past = video[:, :3].clone()
    past[..., :4] = torch.nan
    drawn = caster("lagrangian")(past, 0)
    assert torch.isnan(drawn[..., :4]).all() and torch.isfinite(drawn[..., 4:]).all()


def test_what_they_cannot_forecast_is_refused():
    with pytest.raises(ConfigError, match=r"steps is for rain in mm/h or dBZ, .* K"):
        caster("steps", unit="K")
    assert caster("lagrangian", unit="K").size == 1
    with pytest.raises(ConfigError, match="'fog' is not a known baseline"):
        nowcast("fog")


def test_pixels_in_kilometres_come_from_coordinates():
    import xarray as xr

    x = xr.Variable("x", np.arange(5) * 2000.0, {"units": "m"})
    assert pixel_km({"x": x}) == pytest.approx(2.0)
    assert pixel_km({"x": xr.Variable("x", np.arange(5.0), {"units": "degrees_east"})}) is None


@pytest.mark.parametrize("stored", [False, True])
def test_evaluation_computes_them_or_finds_them_in_the_file(video, stored, tmp_path: Path):
    frames = FrameSpec(
        past_channels=("rain",), future_channels=("rain",), past=3, future=LEADS, cadence=300.0, height=SIZE, width=SIZE
    )
    values, random = video.numpy(), np.random.default_rng(0)
    forecast = (values[:, 3:] + random.normal(0, 3, (4, 1, LEADS, SIZE, SIZE))).clip(0).astype(np.float32)
    held = {"lagrangian": 1, "steps": 4} if stored else {}
    with write_forecast(
        tmp_path / "f.zarr",
        frames=frames,
        samples=[SampleInfo(sequence="a", issue_time=np.datetime64("2021-07-14", "ns"))],
        members=4,
        unit="mm/h",
        attrs={"model": "m"},
        baselines=held,
    ) as writer:
        own = {name: caster(name)(video[:, :3], 0).numpy() for name in held}
        writer.write(0, past=values[:, :3], truth=values[:, 3:], forecast=forecast, baselines=own)
    if stored:
        assert open_forecast(tmp_path / "f.zarr")["baseline_lagrangian"].dims == (
            "sample", "lead_time", "channel", "y", "x",
        )  # fmt: skip
    scores = evaluate(tmp_path / "f.zarr", replicates=100, baselines=[] if stored else ["lagrangian", "steps"]).scores
    assert {"lagrangian", "steps"} <= set(scores.baselines)
    assert (scores["lagrangian"].members, scores["steps"].members) == (1, 4)
    assert scores.strongest in ("lagrangian", "steps") and scores.fair
    assert scores["lagrangian"]["crps"].value < scores["persistence"]["crps"].value
    assert "pysteps" in scores["steps"].description
