import pytest
import torch

import framecast as fc
from framecast.cli import run
from framecast.core.errors import ConfigError
from framecast.models.checkpoint import load, read_config
from framecast.models.header import find_model
from framecast.training.run import Run

pytestmark = pytest.mark.thorough

SHORT = {"training.batch": 4, "training.validation_windows": 4, "training.precision": "float32"}


@pytest.mark.slow
def test_students_teach_each_other(small_run, small_archive, tmp_path):
    out = tmp_path / "fast"
    arguments = ["distill", str(small_run), "--out", str(out), "--data", str(small_archive), "--steps", "1"]
    arguments += ["--teacher-steps", "4", "--updates", "2", *(f"{name}={value}" for name, value in SHORT.items())]
    assert run(arguments) == 0
    student, middle, teacher = load(out), load(tmp_path / "fast-2"), load(small_run)
    assert student.config.training["start"]["weights_sha256"] == middle.config.weights_sha256
    assert middle.config.training["start"]["weights_sha256"] == teacher.config.weights_sha256
    assert student.normaliser == teacher.normaliser
    assert student.config.target == teacher.config.target
    assert student.sampling.steps == 1
    with pytest.raises(ConfigError, match="needs a step for each"):
        student.options(steps=2)
    archive = fc.open_archive(small_archive)
    past = torch.from_numpy(archive.read(archive.sequences[0], range(2)))
    assert student.forecast(past, members=3).std("member").mean() > 0
    before = (find_model(out) / "weights.safetensors").read_bytes()
    assert run(arguments) == 0  # all of it is there
    assert (find_model(out) / "weights.safetensors").read_bytes() == before


@pytest.mark.slow
def test_an_interrupted_distillation_resumes(small_run, small_archive, tmp_path):
    common = {"steps": 2, "teacher_steps": 4, "updates": 3, "progress": False, **SHORT}
    whole = fc.distill(small_run, small_archive, out=tmp_path / "whole", **common)
    cut = fc.distill(small_run, small_archive, out=tmp_path / "cut", stop=lambda: True, **common)
    assert cut.step == 1
    cut = fc.distill(small_run, small_archive, out=tmp_path / "cut", **common)
    first, second = (load(each.path).generator.network.state_dict() for each in (whole, cut))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("steps", "teacher"), [(3, 16), (4, 4), (5, 20 - 8), (16, 8)])
def test_steps_that_do_not_halve_are_refused(small_run, tmp_path, steps, teacher):
    with pytest.raises(ConfigError, match="half the steps"):
        fc.distill(small_run, out=tmp_path / "out", steps=steps, teacher_steps=teacher)
    assert not (tmp_path / "out").exists()


def test_what_is_no_diffusion_is_refused(small_run, small_archive, tmp_path):
    changes = {"one_shot": {"members": 2}, "training": {"steps": 1, "start": str(small_run), "batch": 4}}
    one = fc.train(
        "fine-tune",
        small_archive,
        out=tmp_path / "one",
        progress=False,
        **{"data.future_channels": ["94", "193"], **changes},
    )
    assert isinstance(one, Run)
    assert read_config(find_model(one.path)).generator.kind == "one-shot"
    with pytest.raises(ConfigError, match="diffusion"):
        fc.distill(one.path, out=tmp_path / "out", steps=1, teacher_steps=2)
