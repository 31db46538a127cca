import shutil
from dataclasses import replace

import pytest
import torch
import xarray as xr

from framecast.core.errors import ConfigError
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.models.archive_forecast import forecast
from framecast.models.checkpoint import load, save_weights
from framecast.models.header import find_model
from framecast.models.model_ensemble import ModelEnsemble

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def seeds(small_run, tmp_path_factory):
    """A folder of three models that differ in their weights."""
    folder = tmp_path_factory.mktemp("seeds")
    for k in range(3):
        model = load(small_run)
        torch.manual_seed(k)
        for parameter in model.generator.network.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
        config = replace(model.config, name="seeds", provenance={"seed": k})
        save_weights(folder / f"seed-{k}", config, model.generator.network.state_dict())
    return folder


@pytest.fixture(scope="module")
def past(small_archive):
    archive = Archive.open(small_archive)
    return torch.from_numpy(archive.read(archive.sequences[0], range(2)))


def test_member_m_is_that_of_model_m_mod_j(seeds, past):
    models = [load(seeds / f"seed-{k}") for k in range(3)]
    together = load(seeds).forecast(past, members=7, seed=4)
    for member in range(7):
        alone = models[member % 3].forecast(past, members=7, seed=4)
        assert (together[member] == alone[member]).all()
    assert together.attrs["model"] == "seeds"
    assert together.attrs["models_training_seed"] == "0, 1, 2"
    assert together.attrs["models_weights_sha256"].split(", ") == [model.config.weights_sha256 for model in models]
    paths = [seeds / f"seed-{k}" for k in range(3)]
    assert (load(paths).forecast(past, members=3, seed=4, chunk=1) == together[:3]).all()


@pytest.mark.parametrize("name", ["out.zarr", "out.nc"])
def test_forecast_files_name_the_models(seeds, small_archive, tmp_path, name):
    out = forecast(seeds, small_archive, tmp_path / name, members=4, limit=1, split="test", progress=False)
    attrs = xr.open_dataset(out, decode_times=False).attrs if out.suffix == ".nc" else open_forecast(out).attrs
    assert attrs["models_training_seed"] == "0, 1, 2"
    assert len(set(attrs["models_weights_sha256"].split(", "))) == 3


def test_models_that_do_not_agree_are_refused(seeds, small_run, tmp_path):
    with pytest.raises(ConfigError, match="at least two"):
        ModelEnsemble([load(small_run)])
    other = load(small_run)
    config = replace(other.config, sampling=replace(other.sampling, steps=2))
    save_weights(tmp_path / "other", config, other.generator.network.state_dict())
    with pytest.raises(ConfigError, match="sampling"):
        load([seeds / "seed-0", tmp_path / "other"])


def test_a_run_is_one_model(small_run, tmp_path):
    run = shutil.copytree(small_run, tmp_path / "run")
    assert not isinstance(load(run), ModelEnsemble)
    assert find_model(run).parent.parent.name == "checkpoints"
