"""``framecast evaluate`` from the command line's side."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from framecast.cli.evaluate import evaluate

Write = Callable[..., Path]


def invoke(*arguments: object):
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.thorough
def test_prints_a_table_and_the_path_of_the_page_last(gaussian_forecast: Write, tmp_path: Path) -> None:
    forecast = gaussian_forecast(tmp_path / "f.zarr", samples=8, sequences=8)
    result = invoke(forecast, "--out", tmp_path / "out", "--replicates", 200)
    assert result.exit_code == 0, result.output
    lines = result.stdout.rstrip().splitlines()
    assert lines[-1] == str(tmp_path / "out" / "report.html")
    assert Path(lines[-1]).is_file()
    for name in ("gaussian", "Persistence", "Dressed persistence", "Oracle", "CRPS", "in DN/s"):
        assert name in result.stdout
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["bootstrap"]["replicates"] == 200
    page = Path(lines[-1]).read_text()
    assert "framecast evaluate" in page
    assert "--replicates 200" in page


def test_an_existing_folder_is_refused_before_any_work(gaussian_forecast: Write, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    result = invoke(tmp_path / "absent.zarr", "--out", tmp_path / "out")
    assert "exists already" in str(result.exception)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("blocks", ["weeks", ""])
def test_unknown_blocks_are_named(tmp_path: Path, blocks: str) -> None:
    result = invoke("f.zarr", "--out", tmp_path / "out", "--blocks", blocks)
    assert result.exit_code == 2
    assert "sequence-day" in result.output


@pytest.mark.slow
def test_thresholds_and_several_files(gaussian_forecast: Write, tmp_path: Path) -> None:
    first, second = (gaussian_forecast(tmp_path / f"{name}.zarr", samples=8, sequences=8) for name in ("a", "b"))
    result = invoke(first, second, "--out", tmp_path / "out", "--replicates", 200, "--thresholds", "90,110")
    assert result.exit_code == 0, result.output
    assert "difference between a and b is undecided" in result.stdout
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["schema_version"] == 3
    assert scores["thresholds"] == [90.0, 110.0]
    assert scores["models"] == ["a", "b"]
    assert "--thresholds 90,110" in Path(result.stdout.rstrip().splitlines()[-1]).read_text()
    wrong = invoke(first, "--out", tmp_path / "other", "--thresholds", "wet")
    assert "numbers separated by commas" in str(wrong.exception)


@pytest.mark.thorough
@pytest.mark.slow
def test_entries_of_ones_own_are_named_by_their_module(
    gaussian_forecast: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_scores.py").write_text(
        "from framecast.verification.catalogue import Score\n"
        "bias = Score(name='bias', label='Bias', function=lambda s: s.error, better=None, shown='console')\n"
        "other = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    forecast = gaussian_forecast(tmp_path / "f.zarr", samples=2, sequences=2)
    words = [forecast, "--out", tmp_path / "out", "--replicates", 100, "--add"]
    result = invoke(*words, "my_scores:bias")
    assert result.exit_code == 0, result.output
    assert "Bias" in result.stdout
    assert "bias" in json.loads((tmp_path / "out" / "scores.json").read_text())["score_info"]
    assert "is a int" in str(invoke(*words[:1], "--out", tmp_path / "no", "--add", "my_scores:other").exception)
