import pytest

from framecast.core.errors import ConfigError
from framecast.networks import PaletteVideoDeep
from framecast.training.recipe import built_in_recipes, dump_recipe, load_recipe


@pytest.mark.parametrize("name", built_in_recipes())
def test_a_recipe_printed_as_yaml_loads_back_to_the_same(name, tmp_path):
    recipe = load_recipe(name)
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(recipe))
    assert load_recipe(path) == recipe


def test_the_paper_recipes_are_the_papers():
    paper, deep = load_recipe("paper"), load_recipe("paper-deep")
    assert (paper.network.kind, paper.network.width) == ("palette-video", 64)
    assert isinstance(deep.network, PaletteVideoDeep)
    assert (paper.diffusion.schedule.kind, paper.diffusion.schedule.rows) == ("linear", 1000)
    assert paper.diffusion.prediction == "epsilon"
    assert paper.target == "future"
    training = paper.training
    assert (training.batch, training.accumulate, training.epochs) == (128, 16, 200)
    assert (training.learning_rate, training.weight_decay, training.ema, training.ema_start) == (
        3e-4,
        1e-5,
        0.995,
        2000,
    )
    assert paper.data.saturation == {"193": 81139.0, "211": 8179.0, "94": 6099.0}
    assert (paper.sampling.sampler.kind, paper.sampling.steps) == ("ddpm", 1000)


def test_changes_are_applied_with_their_types():
    recipe = load_recipe(
        "tiny",
        ["training.steps=7", "training.learning_rate=1e-4", "data.cadence=2h", "data.future_channels=['94']"],
    )
    assert recipe.training.steps == 7
    assert recipe.training.learning_rate == 1e-4
    assert recipe.data.cadence == "2h"
    assert recipe.data.future_channels == ("94",)


def test_channels_may_be_written_as_numbers():
    recipe = load_recipe("tiny", ["data.past_channels=[171, 193]", "data.saturation={193: 100}"])
    assert recipe.data.past_channels == ("171", "193")
    assert recipe.data.saturation == {"193": 100.0}


def test_another_kind_forgets_the_settings_of_the_one_before():
    recipe = load_recipe("tiny", ["network.kind=palette-video-deep", "network.width=8"])
    assert recipe.network == PaletteVideoDeep(width=8)
    recipe = load_recipe("tiny", ["diffusion.schedule.kind=zero-terminal-snr", "diffusion.schedule.base.kind=linear"])
    assert recipe.diffusion.schedule.base.kind == "linear"


def test_steps_replace_epochs_only_when_that_is_said():
    with pytest.raises(ConfigError, match="set one of them"):
        load_recipe("paper", ["training.steps=10"])
    assert load_recipe("paper", ["training.steps=10", "training.epochs=null"]).training.steps == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["training.stepz=3"], r"training\.stepz is unknown \(did you mean steps\?\)"),
        (["width=3"], r"width is unknown \(did you mean network\.width\?\)"),
        (["kind=3"], r"kind is unknown \(did you mean motion\.kind or network\.kind"),
        (["netwrk.width=3"], r"netwrk is unknown \(did you mean network\?\)"),
        (["training.steps=many"], r"training\.steps is \"many\""),
        (["training.steps"], "write section.key=value"),
        (["network.kind=unet"], "known kinds"),
        (["data.cadence=2 fortnights"], "is not a duration"),
        (["training.batch=5", "training.accumulate=2"], "make the batch a multiple"),
        (["name.first=x"], "name is a single value"),
        (["data.past=[1"], "not valid YAML"),
        (["data.split.train_end=2017-02-30"], "not valid YAML"),
        (["training.steps=0b_"], "not valid YAML"),
        (["sampling.steps=0"], "at least one network evaluation"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_recipe("tiny", changes)
    assert "\n" not in str(caught.value)


def test_several_mistakes_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", ["training.stepz=3", "data.pasd=3"])
    assert "stepz" in str(caught.value)
    assert "pasd" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- 1\n", "sections of a recipe"),
        ("a: [", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        ("name: 2017-02-30", "not valid YAML: day is out of range"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path, content, message):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=message):
        load_recipe(path)


def test_an_unknown_name_lists_the_recipes():
    with pytest.raises(ConfigError, match="tiny, paper, paper-deep"):
        load_recipe("tinny")


def test_what_does_not_go_together_is_said_at_once():
    changes = ["diffusion.prediction=epsilon", "diffusion.schedule.kind=zero-terminal-snr", "sampling.steps=5000"]
    with pytest.raises(ConfigError) as caught:
        load_recipe("tiny", [*changes, "diffusion.masks={}"])
    for part in ("epsilon", "steps is 5000", "target is change"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change", ["diffusion.schedule.rows=1000000000000", "sampling.steps=1000000000000", "network.blocks=1000000000"]
)
def test_sizes_beyond_any_machine_are_refused_before_memory_is_taken(change):
    with pytest.raises(ConfigError, match=r"at most|between"):
        load_recipe("tiny", [change])


def test_a_misspelt_recipe_is_told_its_neighbour():
    with pytest.raises(ConfigError, match=r"tny .* tiny\?"):
        load_recipe("tny")
