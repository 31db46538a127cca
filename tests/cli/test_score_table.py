"""The table of scores on a terminal says what a reader needs to take its intervals for what they are."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framecast.cli.score_table import print_scores
from framecast.verification.evaluation import evaluate

Write = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def scores(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = gaussian_forecast(tmp_path_factory.mktemp("few") / "few.zarr", members=5, samples=8, sequences=8)
    return evaluate([path], replicates=100).scores


def test_few_members_are_told_what_they_can_reach(scores: dict[str, Any], capsys: Capture) -> None:
    print_scores(scores)
    said = capsys.readouterr().out
    assert "5 members reach at most 66.7 %" in said
    assert "intervals of the fluence" in said
    assert "calibrated" not in said
    many = copy.deepcopy(scores)
    for entry in many["forecasts"].values():
        entry |= {"members": 20, "attainable_coverage": {"90": 0.9}}
    print_scores(many)
    assert "reach at most" not in capsys.readouterr().out


def test_calibrated_coverage_stands_beside_the_own(scores: dict[str, Any], capsys: Capture) -> None:
    calibrated = copy.deepcopy(scores)
    calibrated["forecasts"]["gaussian"]["calibrated"] = {"coverage": {"fluence": {"90": 0.876}}, "seen_samples": 3}
    print_scores(calibrated)
    said = capsys.readouterr().out
    (row,) = [line for line in said.splitlines() if line.startswith("gaussian  ")]
    assert "87.6 %" in row
    assert "gaussian was calibrated on 3 of these samples: its calibrated coverage flatters it" in said


def test_a_calibration_that_does_not_hold_is_named_with_its_reason(scores: dict[str, Any], capsys: Capture) -> None:
    refused = copy.deepcopy(scores)
    refused["forecasts"]["gaussian"]["calibration_objection"] = "it was made for 20 members"
    print_scores(refused)
    assert "the calibration of gaussian is not used: it was made for 20 members" in capsys.readouterr().out


def test_pixels_that_are_infinite_are_told_of(scores: dict[str, Any], capsys: Capture) -> None:
    lost = copy.deepcopy(scores)
    lost["forecasts"]["gaussian"]["missing_members"] = 17
    lost["left_out"]["by_forecasts"] = 0.25
    print_scores(lost)
    said = " ".join(capsys.readouterr().out.split())
    assert "gaussian has 17 pixels of members that are infinite or missing" in said
    assert "25.0 % of the known pixels have too few, and are not judged" in said


def test_a_file_without_persistence_has_a_row_all_the_same(scores: dict[str, Any], capsys: Capture) -> None:
    alone = copy.deepcopy(scores)
    alone["forecasts"] = {"gaussian": scores["forecasts"]["gaussian"] | {"skill": {}}}
    print_scores(alone)
    said = capsys.readouterr().out
    assert "skill" not in said
    assert "gaussian" in said


def test_a_skill_without_an_interval_stands_alone(scores: dict[str, Any], capsys: Capture) -> None:
    single = copy.deepcopy(scores)
    single["forecasts"]["gaussian"]["skill"]["persistence"] |= {"value": 0.344, "95": [None, None]}
    print_scores(single)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("gaussian  ")]
    assert row.rstrip().endswith("34.4 %")
