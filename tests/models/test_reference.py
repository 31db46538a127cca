"""What a model keeps of its training data: baselines for any archive, and the out-of-domain guard."""

import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
import zarr
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import framecast as fc
from framecast.core.errors import DataError, FramecastWarning
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.domains.corona.writing import write_corona
from framecast.models.checkpoint import load, read_config
from framecast.models.guard import COMPONENTS, NAMES, Neighbours, describe, features
from framecast.models.header import find_model
from framecast.models.reference import FILE, read_reference, write_reference
from framecast.verification.evaluation import evaluate
from framecast.verification.scores import power_spectrum
from framecast.view.worker import offered

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def model(small_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "model"
    shutil.copytree(find_model(small_run), folder)
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """An archive of the same law that the model was not trained on."""
    path = tmp_path_factory.mktemp("archives") / "elsewhere.zarr"
    write_corona(path, regions=3, frames=8, size=(16, 24), seed=99)
    return path


def past_of(archive: Archive, name: str, channels, count: int) -> torch.Tensor:
    return torch.from_numpy(archive.read(name, range(count), channels))


def test_training_stores_it_and_the_file_says_the_same_when_it_is_read_back(model, tmp_path):
    forecaster = load(model)
    reference = forecaster.reference
    assert reference is not None and reference.windows is not None and reference.guard.seen is not None
    config = forecaster.config
    write_reference(tmp_path, reference, config.normaliser, config.frames)
    again = read_reference(tmp_path, config.normaliser, config.frames)
    for name in ("values", "last", "mean"):  # kept in a byte for each pixel
        video = [torch.from_numpy(getattr(each.windows, name)) for each in (again, reference)]
        if name != "values":
            video = [frame[:, :, None] for frame in video]
        then, now = (config.normaliser.forward(own, config.frames.future_channels) for own in video)
        assert (then - now).abs().max() <= 0.51 * (now.max() - now.min()) / 254
    np.testing.assert_array_equal(again.windows.times, reference.windows.times)
    assert torch.equal(again.guard.seen.points, reference.guard.seen.points)
    assert (again.guard.seen.limit, again.guard.grid) == (reference.guard.seen.limit, reference.guard.grid)


def test_the_command_gives_a_model_what_training_does_and_leaves_the_weights(model, small_archive, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(model, bare)
    weights = (bare / "weights.safetensors").read_bytes()
    (bare / FILE).unlink()
    assert load(bare).reference is None
    fc.add_reference(bare, small_archive)
    assert (bare / "weights.safetensors").read_bytes() == weights
    found, trained = load(bare).reference, load(model).reference
    assert torch.allclose(found.guard.low, trained.guard.low) and found.guard.seen.limit == pytest.approx(
        trained.guard.seen.limit, rel=1e-3
    )
    np.testing.assert_allclose(found.windows.values, trained.windows.values)


def test_only_the_archive_of_the_training_will_do(model, elsewhere):
    with pytest.raises(DataError, match="trained on"):
        fc.add_reference(model, elsewhere)


def test_windows_at_uneven_times_are_found_with_the_tolerance_of_the_training(model, small_archive, tmp_path):
    uneven, folder = tmp_path / "uneven.zarr", tmp_path / "model"
    shutil.copytree(small_archive, uneven)
    shutil.copytree(model, folder)
    root = zarr.open_group(uneven, mode="r+")
    for name in Archive.open(uneven).sequences:
        values = root[f"{name}/time"][:]
        values[1::2] += round(0.2 * float(values[1] - values[0]))
        root[f"{name}/time"][:] = values
    config, archive = read_config(model), Archive.open(uneven)
    with pytest.raises(DataError):
        config.windows(archive)
    loose = replace(config, tolerance=0.3)
    assert len(loose.windows(archive)) == len(config.windows(Archive.open(small_archive)))
    assert set(offered(loose, uneven)) == set(archive.sequences)
    plain = json.loads((folder / "config.json").read_text())
    del plain["provenance"]["training"]["hashes"]
    (folder / "config.json").write_text(json.dumps(plain))
    with pytest.raises(DataError):
        fc.add_reference(folder, uneven)
    (folder / "config.json").write_text(json.dumps(plain | {"tolerance": 0.3}))
    assert fc.add_reference(folder, uneven).is_file()


def test_a_forecast_of_another_archive_takes_all_windows_and_has_its_baselines(model, elsewhere, tmp_path):
    out = tmp_path / "f.zarr"
    fc.forecast(model, elsewhere, out, members=4, steps=2, limit=3, progress=False)
    with open_forecast(out) as file:
        assert file.attrs["split"] == "outside" and file["occasion_last"].sizes["occasion"] > 8
    scores = evaluate(out, replicates=100).scores
    for name in ("dressed_persistence", "fitted_persistence", "climatology"):
        assert scores[name].members == 4 and np.isfinite(scores[name]["crps"].value)
    assert scores.strongest in scores.baselines
    assert scores[scores.strongest]["crps"].value == min(scores[name]["crps"].value for name in scores.baselines)
    assert scores["fitted_persistence"].description.startswith("Fitted persistence is")


def test_what_is_unlike_the_training_is_told_of_with_the_reason(model, small_archive, tmp_path):
    forecaster, archive = load(model), Archive.open(small_archive)
    frames = forecaster.frames
    past = past_of(archive, archive.sequences[0], frames.past_channels, frames.past)
    assert not forecaster.objection(past)
    assert "quantile" in forecaster.objection(1000 * past + 1e5)
    noise = past.flatten()[torch.randperm(past.numel(), generator=torch.Generator().manual_seed(0))].reshape(past.shape)
    assert "times the allowed distance" in forecaster.objection(noise)
    with pytest.warns(FramecastWarning, match="unlike the training data"):
        forecaster.forecast(noise, members=2, steps=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FramecastWarning)
        forecaster.forecast(past, members=2, steps=2)


def test_another_pixel_size_is_told_of(model, small_archive):
    forecaster, archive = load(model), Archive.open(small_archive)
    past = past_of(archive, archive.sequences[0], forecaster.frames.past_channels, forecaster.frames.past)
    guard = type(forecaster.reference.guard)
    own = forecaster.reference.guard
    with_grid = guard(**{**vars(own), "grid": {"pixel_arcsec": 2.4}})
    assert "pixel_arcsec is 4.8 (training: 2.4)" in with_grid.objection(forecaster, past, grid={"pixel_arcsec": 4.8})
    assert not with_grid.objection(forecaster, past, grid={"pixel_arcsec": 2.45})


def test_a_forecast_file_says_which_pasts_are_unlike_and_the_report_reads_it(model, elsewhere, tmp_path):
    strange = tmp_path / "strange.zarr"
    write_corona(strange, regions=1, frames=8, size=(16, 24), seed=5)
    import zarr

    group = zarr.open_group(strange, mode="r+")
    for name in group.group_keys():
        group[f"{name}/intensity"][:] = group[f"{name}/intensity"][:] * 1e4 + 1e6
    with pytest.warns(FramecastWarning, match="unlike the training data"):
        fc.forecast(model, strange, tmp_path / "f.zarr", members=2, steps=2, limit=2, progress=False)
    scores = evaluate(tmp_path / "f.zarr", replicates=100).scores
    assert len(scores[scores.models[0]].unlike) == 2


def test_numbers_of_a_past_are_those_of_its_pixels(model):
    forecaster = load(model)
    frames, normaliser = forecaster.frames, forecaster.normaliser
    random = torch.Generator().manual_seed(1)
    past = 100 + 50 * torch.rand(2, len(frames.past_channels), frames.past, 16, 24, generator=random)
    found, z = describe(past, normaliser, frames), normaliser.forward(past, frames.past_channels)
    assert found.shape == (2, len(frames.past_channels), len(NAMES))
    numbers = dict(zip(NAMES, found.unbind(-1), strict=True))
    torch.testing.assert_close(numbers["median"], z.flatten(2).quantile(0.5, dim=2))
    expected = power_spectrum(z).mean(2)[..., 6:].log().mean(-1)
    torch.testing.assert_close(numbers["structure at smallest scales"], expected)
    white = numbers["structure at small scales"] - numbers["structure at medium scales"]
    assert white.abs().max() < 0.8  # white noise has a flat spectrum


def test_one_percent_of_new_windows_of_the_same_law_are_objected_to_at_most():
    random = torch.Generator().manual_seed(0)
    mixed = torch.randn(30, 30, generator=random)
    train, new = (torch.randn(count, 30, generator=random) @ mixed for count in (800, 4000))
    found = Neighbours.of(train, lambda k: np.arange(800) != k)
    assert found.points.std(0).tolist() == pytest.approx([1.0] * COMPONENTS, rel=0.02)
    assert 0 < np.mean([found.ratio(point) > 1 for point in new]) <= 0.01
    # 10 deviations along any axis is far away, an unknown number is not
    assert found.ratio(found.centre + 10 * torch.linalg.pinv(found.axes)[3]) > 1
    assert found.ratio(torch.full((30,), torch.nan)) < 1


def test_features_are_those_of_the_past_alone(model, small_archive):
    forecaster, archive = load(model), Archive.open(small_archive)
    pasts = torch.stack(
        [past_of(archive, n, forecaster.frames.past_channels, forecaster.frames.past) for n in archive.sequences[:3]]
    )
    together = features(forecaster, pasts)
    assert together.shape[0] == 3
    torch.testing.assert_close(together[:2], features(forecaster, pasts[:2]), rtol=1e-4, atol=1e-5)
    network = forecaster.generator.network
    network.forward = compiled = lambda *inputs: pytest.fail("compiled code calls no hooks")
    torch.testing.assert_close(features(forecaster, pasts[:2]), features(load(model), pasts[:2]))
    assert network.forward is compiled


def test_what_other_weights_saw_is_not_compared(model, tmp_path):
    config = load(model).config
    own = read_reference(model, config.normaliser, config.frames, weights=config.weights_sha256)
    other = read_reference(model, config.normaliser, config.frames, weights="0" * 64)
    assert own.guard.seen is not None and other.guard.seen is None
    assert other.guard.described is not None and other.windows is not None


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b[:8] + b"x" * 50 + b[58:], lambda b: b""])
def test_a_damaged_file_is_refused(model, tmp_path, damage):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    (folder / FILE).write_bytes(damage((folder / FILE).read_bytes()))
    with pytest.raises(DataError, match=FILE):
        load(folder)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("guard.low", lambda t: t[:, :2]),
        ("guard.mean", lambda t: torch.cat([t, t])),
        ("guard.described.axes", lambda t: t[:-1]),
        ("guard.described.limit", lambda t: t[0]),
        ("guard.seen.points", lambda t: t[:, :-1]),
        ("windows.times", lambda t: t[:-1]),
        ("windows.last", lambda t: t[:, :, 0]),
        ("windows.values", lambda t: t[:0]),
        ("ends.mean", lambda t: t[:1]),
        ("ends.mean", None),
        ("guard.low", lambda t: t.to(torch.complex64)),
    ],
)
def test_tensors_of_another_kind_are_damage(model, tmp_path, name, change):
    config = load(model).config
    tensors = load_file(model / FILE)
    with safe_open(model / FILE, framework="pt") as file:
        about = file.metadata()
    own = tensors.pop(name)
    if change is None:
        tensors.pop(name.replace("ends", "windows"))
        tensors[name] = own
    else:
        tensors[name] = change(own).contiguous()
    save_file(tensors, tmp_path / FILE, about)
    with pytest.raises(DataError, match=FILE) as error:
        read_reference(tmp_path, config.normaliser, config.frames)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("about", ["[" * 10**5, "[]", '{"format": "framecast-reference", "version": 1, "grid": [1]}'])
def test_a_strange_header_is_damage(model, tmp_path, about):
    config = load(model).config
    save_file(load_file(model / FILE), tmp_path / FILE, {"about": about})
    with pytest.raises(DataError, match=FILE):
        read_reference(tmp_path, config.normaliser, config.frames)


def test_features_of_another_network_are_told(model, tmp_path):
    forecaster = load(model)
    guard = forecaster.reference.guard
    with pytest.raises(DataError, match="numbers of a past"):
        guard.seen.ratio(torch.zeros(len(guard.seen.centre) + 1))
