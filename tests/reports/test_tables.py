"""What the report says in words and tables follows from the scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framecast.reports import charts
from framecast.reports.style import looks
from framecast.reports.tables import compared, events, headline, quantities
from framecast.reports.verdicts import legend, notes, title, verdicts
from framecast.verification.evaluation import evaluate

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def scores(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A good forecast, a biased and overconfident one, with an event."""
    root = tmp_path_factory.mktemp("tables")
    options = {"samples": 10, "sequences": 10, "members": 20, "size": (10, 10)}
    files = [
        gaussian_forecast(root / "good.zarr", **options),
        gaussian_forecast(root / "bad.zarr", **options, spread=0.3, bias=3.0),
    ]
    return evaluate(files, replicates=200, thresholds=[105.0]).scores


def test_the_better_forecast_is_called_better(scores: dict[str, Any]) -> None:
    said = verdicts(scores, looks(scores))
    assert said[0].startswith("good is better than bad (−")
    assert any(sentence.startswith("good is better than persistence: its error (CRPS) is") for sentence in said)
    assert any(sentence.startswith("Pixel by pixel bad is too sure") for sentence in said)
    assert any("90 % intervals of the fluence are too narrow" in sentence for sentence in said)
    assert title(scores, looks(scores)) == "good and bad compared"
    assert notes(scores, looks(scores)) == []


def test_the_table_has_a_column_for_each_forecast_and_figures_for_each_score(scores: dict[str, Any]) -> None:
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
    assert float(cells["CRPS (DN/s)"][0]) == pytest.approx(scores["forecasts"]["good"]["crps"], rel=5e-3)
    assert cells["Spread / error"][2] == "–"
    assert cells["Skill against persistence"][2] == "–"
    assert cells["Share of what can be known"][4] == "100 %"
    skill = next(row for row in table.rows if row.label == "Skill against persistence")
    assert (skill.cells[0].verdict, skill.cells[3].verdict) == ("better", "")


def test_differences_are_told_once_for_each_pair_with_a_model(scores: dict[str, Any]) -> None:
    table = compared(scores, looks(scores))
    assert table is not None
    assert len(table.rows) == 4 + 3  # good against the four others, bad against the three after it
    first = table.rows[0]
    assert first.label == "good against bad"
    assert first.cells[0].verdict == "better"
    assert first.cells[0].text.endswith("better")


def test_a_difference_turned_round_is_its_opposite(scores: dict[str, Any]) -> None:
    entry = scores["differences"][0]["scores"]["crps"]
    ours, theirs = (scores["forecasts"][name]["crps"] for name in ("good", "bad"))
    value, low, high = charts.against(scores, "good", "bad")["crps"]
    assert (value, low, high) == pytest.approx((entry["value"] / theirs, *(end / theirs for end in entry["95"])))
    value, low, high = charts.against(scores, "bad", "good")["crps"]
    assert (value, low, high) == pytest.approx((-entry["value"] / ours, -entry["95"][1] / ours, -entry["95"][0] / ours))


def test_events_and_quantities_have_a_row_for_each_forecast(scores: dict[str, Any]) -> None:
    found = events(scores, looks(scores))
    assert found is not None
    assert [row.label for row in found.rows][:2] == ["≥ 105 DN/s: good", "≥ 105 DN/s: bad"]
    assert len(quantities(scores, looks(scores)).rows) == 3 * 5
    for draw in (charts.brier_by_lead, charts.event_reliability, charts.fss_by_width):
        figure = draw(scores, "105")
        assert figure is not None
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert labels[:2] == ["good", "bad"]


def test_few_blocks_and_missing_members_are_told(scores: dict[str, Any]) -> None:
    changed = scores | {"bootstrap": scores["bootstrap"] | {"number_of_blocks": 1}, "judged_samples": 9}
    changed["forecasts"] = scores["forecasts"] | {"bad": scores["forecasts"]["bad"] | {"missing_members": 7}}
    said = " ".join(notes(changed, looks(scores)))
    assert "only 1 independent block:" in said
    assert "1 of 10 samples hold nothing to judge" in said
    assert "bad: 7 member values are missing" in said


def test_one_block_has_no_intervals_and_none_are_explained(scores: dict[str, Any]) -> None:
    single = scores | {"bootstrap": scores["bootstrap"] | {"number_of_blocks": 1}}
    assert "There is only 1 independent block: no interval can be given." in notes(single, looks(single))
    assert not any("Intervals come from" in line for line in legend(single))
    assert any("Intervals come from 200 draws" in line for line in legend(scores))
