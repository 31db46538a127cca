"""The table of scores on a terminal says what a reader needs to take its intervals for what they are."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framecast.cli.score_table import print_scores
from framecast.verification.evaluation import evaluate
from framecast.verification.results import ForecastScores, Recalibrated, Scores
from framecast.verification.scores import Estimate

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def scores(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    path = gaussian_forecast(tmp_path_factory.mktemp("few") / "few.zarr", members=5, samples=8, sequences=8)
    return evaluate([path], replicates=100).scores


def changed(scores: Scores, **fields: object) -> Scores:
    """The scores with other fields of the model's forecast."""
    own: ForecastScores = replace(scores["gaussian"], **fields)
    return replace(scores, forecasts={**scores.forecasts, "gaussian": own})


def row(said: str, name: str = "gaussian  ") -> str:
    (line,) = [line for line in said.splitlines() if line.startswith(name)]
    return line


def test_few_members_are_told_what_they_can_reach(scores: Scores, capsys: Capture) -> None:
    print_scores(scores)
    said = capsys.readouterr().out
    assert "5 members have a coverage of at most 66.7 %" in said
    assert "intervals of the maximum flux" in said
    assert "recalibrated" not in said
    many = {name: replace(found, members=20, attainable_coverage={90: 0.9}) for name, found in scores.forecasts.items()}
    print_scores(replace(scores, forecasts=many))
    assert "coverage of at most" not in capsys.readouterr().out


def test_recalibrated_coverage_stands_beside_the_own(scores: Scores, capsys: Capture) -> None:
    entry = scores["gaussian"].quantities["peak"].intervals[90]
    widened = replace(entry, coverage=Estimate(np.array(0.876), entry.coverage.intervals))
    recalibrated = Recalibrated(
        blocks="day", number_of_blocks=9, calibration_samples=9, seen_samples=3, quantities={"peak": {90: widened}}
    )
    print_scores(changed(scores, recalibrated=recalibrated))
    said = capsys.readouterr().out
    assert "87.6 %" in row(said)
    assert "recalibrated on 3 of these 8 samples" in said


def test_a_recalibration_that_does_not_hold_is_named_with_its_reason(scores: Scores, capsys: Capture) -> None:
    print_scores(changed(scores, objection="it was made for 20 members"))
    assert "recalibration of gaussian is not used: it was made for 20 members" in capsys.readouterr().out


def test_pixels_that_are_infinite_are_told_of(scores: Scores, capsys: Capture) -> None:
    lost = changed(scores, missing_members=17)
    print_scores(replace(lost, left_out=replace(lost.left_out, by_forecasts=0.25)))
    said = " ".join(capsys.readouterr().out.split())
    assert "gaussian: 17 member values are missing" in said
    assert "25 % of the observed pixels are left out" in said


def test_a_file_without_persistence_has_a_row_all_the_same(scores: Scores, capsys: Capture) -> None:
    print_scores(replace(scores, forecasts={"gaussian": replace(scores["gaussian"], skill={})}))
    said = capsys.readouterr().out
    assert "skill" not in said
    assert "gaussian" in said


def test_a_skill_without_an_interval_stands_alone(scores: Scores, capsys: Capture) -> None:
    nothing = (np.array(np.nan), np.array(np.nan))
    reference = scores.strongest
    assert reference is not None
    skill = replace(
        scores["gaussian"].skill[reference]["crps"],
        total=Estimate(np.array(0.344), dict.fromkeys((90, 95), nothing)),
    )
    print_scores(changed(scores, skill={reference: {"crps": skill}}))
    assert row(capsys.readouterr().out).rstrip().endswith("34.4 %")


def test_scores_over_several_channels_are_in_no_unit_of_the_images(
    gaussian_forecast: Write, scores: Scores, tmp_path: Path, capsys: Capture
) -> None:
    print_scores(scores)
    assert capsys.readouterr().out.splitlines()[0].rstrip().endswith("in DN/s")
    path = gaussian_forecast(tmp_path / "two.zarr", members=5, samples=8, sequences=8, channels=("171", "193"))
    print_scores(evaluate([path], replicates=100).scores)
    assert capsys.readouterr().out.splitlines()[0].rstrip().endswith("in standard deviations of each channel")
