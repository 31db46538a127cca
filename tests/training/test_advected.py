"""A model that is given the motion: trained in patches, forecasting whole frames, its motion stored."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import xarray as xr

import framecast as fc
from framecast.data.forecasts import open_forecast
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe
from framecast.videos.motion import Motion
from framecast.videos.target import Advected

pytestmark = pytest.mark.thorough

pytest.importorskip("cv2")

CHANGES = (
    "target=advected",
    "data.patch=32",
    "data.past=3",
    "data.future=4",
    "data.split.kind=region",
    "training.steps=3",
    "training.batch=2",
    "training.warmup=1",
    "training.validate_every=3",
    "training.validation_windows=2",
    "network.width=8",
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Four sequences of blobs that drift by two columns a frame, zero between them."""
    y, x = np.mgrid[:48, :64]
    random = np.random.default_rng(0)
    values = np.zeros((4, 9, 48, 64), np.float32)
    for sequence in values:
        for cx, cy in random.uniform(0, 64, (12, 2)):
            for k, frame in enumerate(sequence):
                frame += np.exp(-(((x - cx - 2 * k + 32) % 64 - 32) ** 2 + (y - cy % 48) ** 2) / 18)
    values[values < 0.2] = 0
    times = np.datetime64("2020-01-01", "ns") + np.arange(9) * np.timedelta64(5, "m")
    data = xr.Dataset({"rain": (("event", "time", "y", "x"), 5 * values, {"units": "mm/h"})}, coords={"time": times})
    folder = tmp_path_factory.mktemp("drift")
    data.to_netcdf(folder / "drift.nc", engine="h5netcdf")
    fc.import_data(folder / "drift.nc", folder / "drift.zarr", sequence="event", independent=True, progress=False)
    return folder / "drift.zarr"


@pytest.fixture(scope="module")
def prepared(archive):
    return prepare(load_recipe("tiny", CHANGES), fc.open_archive(archive))


def test_the_base_of_a_patch_comes_from_the_whole_frame(prepared):
    """Blobs that enter a patch within the window are in its advected frames: the patch alone could not know them."""
    assert isinstance(prepared.model.target, Advected)
    windows = prepared.dataset("train")
    moved = still = entering = 0.0
    for index in range(len(windows)):
        sample = windows.sample(index, epoch=1)
        assert sample.moved.shape == (1, 4, 32, 32)
        moved += (sample.moved - sample.future).abs().mean()
        still += (sample.past[:, -1:] - sample.future).abs().mean()
        entering += (sample.moved - sample.future)[..., :8].abs().mean()
    assert moved < 0.5 * still
    assert entering < still


def test_flips_turn_the_advected_frames_alike(archive):
    prepared = prepare(load_recipe("tiny", [*CHANGES, "training.flips=[x, y]"]), fc.open_archive(archive))
    windows = prepared.dataset("train")
    for epoch in range(4):
        sample = windows.sample(0, epoch=epoch)
        assert (sample.moved - sample.future).abs().mean() < 0.5 * (sample.past[:, -1:] - sample.future).abs().mean()


def test_the_scale_is_that_of_the_change_since_the_advected_frame(prepared, archive):
    still = prepare(load_recipe("tiny", ["target=change", *CHANGES[1:]]), fc.open_archive(archive))
    assert all(a < 0.6 * b for a, b in zip(prepared.model.target.scale[0], still.model.target.scale[0], strict=True))


@pytest.fixture(scope="module")
def run(archive, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "drift"
    fc.train(load_recipe("tiny", CHANGES), archive, out=out, progress=False)
    return out


def test_a_forecast_of_whole_frames_stores_its_motion(run, archive, tmp_path):
    fc.forecast(run, archive, tmp_path / "f.zarr", members=2, limit=2, progress=False, steps=2)
    with open_forecast(tmp_path / "f.zarr") as file:
        assert file["motion"].dims == ("sample", "channel", "component", "y", "x")
        motion = file["motion"].values
        assert motion[:, :, 0].mean() == pytest.approx(2, abs=0.3)
        assert np.abs(motion[:, :, 1].mean()) < 0.3
        assert np.isfinite(file["forecast"].values).all()
    fc.show(tmp_path / "f.zarr", tmp_path / "page")
    assert "pixels per frame" in (tmp_path / "page" / "figures" / "motion-rain.svg").read_text(encoding="utf-8")


def test_a_forecast_in_python_goes_on_block_by_block(run):
    model = fc.load(run)
    past = torch.rand(1, 3, 48, 64)
    ensemble = model.forecast(past, members=2, horizon="40min", steps=2)
    assert ensemble.sizes["lead_time"] == 8
    again = model.forecast(past, members=2, steps=2)
    np.testing.assert_array_equal(ensemble.values[:, :4], again.values)


@dataclass(frozen=True, kw_only=True)
class Known(Motion):
    """Two columns a frame, known from where and when a window is."""

    kind: str = "known"

    def estimate(self, past):
        raise AssertionError("the window tells it")

    def of_window(self, past, archive, window, frames):
        assert (frames.height, frames.width, frames.future) == (48, 64, 4)
        assert window.sequence in archive.sequences
        return torch.tensor([2.0, 0.0])[:, None, None].expand(len(past), 2, *past.shape[-2:])


def test_a_motion_may_follow_from_place_and_time(archive):
    from dataclasses import replace

    recipe = replace(load_recipe("tiny", CHANGES), motion=Known())
    windows = prepare(recipe, fc.open_archive(archive)).dataset("train")
    sample = windows.sample(0)
    assert (sample.moved - sample.future).abs().mean() < 0.3 * (sample.past[:, -1:] - sample.future).abs().mean()
