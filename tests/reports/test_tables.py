"""What the report says in words and tables follows from the scores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framecast.reports import charts
from framecast.reports.style import looks
from framecast.reports.tables import compared, events, headline, quantities
from framecast.reports.verdicts import judged, legend, notes, title, verdicts
from framecast.verification.evaluation import evaluate
from framecast.verification.results import Scores
from framecast.verification.scores import Estimate

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def scores(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    """A good forecast, a biased and overconfident one, with an event."""
    root = tmp_path_factory.mktemp("tables")
    options = {"samples": 10, "sequences": 10, "members": 20, "size": (10, 10)}
    files = [
        gaussian_forecast(root / "good.zarr", **options),
        gaussian_forecast(root / "bad.zarr", **options, spread=0.3, bias=3.0),
    ]
    return evaluate(files, replicates=200, thresholds=[105.0]).scores


def test_the_better_forecast_is_called_better(scores: Scores) -> None:
    said = verdicts(scores, looks(scores))
    assert said[0].startswith("good is better than bad (−")
    assert any(s.startswith("good against dressed persistence, the strongest baseline: undecided") for s in said)
    assert any(s.startswith("bad is worse than dressed persistence, the strongest baseline") for s in said)
    assert not any("than persistence" in sentence for sentence in said)
    assert any(sentence.startswith("Pixel by pixel bad is overconfident (underdispersed)") for sentence in said)
    assert any("not distinguishable from well calibrated" in sentence for sentence in said)
    coverage = [sentence for sentence in said if sentence.startswith("Coverage of its 90 % intervals")]
    assert len(coverage) == 2
    assert coverage[1].count("too narrow (overconfident)") >= 2
    assert title(scores, looks(scores)) == "good and bad compared"
    assert notes(scores, looks(scores)) == []


def test_persistence_alone_allows_no_verdict_of_skill(gaussian_forecast: Write, tmp_path: Path) -> None:
    alone = evaluate(gaussian_forecast(tmp_path / "f.zarr", draws=0, oracle=False), replicates=100).scores
    assert alone.strongest == "persistence" and not alone.fair
    said = verdicts(alone, looks(alone))
    assert not any("better" in sentence for sentence in said)
    assert any("times the CRPS of persistence, a deterministic forecast" in sentence for sentence in said)
    point = evaluate(
        gaussian_forecast(tmp_path / "p.zarr", draws=0, oracle=False, members=1, spread=0.1), replicates=100
    ).scores
    assert point.fair  # a single frame against a single frame
    assert any("gaussian is worse than persistence" in said for said in verdicts(point, looks(point)))


def test_the_table_has_a_column_for_each_forecast_and_figures_for_each_score(scores: Scores) -> None:
    table = headline(scores, looks(scores))
    assert [column.text for column in table.columns[1:]] == [
        "good",
        "bad",
        "Persistence",
        "Dressed persistence",
        "Oracle",
    ]
    assert [column.model for column in table.columns[1:]] == [True, True, False, False, False]
    cells = {row.label: [cell.text for cell in row.cells] for row in table.rows}
    assert float(cells["CRPS (DN/s)"][0]) == pytest.approx(scores["good"]["crps"].value, rel=5e-3)
    assert cells["Spread / error"][2] == "–"
    assert cells["CRPS skill against persistence"][2] == "–"
    assert cells["Fraction of attainable skill"][4] == "100 %"
    skill = next(row for row in table.rows if row.label == "CRPS skill against persistence")
    assert (skill.cells[0].verdict, skill.cells[3].verdict) == ("better", "")


def test_differences_are_told_once_for_each_pair_with_a_model(scores: Scores) -> None:
    table = compared(scores, looks(scores))
    assert table is not None
    assert len(table.rows) == 4 + 3  # good against the four others, bad against the three after it
    first = table.rows[0]
    assert first.label == "good against bad"
    assert first.cells[0].verdict == "better"
    assert first.cells[0].text.endswith("better")


def test_a_difference_turned_round_is_its_opposite(scores: Scores) -> None:
    total = scores.difference("good", "bad").scores["crps"].total
    ours, theirs = (scores[name]["crps"].value for name in ("good", "bad"))
    lower, upper = total.bounds()
    value, low, high = charts.against(scores, "good", "bad")["crps"]
    assert (value, low, high) == pytest.approx((float(total) / theirs, lower / theirs, upper / theirs))
    value, low, high = charts.against(scores, "bad", "good")["crps"]
    assert (value, low, high) == pytest.approx((-float(total) / ours, -upper / ours, -lower / ours))


def test_events_and_quantities_have_a_row_for_each_forecast(scores: Scores) -> None:
    found = events(scores, looks(scores))
    assert found is not None
    assert [row.label for row in found.rows][:2] == ["≥ 105 DN/s: good", "≥ 105 DN/s: bad"]
    assert len(quantities(scores, looks(scores)).rows) == 4 * 5
    for draw, what in (
        (charts.score_by_lead, "brier_105"),
        (charts.event_reliability, "105"),
        (charts.fss_by_width, "105"),
    ):
        figure = draw(scores, what)
        assert figure is not None
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert labels[:2] == ["good", "bad"]


def test_few_blocks_and_missing_members_are_told(scores: Scores) -> None:
    forecasts = {**scores.forecasts, "bad": replace(scores["bad"], missing_members=7)}
    bootstrap = replace(scores.bootstrap, number_of_blocks=1)
    changed = replace(scores, bootstrap=bootstrap, judged_samples=9, forecasts=forecasts)
    said = " ".join(notes(changed, looks(changed)))
    assert "only 1 independent block:" in said
    assert "1 of 10 samples have no pixel to score" in said
    assert "bad: 7 member values are missing" in said


def test_one_block_has_no_intervals_and_none_are_explained(scores: Scores) -> None:
    single = replace(scores, bootstrap=replace(scores.bootstrap, number_of_blocks=1))
    assert any("only 1 independent block: no interval can be given" in note for note in notes(single, looks(single)))
    assert not any("Intervals come from" in line for line in legend(single))
    assert any("Intervals come from 200 bootstrap draws" in line for line in legend(scores))


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.5, 0.8, "below"), (0.95, 1.0, "above"), (0.85, 0.95, ""), (0.9, 0.95, "")]
)
def test_an_interval_that_includes_the_nominal_value_is_no_verdict(low: float, high: float, word: str) -> None:
    estimate = Estimate(np.array(0.7), {95: (np.array(low), np.array(high))})
    assert judged(estimate, 0.9, "below", "above") == word
