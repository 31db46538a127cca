import os
import shutil
import types
from dataclasses import replace

import numpy as np
import pytest
import torch

from framecast.core.errors import DataError, FramecastError, FramecastWarning
from framecast.core.fingerprint import ChangedError
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.domains.corona.writing import write_corona
from framecast.models import precision
from framecast.models.archive_forecast import diverged, forecast_windows, plan_forecast, sample_key
from framecast.models.checkpoint import load
from framecast.models.members import Draw
from framecast.models.selection import Selection

pytestmark = [pytest.mark.portable, pytest.mark.thorough]


@pytest.fixture(scope="module")
def forecaster(small_run):
    return load(small_run)


@pytest.fixture(scope="module")
def plan(forecaster, small_archive):
    def make(side="validation", limit=3, archive=small_archive):
        return plan_forecast(forecaster, Archive.open(archive), Selection(split=side, limit=limit))

    return make


def draw(forecaster, members=2, **choices):
    return Draw(members=range(members), seed=4, options=forecaster.options(**choices))


def run(forecaster, plan, out, members=2, **options):
    return list(forecast_windows(forecaster, plan, out, draw(forecaster, members), **options))


def test_the_file_holds_members_truth_past_residuals_and_oracle(forecaster, plan, small_archive, tmp_path):
    out, chosen = tmp_path / "f.zarr", plan()
    assert run(forecaster, chosen, out) == [1, 2, 3]
    with open_forecast(out) as file:
        assert file["forecast"].dims == ("sample", "member", "lead_time", "channel", "y", "x")
        assert file["forecast"].shape == file["oracle"].shape == (3, 2, 3, 2, 16, 24)
        assert file["past"].shape == (3, 2, 3, 16, 24)
        assert np.isfinite(file["forecast"].values).all()
        archive, window = Archive.open(small_archive), chosen.chosen[1]
        frames = archive.read(window.sequence, window.indices, ("94", "193"))
        assert np.array_equal(np.moveaxis(file["truth"].values[1], 0, 1), frames[:, 2:])
        assert file["climatology"].sizes["occasion"] > 10
        assert file["occasion_last"].dims == ("occasion", "channel", "y", "x")
        assert file["issue_time"].values[1] == window.issue_time
        assert (file.attrs["seed"], file.attrs["members"], file.attrs["split"]) == (4, 2, "validation")


def test_members_do_not_depend_on_which_windows_are_forecast(forecaster, plan, tmp_path):
    few, more = plan(limit=1), plan(limit=3)
    assert few.chosen[0] == more.chosen[0]
    run(forecaster, few, tmp_path / "few.zarr", members=1)
    run(forecaster, more, tmp_path / "more.zarr", members=3)
    with open_forecast(tmp_path / "few.zarr") as a, open_forecast(tmp_path / "more.zarr") as b:
        assert np.array_equal(a["forecast"].values[0, 0], b["forecast"].values[0, 0])
    assert sample_key(more.chosen[0]) != sample_key(more.chosen[1])


def test_an_interrupted_forecast_goes_on_with_what_is_missing(forecaster, plan, tmp_path):
    out = tmp_path / "f.zarr"
    job = forecast_windows(forecaster, plan(), out, draw(forecaster))
    assert next(job) == 1
    with pytest.raises(KeyboardInterrupt):
        job.throw(KeyboardInterrupt())
    assert not out.exists()
    drawn, whole = [], forecaster.draw
    forecaster.draw = lambda *args, **options: drawn.append(1) or whole(*args, **options)
    try:
        assert run(forecaster, plan(), out) == [1, 2, 3]
    finally:
        del forecaster.draw
    assert len(drawn) == 2
    run(forecaster, plan(), tmp_path / "straight.zarr")
    with open_forecast(out) as a, open_forecast(tmp_path / "straight.zarr") as b:
        assert np.array_equal(a["forecast"], b["forecast"])


def test_a_forecast_of_an_archive_that_changes_meanwhile_is_not_kept(forecaster, plan, small_archive, tmp_path):
    archive = shutil.copytree(small_archive, tmp_path / "archive.zarr")
    job = forecast_windows(forecaster, plan(archive=archive), tmp_path / "f.zarr", draw(forecaster))
    assert next(job) == 1
    chunk = next(path for path in (archive / "region-0000/intensity/c").rglob("*") if path.is_file())
    os.utime(chunk)
    with pytest.raises(ChangedError, match="changed while it was read"):
        list(job)
    assert [path.name for path in tmp_path.iterdir()] == ["archive.zarr"]


@pytest.mark.slow
def test_a_forecast_goes_on_in_the_precision_it_was_begun_in(small_run, plan, tmp_path, monkeypatch):
    """Begun where bf16 is fast, continued where it is not; what is asked for by name begins again."""
    monkeypatch.setenv("FRAMECAST_CACHE", str(tmp_path / "cache"))  # without what was measured on this machine
    out, said = tmp_path / "f.zarr", []

    def job(**choices):
        forecaster = load(small_run)  # a process of its own has no choice from before
        task = types.SimpleNamespace(tell=said.append, reach=lambda done: None)
        return forecast_windows(forecaster, plan(), out, draw(forecaster, **choices), task=task)

    with monkeypatch.context() as fast:
        fast.setattr(precision, "lacks_bf16", lambda device: None)
        fast.setattr(precision, "_measure", lambda *_: 2.0)
        begun = job()
        next(begun)
        begun.close()
    monkeypatch.setattr(precision, "lacks_bf16", lambda device: "an abacus")
    assert list(job()) == [1, 2, 3]
    assert ["precision bf16" in line for line in said] == [True, True]
    assert "started" in said[1] and "slower" in said[1]
    with open_forecast(out) as file:
        assert file.attrs["precision"] == "bf16"
    monkeypatch.setattr(precision, "lacks_bf16", lambda device: None)
    list(_straight(load(small_run), plan(), tmp_path / "straight.zarr", precision="bf16"))
    with open_forecast(out) as a, open_forecast(tmp_path / "straight.zarr") as b:
        assert np.array_equal(a["forecast"], b["forecast"])


def test_a_forecast_in_another_precision_that_is_asked_for_is_another_forecast(small_run, plan, tmp_path):
    out = tmp_path / "f.zarr"
    begun = _straight(load(small_run), plan(), out, precision="bf16")
    next(begun)
    begun.close()
    assert list(_straight(load(small_run), plan(), out, precision="float32")) == [1, 2, 3]
    with open_forecast(out) as file:
        assert file.attrs["precision"] == "float32"


def _straight(forecaster, plan, out, **choices):
    return forecast_windows(forecaster, plan, out, draw(forecaster, **choices))


def test_an_existing_file_stays_unless_overwrite_is_said(forecaster, plan, tmp_path):
    out = tmp_path / "f.zarr"
    run(forecaster, plan(limit=2), out)
    with pytest.raises(FramecastError, match="exists already"):
        run(forecaster, plan(limit=1), out)
    run(forecaster, plan(limit=1), out, overwrite=True)
    assert open_forecast(out).sizes["sample"] == 1


def test_nothing_but_a_forecast_is_ever_replaced(forecaster, plan, small_archive, small_run, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").touch()
    for precious in (small_archive, small_run, tmp_path / "thesis"):
        before = sorted(precious.rglob("*"))
        with pytest.raises(FramecastError, match="is not a framecast forecast"):
            run(forecaster, plan(limit=1), precious, overwrite=True)
        assert sorted(precious.rglob("*")) == before


def stop_after_one(forecaster, plan, out):
    job = forecast_windows(forecaster, plan, out, draw(forecaster))
    assert next(job) == 1
    with pytest.raises(KeyboardInterrupt):
        job.throw(KeyboardInterrupt())


def test_an_unfinished_forecast_is_not_judged(forecaster, plan, tmp_path):
    stop_after_one(forecaster, plan(), tmp_path / "f.zarr")
    with pytest.raises(DataError, match="unfinished"):
        open_forecast(tmp_path / ".f.zarr.partial")


def test_a_forecast_begun_with_other_weights_is_not_gone_on_with(forecaster, plan, tmp_path, monkeypatch):
    assert len(forecaster.config.weights_sha256) == 64
    stop_after_one(forecaster, plan(), tmp_path / "f.zarr")
    drawn, whole = [], forecaster.draw
    monkeypatch.setattr(forecaster, "config", replace(forecaster.config, weights_sha256="other weights"))
    monkeypatch.setattr(forecaster, "draw", lambda *args, **options: drawn.append(1) or whole(*args, **options))
    assert run(forecaster, plan(), tmp_path / "f.zarr") == [1, 2, 3]
    assert len(drawn) == 3  # the first sample too, anew
    assert open_forecast(tmp_path / "f.zarr").attrs["weights_sha256"] == "other weights"


def test_a_size_the_network_does_not_divide_is_forecast_as_it_is(forecaster, plan, tmp_path):
    write_corona(tmp_path / "odd.zarr", regions=10, frames=6, size=20, seed=0)
    run(forecaster, plan(archive=tmp_path / "odd.zarr", limit=1), tmp_path / "f.zarr")
    with open_forecast(tmp_path / "f.zarr") as file:
        assert file["forecast"].shape[-2:] == (20, 20) and np.isfinite(file["forecast"].values).all()


def test_sides_do_not_overlap_and_all_takes_every_window(plan):
    windows = {
        side: {w.id for w in plan(side=side, limit=None).chosen} for side in ("train", "validation", "test", "all")
    }
    assert not windows["train"] & windows["validation"]
    assert not windows["validation"] & windows["test"]
    assert windows["train"] | windows["validation"] | windows["test"] == windows["all"]


def test_an_archive_of_another_unit_or_other_channels_is_refused(plan, small_archive, tmp_path):
    import json
    import shutil

    other = shutil.copytree(small_archive, tmp_path / "other.zarr")
    path = other / "zarr.json"
    root = json.loads(path.read_text())
    root["attributes"]["unit"] = "K"
    path.write_text(json.dumps(root))
    with pytest.raises(DataError, match="is in K"):
        plan(archive=other)


def test_members_that_diverge_are_warned_of_once(forecaster, plan, tmp_path, monkeypatch):
    whole = forecaster.draw

    def draw(past, wanted, **options):
        drawn = whole(past, wanted)
        drawn[1, 0, 2, 3, 4] = torch.inf
        return drawn

    monkeypatch.setattr(forecaster, "draw", draw)
    with pytest.warns(FramecastWarning) as warned:
        run(forecaster, plan(), tmp_path / "f.zarr")
    [line] = [str(warning.message) for warning in warned if "unlike" not in str(warning.message)]
    assert line.startswith(f"1 of 2 members of {plan().chosen[0].id} diverged")
    assert "clip" in line


def test_what_the_past_does_not_show_has_not_diverged(plan):
    frames = plan().frames
    past, drawn = torch.ones(3, 2, 16, 24), torch.ones(4, 2, 3, 16, 24)
    past[frames.past_channels.index("94"), :, 0, 0] = torch.nan
    drawn[:, 0, :, 0, 0] = torch.nan
    assert diverged(drawn, past, frames) == 0
    drawn[2, 1, 0, 0, 0] = torch.nan
    drawn[3, 0, 1, 5, 5] = -torch.inf
    assert diverged(drawn, past, frames) == 2


def test_finite_members_far_beyond_past_and_training_have_diverged(forecaster, plan):
    frames = plan().frames
    past, drawn = torch.full((3, 2, 16, 24), 100.0), torch.full((4, 2, 3, 16, 24), 150.0)
    drawn[1, 0, 0, 0, 0] = 5000.0  # a flare
    assert diverged(drawn, past, frames, forecaster.normaliser) == 0
    drawn[2, 1, 0, 0, 0] = 1e30
    assert diverged(drawn, past, frames, forecaster.normaliser) == 1
