import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from framecast.core.errors import DataError, FramecastError
from framecast.models.checkpoint import load, read_config, save_weights
from framecast.models.config import build_network
from framecast.models.header import find_model


@pytest.fixture
def model(small_run, tmp_path):
    """A copy of a trained model's folder that a test may damage."""
    return shutil.copytree(find_model(small_run), tmp_path / "model")


def edit(model, **changes):
    path = model / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.thorough
def test_a_model_comes_back_as_it_was_saved(model, tmp_path):
    config = read_config(model)
    forecaster = load(model)
    save_weights(tmp_path / "again", config, forecaster.generator.network.state_dict())
    again = load(tmp_path / "again")
    before, after = forecaster.generator.network.state_dict(), again.generator.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert read_config(tmp_path / "again").frames == config.frames
    past = torch.rand(3, 2, 16, 24) * 100
    assert torch.equal(
        torch.from_numpy(forecaster.forecast(past, members=2).values),
        torch.from_numpy(again.forecast(past, members=2).values),
    )


def test_a_run_stands_for_its_newest_checkpoint(small_run):
    assert find_model(small_run) == sorted(small_run.glob("checkpoints/*"))[-1] / "model"
    assert load(small_run).name == "tiny"


def test_the_configuration_says_what_it_was_trained_on(small_run, small_archive):
    training = read_config(find_model(small_run)).provenance["training"]
    assert training["archive"] == str(small_archive)
    assert training["windows"]["train"] > 0
    assert len(training["hashes"]["train"]) == 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 99}, "upgrade framecast"),
        ({"format": "other"}, "not a model"),
        ({"networc": 1}, r"networc is unknown \(did you mean network\?\)"),
        ({"weights_sha256": "0" * 64}, "is damaged"),
        ({"labels": ["quiet", "flare"]}, "does not fit"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(model, changes, message):
    edit(model, **changes)
    with pytest.raises(FramecastError, match=message) as caught:
        load(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "[" * 100_000])
def test_a_file_that_is_no_configuration_is_refused(model, content):
    (model / "config.json").write_text(content)
    with pytest.raises(DataError):
        load(model)


def test_damaged_weights_are_refused(model):
    path = model / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="is damaged"):
        load(model)
    path.unlink()
    with pytest.raises(DataError, match="copy both files"):
        load(model)


def test_weights_of_another_shape_are_refused_although_their_checksum_is_right(model):
    import hashlib

    path = model / "weights.safetensors"
    tensors = load_file(path)
    name = max(tensors, key=lambda key: tensors[key].numel())
    tensors[name] = torch.zeros(3)
    save_file(tensors, path)
    edit(model, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match="differs in name or shape"):
        load(model)


def test_a_huge_network_is_refused_before_memory_is_taken(model):
    plain = json.loads((model / "config.json").read_text())
    edit(model, network=plain["network"] | {"width": 400_000})
    with pytest.raises(DataError, match="does not fit"):
        load(model)


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(FramecastError, match="there is no model at"):
        load(tmp_path / "none")
    with pytest.raises(FramecastError, match="contains no model"):
        load(tmp_path)


@pytest.mark.thorough
def test_fresh_weights_follow_the_seed(small_run):
    config = read_config(find_model(small_run))

    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in build_network(config).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
