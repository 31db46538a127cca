"""The folder of results: whole, self-contained, readable by machine and by those who do not see the pictures."""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framecast.core.errors import FramecastError
from framecast.reports.report import write_report
from framecast.verification.evaluation import evaluate

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]


class Page(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def folder(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    evaluation = evaluate(gaussian_forecast(root / "forecast.zarr"))
    write_report(evaluation, root / "out", command="framecast evaluate forecast.zarr --out out")
    return root / "out"


def test_the_page_needs_nothing_but_itself(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    page = Page(text)
    assert len(text) < 8e6
    assert len(page.all("script")) == 1
    assert "src" not in page.all("script")[0]
    for picture in page.all("img"):
        assert re.match(r"data:image/(svg\+xml|png|webp);base64,", picture["src"] or "")
        assert len(picture["alt"] or "") > 20
    drawn, films, strips = len(list((folder / "figures").glob("*.svg"))), 3 * (3 + 3), 3
    assert len(page.all("img")) == drawn + films + strips
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", text)
    assert "url(" not in text
    assert "framecast evaluate forecast.zarr --out out" in text


def test_the_page_says_what_it_found(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    assert "gaussian against dressed persistence, the strongest baseline: undecided" in text
    assert "Pixel by pixel gaussian is not distinguishable from well calibrated" in text
    assert "not distinguishable from nominal" in text
    assert "There are only 6 independent blocks" in text


def test_figures_are_saved_as_pictures_and_vectors(folder: Path) -> None:
    names = {path.name for path in (folder / "figures").iterdir()}
    charts = (
        "crps-by-lead",
        "total-crps-by-lead",
        "skill-by-lead",
        "error-and-spread",
        "reliability",
        "ranks",
        "spread-and-error",
        "spectra",
        "differences",
        "maps",
    )
    cases = ("median", "best", "worst")
    expected = {f"{name}.{kind}" for name in (*charts, *(f"{case}-total" for case in cases)) for kind in ("png", "svg")}
    expected |= {f"{case}.webp" for case in cases} | {f"{case}-strip.png" for case in cases}
    assert expected <= names
    assert all("-by-lead." in name for name in names - expected)  # one for every score that is shown
    for path in (folder / "figures").glob("*.png"):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5  # not blank
    for path in (folder / "figures").glob("*.svg"):  # no formula is shown as its source
        assert "mathdefault" not in path.read_text(encoding="utf-8")


def test_the_animation_shows_the_past_and_then_the_future(folder: Path) -> None:
    with Image.open(folder / "figures" / "median.webp") as film:
        assert film.n_frames == 3 + 3
        film.seek(2)
        before = np.asarray(film.convert("RGB")).astype(float)
        film.seek(5)
        after = np.asarray(film.convert("RGB")).astype(float)
    height, width = before.shape[:2]
    assert np.abs(before - after)[: height // 2, width // 3 :].mean() > 1


def test_tables_agree_with_the_scores(folder: Path) -> None:
    scores = json.loads((folder / "scores.json").read_text())
    with (folder / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    row = next(r for r in rows if (r["forecast"], r["score"], r["lead_time_h"]) == ("gaussian", "crps", ""))
    assert float(row["value"]) == scores["forecasts"]["gaussian"]["scores"]["crps"]["total"]["value"]
    assert float(row["low_95"]) == scores["forecasts"]["gaussian"]["scores"]["crps"]["total"]["95"][0]
    leads = [r for r in rows if (r["forecast"], r["score"]) == ("oracle", "crps_by_lead") or r["lead_time_h"]]
    assert {float(r["lead_time_h"]) for r in leads} == set(scores["lead_times_h"])
    with (folder / "samples.csv").open() as stream:
        samples = list(csv.DictReader(stream))
    assert len(samples) == scores["samples"] == 12
    mean = np.mean([float(sample["crps gaussian"]) for sample in samples])
    assert mean == pytest.approx(scores["forecasts"]["gaussian"]["scores"]["crps"]["total"]["value"], rel=1e-6)


def test_an_existing_folder_is_refused_and_left_alone(gaussian_forecast: Write, folder: Path, tmp_path: Path) -> None:
    evaluation = evaluate(gaussian_forecast(tmp_path / "f.zarr", samples=2, sequences=2))
    before = (folder / "scores.json").read_bytes()
    with pytest.raises(FramecastError, match="exists already"):
        write_report(evaluation, folder)
    assert (folder / "scores.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"samples": 1},
        {"members": 1, "oracle": False},
        {"channels": ("94",), "draws": 0},
        {"mask": np.eye(12, 16, dtype=bool), "channels": ("171", "193")},
        {"leads": 1, "size": (5, 9)},
    ],
    ids=["one sample", "one member", "no baselines", "masked, two channels", "one frame, tiny"],
)
def test_odd_forecasts_have_a_page_too(gaussian_forecast: Write, tmp_path: Path, options: dict) -> None:
    options = {"samples": 3, **options}
    page = write_report(evaluate(gaussian_forecast(tmp_path / "f.zarr", **options)), tmp_path / "out")
    text = re.sub(r"base64,[^\"]*", "", page.read_text())
    assert not re.search(r"\b(nan|None|inf)\b", text)
