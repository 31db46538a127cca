import json
import shutil
from importlib.metadata import version

import pytest
import torch
import zarr
from safetensors.torch import load_file
from torch.testing import assert_close

from framecast.core.errors import ConfigError, FramecastError
from framecast.core.machine import choose_device
from framecast.data.archive.reader import Archive
from framecast.diffusion.times import Leading
from framecast.models import precision
from framecast.models.checkpoint import load, read_config
from framecast.models.header import find_model
from framecast.training import Stepped
from framecast.training.averaging import Average
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe
from framecast.training.run import Run
from framecast.training.train import Begun, Saved, Stopped, run_training

pytestmark = [pytest.mark.portable, pytest.mark.thorough]


@pytest.fixture
def prepared(small_archive, small_changes):
    return prepare(load_recipe("tiny", small_changes), Archive.open(small_archive))


def test_an_interrupted_run_ends_in_the_bytes_of_an_undisturbed_one(prepared, small_run, tmp_path):
    out = tmp_path / "run"
    events = run_training(prepared, out)
    for event in events:
        if isinstance(event, Stepped) and event.step == 3:
            break
    with pytest.raises(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())
    assert [int(path.name) for path in Run(out).checkpoints] == [2, 3]
    events = list(run_training(prepared, out))
    assert [event.step for event in events if isinstance(event, Begun)] == [3]
    assert [event.step for event in events if isinstance(event, Stepped)] == [4, 5, 6]
    assert_same_end(out, small_run)


def test_a_run_that_was_asked_to_stop_ends_in_the_bytes_of_an_undisturbed_one(prepared, small_run, tmp_path):
    asked = iter([False, True])
    events = list(run_training(prepared, tmp_path / "run", stop=lambda: next(asked)))
    assert [type(event) for event in events[-2:]] == [Saved, Stopped]
    assert events[-1].step == 2
    asked = iter([False, False, True])
    assert list(run_training(prepared, tmp_path / "run", stop=lambda: next(asked)))[-1].step == 5
    list(run_training(prepared, tmp_path / "run"))
    assert_same_end(tmp_path / "run", small_run)
    calm, stopped = ([path.name for path in Run(path).checkpoints] for path in (small_run, tmp_path / "run"))
    assert stopped == calm  # that of step 5, between two regular ones, made room for them again
    steps = [record["step"] for record in Run(tmp_path / "run").records() if record["event"] == "validation"]
    assert steps == [3, 6]


def test_a_damaged_checkpoint_is_passed_over_and_its_steps_made_again(prepared, small_run, tmp_path):
    out = shutil.copytree(small_run, tmp_path / "run")
    newest = Run(out).checkpoints[-1] / "state.safetensors"
    content = bytearray(newest.read_bytes())
    content[-1] ^= 1
    newest.write_bytes(content)
    begun, *events = list(run_training(prepared, out))
    assert begun.step == 4
    assert "checksum that differs" in begun.damaged[0]
    assert [event.step for event in events if isinstance(event, Stepped)] == [5, 6]
    assert_same_end(out, small_run)
    assert (out / "checkpoints/damaged-00000006").is_dir()


def test_an_interrupt_in_the_middle_of_an_update_writes_no_checkpoint(prepared, tmp_path, monkeypatch):
    def interrupted(self, network):
        raise KeyboardInterrupt

    events = run_training(prepared, tmp_path / "run")
    for event in events:
        if isinstance(event, Stepped) and event.step == 3:
            monkeypatch.setattr(Average, "update", interrupted)
            break
    with pytest.raises(KeyboardInterrupt):
        list(events)
    assert Run(tmp_path / "run").step in (2, 3)
    monkeypatch.undo()
    assert next(run_training(prepared, tmp_path / "run")).step in (2, 3)


def test_after_a_kill_the_folder_holds_what_an_undisturbed_run_holds(small_archive, small_changes, tmp_path):
    """Averages are written at every step and checkpoints at every fourth: those of steps 5 and 6 are taken back."""
    changes = [*small_changes, "training.averages=[0.1]", "training.snapshots=8", "training.checkpoint_every=4"]
    changes += ["training.validate_every=8"]  # the best step is kept too
    prepared = prepare(load_recipe("tiny", [*changes, "training.steps=8"]), Archive.open(small_archive))
    list(run_training(prepared, tmp_path / "calm"))
    events = run_training(prepared, tmp_path / "killed")
    for event in events:
        if isinstance(event, Stepped) and event.step == 7:
            events.close()  # as a kill does, this writes nothing
    # What a kill leaves of steps that the resumed run may never write: a longer run's, and one cut off in writing.
    for name in ("00000009.safetensors", ".00000007.safetensors.partial"):
        shutil.copy(tmp_path / "killed/averages/00000006.safetensors", tmp_path / "killed/averages" / name)
    resumed = run_training(prepared, tmp_path / "killed")
    assert [next(resumed).step for _ in range(2)] == [4, 5]
    assert len(list((tmp_path / "killed/averages").iterdir())) == 4
    list(resumed)
    calm, killed = (
        {str(path.relative_to(tmp_path / name)) for path in (tmp_path / name).rglob("*")} for name in ("calm", "killed")
    )
    assert killed == calm
    assert_same_end(tmp_path / "killed", tmp_path / "calm", *(name for name in calm if name.endswith(".safetensors")))


def test_a_run_is_not_continued_on_an_archive_with_other_content(prepared, small_run, small_archive, tmp_path):
    """Other pixels, and the same windows."""
    other = shutil.copytree(small_archive, tmp_path / "other.zarr")
    out = shutil.copytree(small_run, tmp_path / "run")
    copied = prepare(prepared.recipe, Archive.open(other))
    assert [type(event) for event in run_training(copied, out)] == [Begun]  # the same, elsewhere
    zarr.open_array(other, path="region-0000/intensity", mode="r+")[0] = 3
    changed = prepare(prepared.recipe, Archive.open(other))
    with pytest.raises(ConfigError, match="different content"):
        next(run_training(changed, out))
    before = json.loads((out / "data.json").read_text())
    del before["fingerprint"]  # as runs of old are
    (out / "data.json").write_text(json.dumps(before))
    assert [type(event) for event in run_training(changed, out)] == [Begun]


def test_settings_without_effect_on_the_weights_may_change_on_the_way(
    small_run, small_archive, small_changes, tmp_path
):
    changes = [*small_changes, "training.keep=7", "training.workers=1", "training.cache_gib=0"]
    other = prepare(load_recipe("tiny", changes), Archive.open(small_archive))
    assert [type(event) for event in run_training(other, shutil.copytree(small_run, tmp_path / "run"))] == [Begun]


LAST = ("checkpoints/00000006/model/weights.safetensors", "checkpoints/00000006/state.safetensors")


def assert_same_end(out, undisturbed, *names):
    for name in names or LAST:
        ours, theirs = (load_file(path / name) for path in (out, undisturbed))
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_close(ours[key], theirs[key], rtol=0, atol=0, equal_nan=True, msg=key)


class TestPrecision:
    """What the recipe leaves open is chosen where a run begins, written into its recipe, and stays."""

    @pytest.fixture
    def open_recipe(self, small_archive, small_changes):
        return prepare(load_recipe("tiny", [*small_changes, "training.precision=auto"]), Archive.open(small_archive))

    @pytest.fixture
    def begun(self, open_recipe, tmp_path, monkeypatch):
        """A run of two steps, begun where bf16 is fast; the machine is then another one."""
        monkeypatch.setenv("FRAMECAST_CACHE", str(tmp_path / "cache"))  # without what was measured on this machine
        with monkeypatch.context() as fast:
            fast.setattr(precision, "lacks_bf16", lambda device: None)
            fast.setattr(precision, "_measure", lambda *_: 2.0)
            asked = iter([False, True])
            first, *_ = run_training(open_recipe, tmp_path / "run", stop=lambda: next(asked))
        assert first.precision.precision == "bf16"
        monkeypatch.setattr(precision, "lacks_bf16", lambda device: "an abacus")
        return tmp_path / "run"

    def test_it_is_written_into_recipe_log_and_model(self, begun):
        assert load_recipe(begun / "recipe.yaml").training.precision == "bf16"
        (session,) = (record for record in Run(begun).records() if record["event"] == "session")
        assert session["precision"] == "bf16"
        assert read_config(find_model(begun)).provenance["precision"] == "bf16"

    @pytest.mark.slow
    def test_a_run_goes_on_in_the_precision_it_began_in(self, begun, open_recipe, small_archive, small_changes):
        first, *_ = run_training(open_recipe, begun)
        assert (first.step, first.precision.precision) == (2, "bf16")
        assert "slower" in first.precision.reason
        straight = prepare(
            load_recipe("tiny", [*small_changes, "training.precision=bf16"]), Archive.open(small_archive)
        )
        list(run_training(straight, begun.with_name("straight")))
        assert_same_end(begun, begun.with_name("straight"))

    def test_another_precision_that_is_asked_for_is_another_run(self, begun, prepared):
        with pytest.raises(ConfigError, match=r"training\.precision"):
            list(run_training(prepared, begun))
        first, *_ = run_training(prepared, begun, overwrite=True)
        assert (first.step, first.precision.precision) == (0, "float32")

    @pytest.mark.slow
    def test_a_run_begun_anew_takes_what_suits_the_machine(self, begun, open_recipe):
        first, *_ = run_training(open_recipe, begun, overwrite=True)
        assert (first.step, first.precision.precision) == (0, "float32")

    def test_a_run_from_before_there_was_a_choice_goes_on(self, begun, open_recipe):
        """Its recipe has the defaults of then: bf16 in training, float32 in drawing."""
        path = begun / "recipe.yaml"
        path.write_text(path.read_text().replace("precision: auto", "precision: float32"))
        first, *_ = run_training(open_recipe, begun)
        assert (first.step, first.precision.precision) == (2, "bf16")
        assert load_recipe(path).sampling.precision == "float32"


def test_a_finished_run_has_nothing_left_to_do(prepared, small_run):
    before = sorted(small_run.rglob("*"))
    assert [type(event) for event in run_training(prepared, small_run)] == [Begun]
    assert sorted(small_run.rglob("*")) == before


def test_a_run_records_recipe_data_and_losses(small_run):
    data = json.loads((small_run / "data.json").read_text())
    assert data["windows"]["train"] > data["windows"]["validation"] > 0
    assert set(data["hashes"]) == {"train", "validation", "test"}
    assert load_recipe(small_run / "recipe.yaml").training.steps == 6
    events = [record["event"] for record in Run(small_run).records()]
    assert events.count("validation") == 2
    assert "step" in events
    session = next(record for record in Run(small_run).records() if record["event"] == "session")
    assert session["versions"]["torch"] == version("torch")
    assert session["processes"] == 1


def test_another_recipe_in_the_same_folder_is_refused(small_run, small_archive, small_changes):
    other = prepare(load_recipe("tiny", [*small_changes, "training.seed=5"]), Archive.open(small_archive))
    with pytest.raises(ConfigError, match="different recipe"):
        next(run_training(other, small_run))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["data.past=20"], "too short for one window"),
        (["data.past_channels=['304']"], "304"),
        (["data.past_channels=['193']"], "94 among the past channels"),
        (["data.cadence=3h"], "3h"),
        (["diffusion.grid.kind=fast-ddpm-uniform"], "not trained"),
        (["diffusion.schedule.rows=2"], "between 1 and 2"),
    ],
)
def test_a_recipe_that_does_not_go_with_the_archive_is_refused(small_archive, small_changes, changes, message):
    archive = Archive.open(small_archive)
    with pytest.raises(FramecastError, match=message) as caught:
        prepare(load_recipe("tiny", [*small_changes, *changes]), archive)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["softening", "saturation", "dry"])
def test_a_setting_of_a_channel_that_does_not_exist_is_refused(small_archive, small_changes, name):
    archive = Archive.open(small_archive)
    with pytest.raises(ConfigError, match="1933") as caught:
        prepare(load_recipe("tiny", [*small_changes, f'data.{name}={{"94": 2, "1933": 1}}']), archive)
    assert str(caught.value).count("94") == 1  # among those that there are
    assert all(channel in str(caught.value) for channel in archive.channels)
    unused = dict.fromkeys(archive.channels, 2.0)  # a recipe may be used with fewer channels than it knows
    changes = ['data.past_channels=["94"]', 'data.future_channels=["94"]', f"data.{name}={unused}"]
    prepared = prepare(load_recipe("tiny", [*small_changes, *changes]), archive)
    assert getattr(prepared.model.normaliser.stretches["94"], name) == 2.0


def test_a_device_that_is_not_there_is_refused():
    assert choose_device("cpu") == torch.device("cpu")
    for name in ("cuda:99", "abacus"):
        with pytest.raises(ConfigError, match=name):
            choose_device(name)


def test_a_network_is_trained_with_frame_masks_and_comes_back_with_them(small_archive, small_changes, tmp_path):
    changes = [*small_changes, "diffusion.masks={}", "target=future", "data.future_channels=null", "training.steps=2"]
    prepared = prepare(load_recipe("tiny", changes), Archive.open(small_archive))
    for _ in run_training(prepared, tmp_path / "run"):
        pass
    forecaster = load(tmp_path / "run")
    assert forecaster.fill(torch.rand(3, 5, 16, 24), [1, 0, 0, 0, 1], members=1).shape == (1, 3, 5, 16, 24)


def test_a_network_trained_on_a_fast_ddpm_grid_comes_back_and_samples_on_it_alone(
    small_archive, small_changes, tmp_path
):
    grid = ("diffusion.grid.kind=fast-ddpm-uniform", "sampling.grid.kind=fast-ddpm-uniform", "sampling.steps=11")
    prepared = prepare(load_recipe("tiny", [*small_changes, *grid, "training.steps=2"]), Archive.open(small_archive))
    for _ in run_training(prepared, tmp_path / "run"):
        pass
    forecaster = load(tmp_path / "run")
    past = torch.rand(3, 2, 16, 24)
    assert forecaster.forecast(past, members=1).attrs["steps"] == 11
    with pytest.raises(ConfigError, match=r"only on the rows \[0, 99, 199"):
        forecaster.forecast(past, members=1, grid=Leading(), steps=5)


def test_an_impossible_model_is_refused_before_a_run_is_touched(small_archive, small_changes):
    impossible = ["diffusion.prediction=epsilon", "diffusion.schedule.kind=zero-terminal-snr"]
    for changes in (impossible, ["diffusion.masks={}"]):
        with pytest.raises(ConfigError):
            prepare(load_recipe("tiny", [*small_changes, *changes]), Archive.open(small_archive))
