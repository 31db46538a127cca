"""Parts of a user's own, from outside the package: trained, saved, loaded and used, from Python and from a recipe."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import framecast as fc
from framecast.cli import run
from framecast.core.configuration import to_plain
from framecast.training.recipe import dump_recipe

pytestmark = pytest.mark.thorough


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def recipe(small_changes):
    return fc.load_recipe("tiny", [*small_changes, "training.steps=3", "training.validate_every=2"])


def write_recipe(path, recipe, **sections):
    """Write ``recipe`` as YAML with other ``sections``."""
    plain = yaml.safe_load(dump_recipe(recipe))
    for section, settings in sections.items():
        plain[section] = {**(plain[section] or {}), **settings} if "kind" not in settings else settings
    path.write_text(yaml.safe_dump(plain))
    return path


def past_of(archive, frames=2):
    opened = fc.open_archive(archive)
    return opened.sequence(opened.sequences[0])["intensity"].isel(time=slice(0, frames)).load()


def test_a_network_from_python(recipe, small_archive, tmp_path):
    from own_parts import FrameNetwork

    made = FrameNetwork(3, 2, width=5)
    trained = fc.train(recipe, small_archive, out=tmp_path / "run", network=made, progress=False)
    assert (trained.step, json.loads((tmp_path / "run/data.json").read_text())["windows"]["train"] > 0) == (3, True)
    with pytest.raises(fc.ConfigError, match=r"own_parts:FrameNetwork.*network=.*trust_code=True"):
        fc.load(tmp_path / "run")
    model = fc.load(trained, network=FrameNetwork(3, 2, width=5))
    stored = model.generator.network.state_dict()
    assert torch.equal(stored["mix.weight"], stored["again.weight"])  # one set of weights, averaged once
    ensemble = model.forecast(past_of(small_archive), members=2)
    assert ensemble.shape == (2, 3, 2, 16, 24)
    assert np.isfinite(ensemble).all()
    written = fc.forecast(model, small_archive, tmp_path / "f.zarr", members=2, limit=1, progress=False)
    assert fc.open_forecast(written).attrs["model"] == "tiny"
    with pytest.raises(fc.DataError, match="differs in name or shape"):
        fc.load(trained, network=FrameNetwork(3, 2, width=6))


def test_a_network_from_a_recipe_and_the_command_line(recipe, small_archive, tmp_path, capsys):
    file = write_recipe(tmp_path / "r.yaml", recipe, network={"kind": "own_parts:FrameNetwork", "width": 3})
    out, archive = str(tmp_path / "run"), str(small_archive)
    assert run(["train", str(file), "--data", archive, "--out", out]) == 0
    forecast = ["forecast", out, archive, str(tmp_path / "f.zarr"), "--members", "2", "--limit", "1"]
    capsys.readouterr()
    assert run(forecast) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert "own_parts:FrameNetwork" in line
    assert "--trust-code" in line
    assert run([*forecast, "--trust-code"]) == 0
    assert fc.load(out, trust_code=True).generator.network.enter.out_channels == 3


def test_a_network_that_returns_another_shape_is_refused(recipe, small_archive, tmp_path):
    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, x, time, past, label):
            return self.weight * x[:, :1]

    with pytest.raises(fc.ConfigError, match="must return the shape of x"):
        fc.train(recipe, small_archive, out=tmp_path / "run", network=Flat(), progress=False)


def test_a_dataset_from_python(recipe, tmp_path):
    from own_parts import Waves

    one = {"data.past_channels": ["rain"], "data.future_channels": None, "data.cadence": "5min"}
    with pytest.raises(fc.ConfigError, match="validation="):
        fc.train(recipe, Waves(), out=tmp_path / "run", progress=False, **one)
    fc.train(recipe, Waves(), validation=Waves("validation"), out=tmp_path / "run", progress=False, **one)
    model = fc.load(tmp_path / "run")
    assert (model.unit, model.frames.cadence, model.frames.past_channels) == ("mm/h", 300.0, ("rain",))
    past, future, _ = Waves("validation").batch([0, 1, 2], None)
    ensembles = model.forecast(past, members=2)
    assert ensembles.dims[0] == "sample"
    scores = fc.score(ensembles, future)
    assert np.isfinite(scores["crps"]).all()


def test_a_dataset_from_a_recipe(recipe, tmp_path):
    own = {"windows": {"kind": "own_parts:Waves", "count": 9}, "cadence": "5min"}
    plain = {"past_channels": ["rain"], "future_channels": None}
    file = write_recipe(tmp_path / "r.yaml", recipe, data={**own, **plain})
    assert run(["train", str(file), "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run/data.json").read_text())["windows"] == {"train": 9, "validation": 9}


OWN = {
    "sampling": {"sampler": {"kind": "own_parts:Straight", "shrink": 0.9}, "grid": {"kind": "own_parts:Harmonic"}},
    "diffusion": {
        "schedule": {"kind": "own_parts:Quarter", "power": 2.0},
        "weighting": {"kind": "own_parts:Clean"},
        "draw": {"kind": "own_parts:Early"},
    },
}


def test_parts_of_the_diffusion_and_the_split_from_a_recipe(recipe, small_archive, tmp_path):
    file = write_recipe(tmp_path / "r.yaml", recipe, data={"split": {"kind": "own_parts:EveryThird"}}, **OWN)
    run_of = fc.train(file, small_archive, out=tmp_path / "run", progress=False)
    assert to_plain(fc.load_recipe(tmp_path / "run/recipe.yaml"))["diffusion"]["schedule"] == {
        "kind": "own_parts:Quarter",
        "power": 2.0,
    }
    with pytest.raises(fc.ConfigError, match=r"own_parts:\w+ .*--trust-code"):
        fc.load(run_of)
    model = fc.load(run_of, trust_code=True)
    ensemble = model.forecast(past_of(small_archive), members=2)
    assert ensemble.attrs["sampler"] == "own_parts:Straight(shrink=0.9)"
    assert np.isfinite(ensemble).all()


def test_a_generator_from_a_recipe(recipe, small_archive, tmp_path):
    generator = {"kind": "own_parts:DirectOptions"}
    file = write_recipe(tmp_path / "r.yaml", fc.load_recipe(recipe, {"diffusion": None}), generator=generator)
    run_of = fc.train(file, small_archive, out=tmp_path / "run", progress=False)
    assert to_plain(fc.load_recipe(tmp_path / "run/recipe.yaml"))["generator"] == generator
    with pytest.raises(fc.ConfigError, match=r"own_parts:DirectOptions .*--trust-code"):
        fc.load(run_of)
    ensemble = fc.load(run_of, trust_code=True).forecast(past_of(small_archive), members=2)
    assert (ensemble.attrs["sampler"], ensemble.attrs["steps"]) == ("direct", 1)
    assert np.isfinite(ensemble).all() and not np.allclose(ensemble[0], ensemble[1])
    with pytest.raises(fc.ConfigError, match="diffusion and generator"):
        fc.load_recipe(file, {"diffusion": {"noise_slope": 0.5}})


def test_a_sampler_in_a_call_and_as_text(small_run, small_archive):
    from own_parts import Straight

    model, past = fc.load(small_run), past_of(small_archive)
    drawn, again = (model.forecast(past, members=2, sampler=s) for s in (Straight(), "own_parts:Straight:shrink=1.0"))
    np.testing.assert_array_equal(drawn, again)
    assert drawn.attrs["sampler"].startswith("own_parts:Straight")
    like = model.forecast(past, members=2, sampler=fc.samplers.DDIM(eta=0.0))
    np.testing.assert_array_equal(drawn, like)


def test_an_importer_from_python_and_the_command_line(tmp_path):
    from own_parts import NumpyFilm

    values = np.random.default_rng(0).normal(size=(4, 8, 16)).astype(np.float32)
    np.savez(tmp_path / "film.npz", frames=values, seconds=np.arange(4) * 60.0)
    imported = fc.import_data(tmp_path / "film.npz", tmp_path / "a.zarr", importer=NumpyFilm, gain=2.0, progress=False)
    assert (imported.frames, imported.unit, imported.cadence) == (4, "counts", 60.0)
    archive = fc.open_archive(tmp_path / "a.zarr")
    assert archive.sequences == ("film",)
    np.testing.assert_array_equal(archive.read("film", range(4))[0], 2 * values)
    command = ["import", str(tmp_path / "film.npz"), str(tmp_path / "b.zarr"), "--importer", "own_parts:NumpyFilm"]
    assert run(command) == 0
    np.testing.assert_array_equal(fc.open_archive(tmp_path / "b.zarr").read("film", range(4))[0], values)


@pytest.mark.slow
def test_a_score_a_quantity_and_a_baseline_from_python_and_the_command_line(small_run, small_archive, tmp_path, capsys):
    from own_parts import BIAS, MEAN_PAST, REACH

    file = fc.forecast(fc.load(small_run), small_archive, tmp_path / "f.zarr", members=3, limit=4, progress=False)
    own = {"scores": [BIAS], "quantities": [REACH], "baselines": [MEAN_PAST]}
    judged = fc.evaluate(file, replicates=100, progress=False, **own)
    stored = fc.open_forecast(file)
    error = stored["forecast"].mean("member") - stored["truth"]
    by_channel = error.mean([dim for dim in error.dims if dim != "channel"]).values
    bias = judged.scores["tiny"]["bias"]
    assert bias.by_channel.value == pytest.approx(by_channel, rel=1e-4)
    assert bias.value == pytest.approx((by_channel / judged.scores.scale).mean(), rel=1e-4)
    truth = stored["truth"].isel(sample=0)
    reach = truth.max(("lead_time", "y", "x")) - truth.min(("lead_time", "y", "x"))
    assert judged.quantities[-1].function(torch.from_numpy(truth.transpose("channel", ...).values), 1.0).numpy() == (
        pytest.approx(reach.values)
    )
    first = stored["past"].isel(sample=0).transpose("past_channel", "past_time", ...).mean("past_time")
    found = judged.cases[0].forecasts["mean_past"][0, :, 0].numpy()
    np.testing.assert_allclose(found, first.sel(past_channel=stored["channel"].values), rtol=1e-5)
    words = ["--add", "own_parts:BIAS", "--add", "own_parts:REACH", "--add", "own_parts:MEAN_PAST"]
    out = tmp_path / "report"
    assert run(["evaluate", str(file), "--out", str(out), "--replicates", "100", *words]) == 0
    assert "Bias" in capsys.readouterr().out
    scores = json.loads((out / "scores.json").read_text())
    assert scores["forecasts"]["tiny"]["scores"]["bias"]["total"]["value"] == judged.scores["tiny"]["bias"].value
    assert {"bias", "reach_crps"} <= set(scores["score_info"])
    assert {"Mean of the past", "Reach"} <= {
        scores["forecasts"]["mean_past"]["label"],
        scores["quantity_info"]["reach"]["label"],
    }
    assert all(word in (out / "report.html").read_text() for word in ("Bias", "Mean of the past", "reach"))
    alone = fc.score(stored["forecast"], stored["truth"], scores=[BIAS], quantities=[REACH])
    assert float(alone["bias"]) == pytest.approx(judged.scores["tiny"]["bias"].value, rel=1e-5)
    assert "reach" in alone["quantity"].values


@pytest.mark.parametrize("section", ["network", "sampler"])
def test_code_that_a_model_names_is_never_imported_unasked(section, small_run, tmp_path, monkeypatch):
    from framecast.models.header import find_model

    (tmp_path / "stranger.py").write_text(f"open({str(tmp_path / 'was-here')!r}, 'w')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "model"
    folder.mkdir()
    for file in find_model(small_run).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    own = {"kind": "stranger:Part"}
    config = config | {"network": own} if section == "network" else config | {"sampling": {"sampler": own}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(fc.ConfigError, match=r"stranger:Part.*--trust-code"):
        fc.load(folder)
    run(["info", str(folder)])
    run(["export", str(folder), str(tmp_path / "export")])
    assert not (tmp_path / "was-here").exists()
    assert "stranger" not in sys.modules


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("own_parts:Missing", "own_parts has no Missing"),
        ("no_such_module:Thing", "there is no module no_such_module"),
        ("own_parts:Quarter", "derived from framecast's Sampler"),
        ("own_parts:Straight", "shrunk is unknown"),
    ],
)
def test_a_part_that_cannot_be_used_is_refused_in_one_line(recipe, kind, message):
    settings = {"shrunk": 1.0} if kind == "own_parts:Straight" else {}
    with pytest.raises(fc.ConfigError, match=message) as caught:
        fc.load_recipe(recipe, {"sampling": {"sampler": {"kind": kind, **settings}}})
    assert "\n" not in str(caught.value)
