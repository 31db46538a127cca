import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from framecast.core.errors import ConfigError, FramecastError
from framecast.data.archive.reader import Archive
from framecast.diffusion.noise import smooth_fields
from framecast.diffusion.sampler import DDIM
from framecast.models.checkpoint import load
from framecast.models.export import describe_export, example_inputs, export_model
from framecast.models.forecaster import Forecaster
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe
from framecast.training.train import run_training
from framecast.videos.labelled import to_tensor


@pytest.fixture
def forecaster(small_run):
    forecaster = load(small_run)
    # Zero weights at the end, as training starts, would make everything equal whatever is exported.
    torch.manual_seed(1)
    for parameter in forecaster.generator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return forecaster


def random_inputs(forecaster, *, batch, size=None):
    torch.manual_seed(2)
    inputs = example_inputs(forecaster, batch=batch, size=size)
    return {name: torch.rand(value.shape) if value.is_floating_point() else value for name, value in inputs.items()}


def estimate(forecaster, inputs):
    """What the denoiser itself says; times are float64 inside framecast and float32 in the graph."""
    x_t, t, *others = inputs.values()
    with torch.no_grad():
        return forecaster.generator(x_t, t.double(), *others)


@pytest.mark.slow
def test_the_exported_program_is_the_denoiser_for_any_batch_at_another_size(forecaster, tmp_path):
    path = export_model(forecaster, tmp_path / "out", format="torch", size=(24, 16))
    program = torch.export.load(path).module()
    for batch in (1, 5):
        inputs = random_inputs(forecaster, batch=batch, size=(24, 16))
        expected = estimate(forecaster, inputs)
        assert expected.std() > 0.1
        with torch.no_grad():
            torch.testing.assert_close(program(*inputs.values()), expected, rtol=1e-5, atol=1e-6)


def test_the_record_says_what_a_loop_elsewhere_needs(forecaster):
    record = describe_export(forecaster, example_inputs(forecaster), "onnx")
    assert json.loads(json.dumps(record)) == record
    assert record["inputs"]["past"]["shape"] == ["batch", 3, 2, 16, 24]
    assert record["output"]["shape"] == ["batch", 2, 3, 16, 24]
    sampling = record["sampling"]
    assert len(sampling["times"]) == len(sampling["alpha"]) == sampling["steps"] == 3
    assert np.allclose(np.square(sampling["alpha"]) + np.square(sampling["sigma"]), 1)
    assert set(record["normaliser"]["stretches"]) == {*record["frames"]["past_channels"], "94", "193"}


def test_what_cannot_be_exported_is_refused_before_anything_is_written(forecaster, tmp_path):
    with pytest.raises(ConfigError, match="height 30 is not divisible by 8"):
        export_model(forecaster, tmp_path / "out", format="torch", size=(30, 32))
    with pytest.raises(ConfigError, match=r"'tflite' .* onnx, torch"):
        export_model(forecaster, tmp_path / "out", format="tflite")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(FramecastError, match="is not a framecast export"):
        export_model(forecaster, tmp_path / "thesis", format="torch", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis"]


@pytest.mark.slow
def test_onnxruntime_draws_the_same_member(forecaster, small_archive, tmp_path):
    """The exported graph, the record and a DDIM loop of a few lines of NumPy give what framecast gives."""
    onnxruntime = pytest.importorskip("onnxruntime")
    config = replace(forecaster.config, sampling=replace(forecaster.sampling, sampler=DDIM()))
    forecaster = Forecaster(config, forecaster.generator)
    path = export_model(forecaster, tmp_path / "out", format="onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    record = json.loads((tmp_path / "out" / "export.json").read_text())

    archive = Archive.open(small_archive)
    past = archive.sequence(archive.sequences[0])["intensity"].isel(time=slice(1, 3)).load()
    condition = forecaster.conditioning.condition(to_tensor(past, forecaster.frames)[None]).expand(3, -1, -1, -1, -1)
    noise = torch.randn(3, *record["output"]["shape"][1:])
    with torch.no_grad():
        expected = forecaster.generator.generate(condition, noise=lambda _: noise, options=forecaster.sampling)

    x = noise.numpy()
    alphas, sigmas = [*record["sampling"]["alpha"], 1.0], [*record["sampling"]["sigma"], 0.0]
    for k, time in enumerate(record["sampling"]["times"]):
        inputs = {"x_t": x, "t": np.full(3, time, np.float32), "past": condition.numpy()}
        [x0] = session.run(None, inputs)
        remaining = (x - alphas[k] * x0) / sigmas[k]
        x = (alphas[k + 1] * x0 + sigmas[k + 1] * remaining).astype(np.float32)
    np.testing.assert_allclose(x, expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "noise", [[], ["one_shot.fields=3"], ["one_shot.fields=2", "network.noise_vector=5", "network.dropout=0.1"]]
)
def test_a_one_shot_model_under_onnxruntime(small_archive, small_changes, tmp_path, noise):
    onnxruntime = pytest.importorskip("onnxruntime")
    changes = [change for change in small_changes if not change.startswith("sampling")]
    recipe = load_recipe("tiny", [*changes, "diffusion=null", "one_shot.members=2", "training.steps=2", *noise])
    for _ in run_training(prepare(recipe, Archive.open(small_archive)), tmp_path / "run"):
        pass
    forecaster = load(tmp_path / "run")
    torch.manual_seed(1)
    for parameter in forecaster.generator.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    path = export_model(forecaster, tmp_path / "out", format="onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = random_inputs(forecaster, batch=4)
    past = inputs["past"]
    if "fields" in inputs:
        past = torch.cat([past, smooth_fields(inputs["fields"])], dim=1)
    with torch.no_grad():
        expected = forecaster.generator(inputs["noise"], past, inputs.get("label"), inputs.get("vector"))
    assert expected.std() > 0.1
    [drawn] = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    np.testing.assert_allclose(drawn, expected.numpy(), rtol=1e-4, atol=1e-5)
