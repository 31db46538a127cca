"""``framecast average`` on a run that kept snapshots, and on one that did not."""

import pytest
import torch

from framecast.cli import run
from framecast.models.checkpoint import load, read_config


@pytest.fixture(scope="module")
def run_with_snapshots(small_archive, small_changes, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "averaged"
    changes = [*small_changes, "training.averages=[0.05, 0.1]", "training.snapshots=3"]
    assert run(["train", "tiny", "--data", str(small_archive), "--out", str(out), *changes]) == 0
    return out


@pytest.mark.thorough
def test_another_average_is_a_model_of_its_own(run_with_snapshots, tmp_path):
    assert sorted(path.name for path in (run_with_snapshots / "averages").iterdir()) == [
        f"{step:08d}.safetensors" for step in (2, 4, 6)
    ]
    for width in (0.05, 0.2):
        assert run(["average", str(run_with_snapshots), str(tmp_path / f"{width}"), "--width", str(width)]) == 0
    short, wide = (load(tmp_path / name).generator.network.state_dict() for name in ("0.05", "0.2"))
    assert any(not torch.equal(short[name], wide[name]) for name in short)
    assert read_config(tmp_path / "0.2").provenance["average"]["width"] == 0.2
    past = torch.rand(3, 2, 16, 24) * 100
    assert load(tmp_path / "0.2").forecast(past, members=2).shape == (2, 3, 2, 16, 24)


def test_a_run_without_snapshots_says_what_to_do(small_run, tmp_path, capsys):
    assert run(["average", str(small_run), str(tmp_path / "model")]) == 2
    assert "training.averages=[0.05, 0.1]" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_an_average_at_a_step_that_was_never_made_is_refused(run_with_snapshots, tmp_path, capsys):
    assert run(["average", str(run_with_snapshots), str(tmp_path / "model"), "--step", "7"]) == 2
    assert "an average at step 7 is not possible: the last snapshot is at step 6" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
