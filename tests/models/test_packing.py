import json
from dataclasses import replace

import pytest
import torch

from framecast.cli import run as command
from framecast.core.errors import DataError, FramecastError
from framecast.core.files import write_atomically
from framecast.models.checkpoint import load, read_config, save_weights
from framecast.models.export import halved, pack_model
from framecast.models.header import find_model
from framecast.models.reference import write_reference
from framecast.verification.recalibration.calibration import write_calibration


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
    read = weights_of(packed)
    assert all(torch.equal(value, read[name]) for name, value in weights_of(folder).items())
    assert read_config(packed).weights_sha256 == read_config(folder).weights_sha256


@pytest.mark.thorough
@pytest.mark.slow
def test_half_the_size_for_a_rounding_of_the_weights(folder, tmp_path):
    packed = pack_model(folder, tmp_path / "packed", half=True)
    size, whole = ((path / "weights.safetensors").stat().st_size for path in (packed, folder))
    assert size < 0.6 * whole
    rounded = weights_of(packed)
    for name, value in weights_of(folder).items():
        read = rounded[name]
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


@pytest.mark.thorough
def test_calibration_and_reference_go_along(tmp_path):
    released, source = load("sun-171"), tmp_path / "source"
    weights = {name: 1.0001 * value for name, value in released.generator.network.state_dict().items()}
    save_weights(source, released.config, weights)
    drawing = {**released.calibration.drawing, "weights_sha256": read_config(source).weights_sha256}
    write_calibration(source, replace(released.calibration, drawing=drawing))
    write_reference(source, released.reference, released.config.normaliser, released.frames)

    given, packed = load(source), load(pack_model(source, tmp_path / "half", half=True))
    checksum = packed.config.weights_sha256
    assert checksum != given.config.weights_sha256
    assert packed.calibration.drawing == {**drawing, "weights_sha256": checksum}
    assert packed.calibration.offsets == given.calibration.offsets
    seen, before = packed.reference.guard.to_tensors(), given.reference.guard.to_tensors()
    assert seen.keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in seen.items())
    values, others = (torch.as_tensor(model.reference.windows.values) for model in (packed, given))
    assert torch.allclose(values, others, equal_nan=True)


def test_a_calibration_made_for_other_weights_stays_behind(folder, tmp_path):
    write_atomically(folder / "calibration.json", (find_model("sun-171") / "calibration.json").read_bytes())
    assert not (pack_model(folder, tmp_path / "packed") / "calibration.json").exists()


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
    assert "--half applies to --format model" in capsys.readouterr().err
    assert command(["export", str(folder), str(out), "--format", "model", "--size", "64"]) == 2
    assert "accepts frames of any size" in capsys.readouterr().err
