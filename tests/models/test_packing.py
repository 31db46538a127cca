import json
from dataclasses import replace

import pytest
import torch

from framecast.cli import run as command
from framecast.core.errors import DataError, FramecastError
from framecast.models.checkpoint import load, read_config, save_weights
from framecast.models.header import find_model
from framecast.models.packing import halved, pack_model


@pytest.fixture
def folder(small_run, tmp_path):
    """A small model with weights that are no round numbers."""
    source = find_model(small_run)
    network = load(source).generator.network
    torch.manual_seed(0)
    weights = {name: torch.randn_like(value) for name, value in network.state_dict().items()}
    save_weights(tmp_path / "source", read_config(source), weights)
    return tmp_path / "source"


def weights_of(folder):
    return load(folder).generator.network.state_dict()


@pytest.mark.thorough
def test_a_packed_model_is_the_same_model(folder, tmp_path):
    packed = pack_model(folder, tmp_path / "packed")
    assert sorted(path.name for path in packed.iterdir()) == ["config.json", "weights.safetensors"]
    assert all(torch.equal(value, weights_of(packed)[name]) for name, value in weights_of(folder).items())
    assert read_config(packed).weights_sha256 == read_config(folder).weights_sha256


@pytest.mark.thorough
@pytest.mark.slow
def test_half_the_size_for_a_rounding_of_the_weights(folder, tmp_path):
    packed = pack_model(folder, tmp_path / "packed", half=True)
    size, whole = ((path / "weights.safetensors").stat().st_size for path in (packed, folder))
    assert size < 0.6 * whole
    for name, value in weights_of(folder).items():
        read = weights_of(packed)[name]
        assert read.dtype == torch.float32
        assert torch.equal(read, value.half().float())
        assert (read - value).abs().max() <= 2**-11 * value.abs().max()


def test_the_place_of_the_archive_is_left_out(small_run, tmp_path):
    assert "/" in read_config(find_model(small_run)).provenance["training"]["archive"]
    packed = pack_model(small_run, tmp_path / "packed")
    training = read_config(packed).provenance["training"]
    assert training["archive"] == "small.zarr"
    assert training["hashes"]
    assert "/" not in json.dumps(training["archive"])


def test_a_calibration_goes_with_the_weights_it_was_made_for(folder, tmp_path):
    (folder / "calibration.json").write_text("{}")
    assert (pack_model(folder, tmp_path / "whole") / "calibration.json").is_file()
    assert not (pack_model(folder, tmp_path / "half", half=True) / "calibration.json").exists()


def test_a_weight_beyond_float16_is_refused():
    with pytest.raises(FramecastError, match=r"mix is 1e\+05, .* 65504"):
        halved("mix", torch.tensor([1.0, -1e5]))


def test_weights_that_are_whole_numbers_are_refused(folder, tmp_path):
    weights = {name: value.int() for name, value in weights_of(folder).items()}
    save_weights(tmp_path / "whole", replace(read_config(folder)), weights)
    with pytest.raises(DataError, match=r"torch\.int32; .*torch.float32"):
        load(tmp_path / "whole")


def test_the_command(folder, tmp_path, capsys):
    out = tmp_path / "packed"
    assert command(["export", str(folder), str(out), "--format", "model", "--half"]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(out)
    assert "in float16" in captured.err
    assert command(["export", str(folder), str(out), "--format", "model"]) == 2
    assert "pass --overwrite" in capsys.readouterr().err
    assert command(["export", str(folder), str(out), "--half"]) == 2
    assert "--half is for --format model" in capsys.readouterr().err
    assert command(["export", str(folder), str(out), "--format", "model", "--size", "64"]) == 2
    assert "takes frames of any size" in capsys.readouterr().err
