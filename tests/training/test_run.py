import errno
import json
import os
import shutil

import pytest
from safetensors import SafetensorError

from framecast.cli.failures import explain
from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.training.run import Run

pytestmark = pytest.mark.thorough


@pytest.fixture
def run(small_run, tmp_path):
    return Run(shutil.copytree(small_run, tmp_path / "run"))


def test_the_newest_checkpoints_and_the_best_are_kept(run):
    steps = [int(path.name) for path in run.checkpoints]
    assert steps[-1] == 6
    assert steps[-2] == 4
    best = min((r["loss"], r["step"]) for r in run.records() if r["event"] == "validation")[1]
    assert set(steps) == {4, 6, best}


def test_a_damaged_newest_checkpoint_is_set_aside_for_the_one_before(run):
    newest, before = run.checkpoints[-1], run.checkpoints[-2]
    assert run.newest() == (newest, [])
    (newest / "state.safetensors").write_bytes(b"\x00" * 100)
    found, [finding] = run.newest()
    assert found == before
    assert "00000006 is damaged and was set aside" in finding
    assert run.checkpoints[-1] == before
    assert run.newest() == (before, [])


@pytest.mark.parametrize(
    "name", ["state.safetensors", "model/weights.safetensors", "model/config.json", "manifest.json"]
)
def test_every_file_of_a_checkpoint_is_vouched_for(run, name):
    path = run.checkpoints[-1] / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 255
    path.write_bytes(content)
    found, [_] = run.newest()
    assert found == run.checkpoints[-1]
    assert found.name == "00000004"


def test_without_an_undamaged_checkpoint_nothing_goes_on(run):
    for checkpoint in run.checkpoints:
        (checkpoint / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"no checkpoint in .* is undamaged"):
        run.newest()


def test_a_checkpoint_of_a_newer_framecast_is_refused_and_left_where_it_is(run):
    path = run.checkpoints[-1] / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    with pytest.raises(DataError, match="upgrade framecast"):
        run.newest()
    assert path.exists()


def test_a_full_disk_leaves_the_last_checkpoint_as_it_was(run):
    """The limit on the size of a file is what a full disk is to a program; it is raised again afterwards."""
    import resource

    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    state, _ = run.load(run.checkpoints[-1])
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises((OSError, SafetensorError)) as caught:
            run.save(7, lambda folder: folder.mkdir(parents=True), state, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert explain(caught.value) == (explain(OSError(errno.ENOSPC, "full")))
    assert {path: path.stat().st_mtime_ns for path in before if path.is_file()}.items() <= before.items()
    assert not list(run.path.glob("checkpoints/.*"))
    assert run.newest()[0].name == "00000006"


def test_a_run_of_another_recipe_is_not_overwritten_unless_asked(run):
    recipe, data = (run.path / "recipe.yaml").read_text(), {"windows": {"train": 1}}
    with pytest.raises(ConfigError, match=r"other data .*data\.json"):
        run.begin(recipe, data, overwrite=False)
    other = recipe.replace("batch: 4", "batch: 8")
    with pytest.raises(ConfigError, match=r"different recipe \(training\.batch\)"):
        run.begin(other, data, overwrite=False)
    assert run.checkpoints
    run.begin(other, data, overwrite=True)
    assert not run.checkpoints


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(FramecastError, match="is not a framecast run"):
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


def test_what_the_log_says_of_steps_that_are_made_again_is_taken_out(run):
    run.rewind(4)
    assert {record["step"] for record in run.records()} == {0, 3}


@pytest.mark.skipif(os.name != "posix", reason="has no such locks")
def test_one_process_at_a_time_trains_in_a_folder(run):
    run.hold()
    with pytest.raises(FramecastError, match="another process is training in"):
        Run(run.path).hold()
    run.release()
    Run(run.path).hold()
    Run(run.path / "none yet").hold()


@pytest.mark.parametrize("content", ["{", "[1]", "\xff"])
def test_a_damaged_record_of_the_data_is_told(run, content):
    (run.path / "data.json").write_bytes(content.encode("latin1"))
    recipe = (run.path / "recipe.yaml").read_text()
    with pytest.raises(DataError, match=r"data.json .*--overwrite"):
        run.begin(recipe, {}, overwrite=False)


@pytest.mark.parametrize("content", ["a: [", "a: 2017-02-30", "\xff"])
def test_a_damaged_recipe_is_another_one(run, content):
    recipe = (run.path / "recipe.yaml").read_text()
    (run.path / "recipe.yaml").write_bytes(content.encode("latin1"))
    with pytest.raises(ConfigError, match="not valid YAML"):
        run.begin(recipe, {}, overwrite=False)


def test_copies_that_a_person_made_beside_the_checkpoints_are_none(run):
    before = run.checkpoints
    shutil.copytree(before[-1], before[-1].with_name("00000006-best"))
    assert run.checkpoints == before
    assert run.step == 6
    run.prune(keep=1, best=None)
    assert [path.name for path in run.checkpoints] == ["00000006"]


def test_a_link_to_a_folder_stays_one(run, tmp_path):
    """Runs often lie on another disk."""
    link = tmp_path / "link"
    for target in (tmp_path / "empty", run.path):
        target.mkdir(exist_ok=True)
        link.symlink_to(target)
        Run(link).begin("name: new", {}, overwrite=target == run.path)
        assert link.is_symlink()
        assert sorted(path.name for path in target.iterdir()) == ["data.json", "recipe.yaml"]
        link.unlink()


def test_a_folder_without_a_checkpoint_may_be_begun_with_another_recipe(tmp_path):
    run, record = Run(tmp_path / "run"), {"hashes": {}, "archive": "a.zarr"}
    run.begin("target: future\n", record, overwrite=False)
    run.log(event="step", step=1, loss=0.5)
    run.begin("target: change\n", record, overwrite=False)
    assert (tmp_path / "run" / "recipe.yaml").read_text() == "target: change\n"
    assert not (tmp_path / "run" / "log.jsonl").exists()
    (tmp_path / "run" / "checkpoints" / "00000001").mkdir(parents=True)
    with pytest.raises(ConfigError, match="different recipe"):
        run.begin("target: future\n", record, overwrite=False)


@pytest.mark.parametrize(("error", "kept"), [(ValueError, False), (KeyboardInterrupt, True), (None, True)])
def test_a_run_that_fails_before_its_first_step_leaves_no_folder(error, kept, tmp_path):
    run = Run(tmp_path / "run")
    run.begin("name: one\n", {}, overwrite=False)
    run.discard(error, error and error(), None)
    assert run.path.exists() == kept
