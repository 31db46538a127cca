"""What ``framecast info`` says of a run, a model and nested records."""

import json
import shutil

import pytest

from framecast.cli import run
from framecast.cli.console import nested
from framecast.cli.info import _calibration
from framecast.cli.run_summary import sparkline
from framecast.models.header import find_model


def shown(capsys, path) -> dict[str, str]:
    """Names and values of the table, one value per name."""
    assert run(["info", str(path)]) == 0
    lines = [line.split("  ", 1) for line in capsys.readouterr().out.splitlines()[1:]]
    return {parts[0].strip(): parts[1].strip() for parts in lines if len(parts) == 2}


def test_a_run_tells_how_it_has_gone(small_run, capsys):
    rows = shown(capsys, small_run)
    assert rows["state"] == "finished: 6 steps"
    assert "at step" in rows["validation"]
    assert "windows/s" in rows["pace"]
    assert rows["windows"].startswith("train 32, validation 8")
    assert "torch" in rows["made with"]
    assert rows["past"].startswith("2 frames")
    assert "{" not in "".join(rows.values())


def test_trouble_is_shown(small_run, tmp_path, capsys):
    folder = shutil.copytree(small_run, tmp_path / "run")
    with (folder / "log.jsonl").open("a") as stream:
        for step, flag in ((7, "skipped"), (8, "spike")):
            stream.write(json.dumps({"event": "step", "step": step, "loss": None, flag: True}) + "\n")
    rows = shown(capsys, folder)
    assert rows["skipped"].startswith("1 step whose") and rows["skipped"].endswith(" 7")
    assert rows["spikes"].endswith(" 8")


def test_a_run_without_a_checkpoint_is_shown_too(small_run, tmp_path, capsys):
    folder = shutil.copytree(small_run, tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoints").mkdir()
    assert shown(capsys, folder)["state"].startswith("0 of 6 steps")


@pytest.mark.parametrize(("recipe", "says"), [("a: [", "not valid YAML"), ("{}", "training.steps, batch and seed")])
def test_a_run_whose_recipe_is_damaged_says_so(small_run, tmp_path, capsys, recipe, says):
    path = shutil.copytree(small_run, tmp_path / "run")
    (path / "recipe.yaml").write_text(recipe)
    assert run(["info", str(path)]) == 2
    assert says in capsys.readouterr().err


def test_a_model_tells_what_it_was_made_from(small_run, capsys):
    rows = shown(capsys, find_model(small_run))
    assert rows["training windows"].startswith("train 32")
    assert len(rows["training hashes"].split(", ")[0]) == len("train ") + 12


def test_nested_records_become_rows():
    record = {"a": {"b": {"c": 1, "d": [1, 2]}, "e": 0.25}, "f": None, "g_h": "x"}
    assert nested(record) == [("a b", "c 1, d 1, 2"), ("a e", "0.25"), ("g h", "x")]
    assert nested({"b": {"c": None, "d": True}, "e": False}) == [("b", "c none, d yes"), ("e", "no")]
    assert nested({"k": list(range(40))})[0][1].endswith("11 … (40 in all)")


@pytest.mark.parametrize(("values", "bars"), [([1.0], "▁"), ([2, 1, 0], "█▄▁"), ([5, 5], "▁▁")])
def test_a_sparkline_runs_from_the_least_to_the_greatest(values, bars):
    assert sparkline(values) == bars
    assert len(sparkline(list(range(1000)))) == 48


def test_the_calibration_of_a_forecast_is_one_line():
    plain = {"model": "rain", "windows": ["a", "b"], "number_of_blocks": 2, "blocks": "day", "offsets": {"mean": {}}}
    assert _calibration(plain) == [("calibration", "of rain: 2 windows in 2 blocks (day)")]
    assert _calibration(None) == _calibration("damaged") == []
