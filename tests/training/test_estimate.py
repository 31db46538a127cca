"""What a training takes is said before it, a budget decides its length, and a run can be trained further."""

import dataclasses

import numpy as np
import pytest
import torch
import xarray as xr

import framecast as fc
from framecast.core.errors import ConfigError
from framecast.data.archive.reader import Archive
from framecast.data.archive.writer import ArchiveWriter
from framecast.data.datasets import WindowDataset
from framecast.data.windows import find_windows
from framecast.training.estimate import Cost, measure_cost
from framecast.training.job import quality
from framecast.training.options import TrainingOptions
from framecast.training.prepare import fit_to, frame_spec, prepare
from framecast.training.recipe import load_recipe
from framecast.training.run import Run

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """An archive of frames that no network divides, 43 by 70 pixels; each pixel tells its place."""
    path = tmp_path_factory.mktemp("wide") / "wide.zarr"
    random = np.random.default_rng(0)
    place = np.arange(43)[:, None] * 100.0 + np.arange(70)
    frames = (place + 10 * random.random((60, 1, 43, 70))).astype(np.float32)
    frames[:, :, :, :20] = np.nan
    times = np.datetime64("2020-01-01", "ns") + np.arange(60) * np.timedelta64(3600 * 10**9, "ns")
    with ArchiveWriter(path, channels=("a",), unit="K", cadence=3600.0, height=43, width=70) as writer:
        writer.add("one", xr.Dataset({"intensity": (("time", "channel", "y", "x"), frames)}, coords={"time": times}))
    return Archive.open(path)


def recipe(**changes):
    small = {"network.width": 4, "data.past": 2, "data.future": 2, "data.max_masked": 0.5, "training.batch": 2}
    small |= {"training.validation_windows": 2, "training.precision": "float32", "sampling.steps": 2}
    return load_recipe("tiny", {**small, "training.steps": 4, "sampling.precision": "float32", **changes})


def test_cost_grows_with_the_frame_and_the_batch(wide):
    patch, whole, more = (
        measure_cost(prepare(recipe(**changes), wide), CPU)
        for changes in ({"data.patch": 16}, {}, {"training.batch": 8})
    )
    pixels = 48 * 72 / 16**2
    activations = (whole.memory - patch.memory) / (1 - 1 / pixels)
    assert more.memory - whole.memory == pytest.approx(3 * activations, rel=0.3)
    assert patch.seconds > 0 and whole.seconds > 0


def test_long_and_large_trainings_come_with_a_way_out(wide):
    prepared = prepare(recipe(), wide)
    short = Cost(seconds=0.01, memory=1e6).describe(100, prepared)
    assert len(short) == 1 and "about 1 s for 100 steps" in short[0]
    long = Cost(seconds=193.0, memory=1e6).describe(2000, prepared)
    assert "about 107 h" in long[0] and "data.patch=" in long[1]
    large = Cost(seconds=0.01, memory=1e15).describe(1, prepared)
    assert "more than the free memory of this machine" in large[1]


def test_a_budget_is_as_many_steps_as_fit():
    assert Cost(seconds=2.0, memory=0).steps_in("10min") == 255
    with pytest.raises(ConfigError, match=r"1min.*100 s"):
        Cost(seconds=100.0, memory=0).steps_in("1min")
    with pytest.raises(ConfigError, match=r"budget is None|set one of them"):
        TrainingOptions(steps=5, budget="1h")


def test_patches_are_pieces_of_the_frame_another_at_every_epoch(wide):
    frames = frame_spec(recipe().data, wide)
    windows = find_windows(wide, frames, max_masked=0.5)
    data = WindowDataset(wide, windows, dataclasses.replace(frames, height=16, width=16), seed=3)
    seen = [data.sample(0, epoch=epoch) for epoch in range(12)]
    corners = {tuple(np.round(s.past[0, 0, 0, 0].numpy() // 1).ravel()) for s in seen}
    assert len(corners) > 6
    for sample in seen:
        first = float(sample.past[0, 0, -1, -1])
        row, column = int(first // 100), int(first % 100)
        place = torch.arange(row - 15, row + 1)[:, None] * 100.0 + torch.arange(column - 15, column + 1)
        for video in (sample.past, sample.future):  # the same piece in every frame, neither moved nor turned
            known = ~torch.isnan(video)
            away = torch.where(known, video - place, 5.0)
            assert away.min() > -11 and away.max() < 21
    again = data.sample(0, epoch=5)
    assert torch.equal(again.past.nan_to_num(), seen[5].past.nan_to_num())
    unknown = np.mean([torch.isnan(data.sample(k, epoch=0).past).float().mean() for k in range(20)])
    assert unknown < 0.1  # of 28 %: the best known of a few is taken


def test_trained_on_patches_forecast_as_a_whole_frame_that_nothing_divides(wide, tmp_path):
    run = fc.train(recipe(**{"data.patch": 16}), wide, out=tmp_path / "run", progress=False)
    model = fc.load(run)
    assert (model.frames.height, model.frames.width) == (16, 16)
    found = fc.open_forecast(
        fc.forecast(model, wide, tmp_path / "f.zarr", members=2, limit=1, split="validation", progress=False)
    )
    assert found["forecast"].shape[-2:] == (43, 70)
    assert np.isfinite(found["forecast"].values[..., 20:]).all()


def test_padding_does_not_change_what_is_inside(wide):
    """A frame that the network divides is forecast as before, and one that it does not is continued at its border."""
    from torch.nn.functional import pad

    from framecast.models.config import attach, build_network

    prepared = prepare(recipe(), wide)
    generator = attach(prepared.model, build_network(prepared.model)).eval()
    x, past, time = torch.randn(1, 1, 2, 43, 70), torch.randn(1, 1, 2, 43, 70), torch.tensor([0.3])
    edges = (0, 2, 0, 5, 0, 0)
    with torch.no_grad():
        own = generator.output(x, time, past, None)
        wider = generator.network(pad(x, edges, mode="replicate"), time, pad(past, edges, mode="replicate"), None)
    assert torch.equal(own, wider[..., :43, :70])


def test_auto_fits_itself_to_archive_and_budget_and_takes_the_folders_name(wide, tmp_path, monkeypatch):
    monkeypatch.setattr("framecast.training.job.measure_cost", lambda *_: Cost(seconds=0.85, memory=0))
    options = fit_to(load_recipe("auto", {"data.max_masked": 0.5}), wide).data
    assert (options.past, options.future, options.patch) == (2, 2, None)  # more leave less than 30 windows
    run = fc.train(
        "auto",
        wide,
        out=tmp_path / "rain",
        progress=False,
        **{"data.max_masked": 0.5, "training.budget": "20s", "training.batch": 2, "network.width": 4},
        **{"training.validation_windows": 2, "training.precision": "float32", "sampling.steps": 2},
    )
    assert run.step == 20 and run.settings()["training"]["steps"] == 20
    assert fc.load(run).name == "rain"


def test_auto_takes_shorter_windows_where_long_ones_leave_few(tmp_path):
    """Of 40 frames, windows of 6 + 6 would leave 3 to train on, of 2 + 2 they leave 17."""
    frames = np.random.default_rng(0).random((40, 1, 8, 8), np.float32)
    times = np.datetime64("2016-09-28T14:00", "ns") + np.arange(40) * np.timedelta64(300 * 10**9, "ns")
    with ArchiveWriter(
        tmp_path / "rain.zarr", channels=("rain",), unit="mm/h", cadence=300.0, height=8, width=8
    ) as writer:
        writer.add("fmi", xr.Dataset({"intensity": (("time", "channel", "y", "x"), frames)}, coords={"time": times}))
    archive = Archive.open(tmp_path / "rain.zarr")
    options = fit_to(load_recipe("auto"), archive).data
    assert (options.past, options.future) == (2, 2)
    prepared = prepare(load_recipe("auto"), archive)
    (warning,) = prepared.data.warnings(prepared.recipe)
    assert "only 17 of 37 windows" in warning and "dropped" in warning


@pytest.mark.slow
def test_a_short_budget_takes_a_narrower_network_and_resumes_with_it(wide, tmp_path, monkeypatch):
    """Half as wide until the least steps fit, never wider again, and not below the narrowest."""

    def cost(prepared, place):
        return Cost(seconds=0.085 * prepared.recipe.network.width / 8, memory=0)

    monkeypatch.setattr("framecast.training.job.measure_cost", cost)
    settings = {"data.max_masked": 0.5, "training.batch": 1, "training.validation_windows": 1, "sampling.steps": 2}
    settings |= {"training.precision": "float32", "network.blocks": 1, "data.past": 1, "data.future": 1}
    settings |= {"training.budget": "4.5s", "training.least_steps": 20}
    run = fc.train("auto", wide, out=tmp_path / "run", progress=False, stop=lambda: True,
                   **settings)  # fmt: skip
    kept = run.settings()
    assert (run.step, kept["network"]["width"], kept["training"]["steps"]) == (1, 16, 22)
    monkeypatch.setattr("framecast.training.job.measure_cost", lambda *_: pytest.fail("measured again"))
    again = fc.train("auto", wide, out=tmp_path / "run", progress=False,
                     **settings)  # fmt: skip
    assert again.step == 22


def test_a_finished_run_is_trained_further(wide, tmp_path):
    out = tmp_path / "run"
    assert fc.train(recipe(), wide, out=out, progress=False).step == 4
    assert fc.train(out, progress=False, training={"steps": 6}).step == 6
    assert [record["began"] is not None for record in Run(out).records() if record["event"] == "session"] == [
        True,
        True,
    ]
    with pytest.raises(ConfigError, match="has made 6 steps"):
        fc.train(out, progress=False, training={"steps": 5})
    with pytest.raises(ConfigError, match="different recipe"):
        fc.train(out, progress=False, training={"learning_rate": 0.5})


def test_validations_are_compared_with_persistence_in_plain_words(wide, tmp_path, capsys):
    run = fc.train(recipe(**{"training.validate_every": 2}), wide, out=tmp_path / "run")
    assert "step 4: " in (said := capsys.readouterr().err) and "(2 windows only)" in said
    skills = [record["skill"] for record in run.records() if record["event"] == "validation"]
    assert len(skills) == 2 and all(np.isfinite(skills))
    assert quality(-2.1) == "members are still noise: their CRPS is 3.1 times that of persistence"
    assert "as good as" in quality(0.01) and quality(0.25) == "CRPS 25 % below that of persistence"
    assert quality(-0.1) == "CRPS 10 % above that of persistence"
