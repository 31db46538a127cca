import json
import shutil

import pytest

from framecast.errors import ConfigError, DataError, FramecastError
from framecast.runs import Run


@pytest.fixture
def run(small_run, tmp_path):
    return Run(shutil.copytree(small_run, tmp_path / "run"))


def test_the_newest_checkpoints_and_the_best_are_kept(run):
    steps = [int(path.name) for path in run.checkpoints]
    assert steps[-1] == 6
    assert steps[-2] == 4
    best = min((r["loss"], r["step"]) for r in run.records() if r["event"] == "validation")[1]
    assert set(steps) == {4, 6, best}


def test_a_damaged_newest_state_falls_back_to_the_one_before(run):
    assert int(run.load_state()["step"]) == 6
    (run.checkpoints[-1] / "state.safetensors").write_bytes(b"\x00" * 100)
    assert int(run.load_state()["step"]) == int(run.checkpoints[-2].name)
    for checkpoint in run.checkpoints:
        (checkpoint / "state.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="no checkpoint"):
        run.load_state()


def test_a_run_of_another_recipe_is_not_overwritten_unless_asked(run):
    recipe, data = (run.path / "recipe.yaml").read_text(), {"windows": {"train": 1}}
    with pytest.raises(ConfigError, match=r"other data .*data\.json"):
        run.begin(recipe, data, overwrite=False)
    with pytest.raises(ConfigError, match="another recipe"):
        run.begin(recipe + "#", data, overwrite=False)
    assert run.checkpoints
    run.begin(recipe + "#", data, overwrite=True)
    assert not run.checkpoints


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FramecastError, match="is no run"):
            Run(tmp_path).begin("recipe", {}, overwrite=overwrite)
    assert (tmp_path / "thesis.txt").exists()


def test_a_run_goes_on_wherever_its_archive_lies(run):
    recipe, data = (run.path / "recipe.yaml").read_text(), json.loads((run.path / "data.json").read_text())
    run.begin(recipe, data | {"archive": "elsewhere/corona.zarr"}, overwrite=False)
    assert run.checkpoints


def test_a_line_cut_short_does_not_spoil_the_log(run):
    whole = run.records()
    with (run.path / "log.jsonl").open("a") as stream:
        stream.write('{"event": "st')
    assert run.records() == whole
