"""The report in a real browser: nothing is missing, nothing is asked of the network, nothing sticks out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framecast.reports.report import write_report
from framecast.verification.evaluation import evaluate

pytestmark = pytest.mark.slow

PATIENCE = 120_000  # milliseconds


@pytest.fixture(scope="module")
def report(gaussian_forecast: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two forecasts of two channels, wider than high, with masked pixels."""
    root = tmp_path_factory.mktemp("browser")
    mask = np.zeros((12, 30), dtype=bool)
    mask[:, :4] = True
    options: dict[str, Any] = {"size": (12, 30), "mask": mask, "channels": ("171", "193"), "samples": 8, "leads": 2}
    files = [
        gaussian_forecast(root / "narrow.zarr", spread=0.5, **options),
        gaussian_forecast(root / "a-forecast-with-a-rather-long-name.zarr", **options),
    ]
    return write_report(evaluate(files, replicates=100), root / "out", command="framecast evaluate …")


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens the report, and fails at the end if the page complained or asked for anything."""
    contexts, troubles = [], []

    def open_page(**options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        address = report.as_uri()
        page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith(("data:", address)) else None)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.mark.parametrize("width", [400, 1280])
def test_everything_is_there_and_nothing_sticks_out(opened: Callable[..., Any], width: int) -> None:
    page = opened(viewport={"width": width, "height": 800}, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for details in page.query_selector_all("details"):
        details.evaluate("element => { element.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    pictures = page.evaluate("""async () => {
        const all = [...document.images];
        await Promise.all(all.map((image) => image.decode()));
        return all.map((image) => [image.naturalWidth, image.alt]);
    }""")
    assert len(pictures) > 20
    for natural, alt in pictures:
        assert natural > 50
        assert len(alt) > 20
    # Links lead somewhere, and headings name the sections.
    assert page.evaluate("[...document.querySelectorAll('a')].every((a) => document.querySelector(a.hash))")


def test_films_are_moved_by_mouse_and_keyboard(opened: Callable[..., Any]) -> None:
    page = opened(viewport={"width": 1000, "height": 800}, reduced_motion="reduce")
    film = page.locator(".film").first
    button, slider, output = film.locator("button"), film.locator("input"), film.locator("output")

    def shown() -> list[int]:
        return film.evaluate("f => [...f.querySelectorAll('img')].flatMap((image, i) => image.hidden ? [] : [i])")

    assert shown() == [4]
    assert output.inner_text() == "forecast +4 h"
    assert "Play" in button.inner_text()  # who wants stillness gets it
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert shown() == [3]
    assert slider.get_attribute("aria-valuetext") == "forecast +2 h"
    page.keyboard.press("Home")
    assert shown() == [0]
    button.focus()
    page.keyboard.press("Enter")
    assert "Pause" in button.inner_text()
    page.wait_for_function("() => document.querySelector('.film input').value !== '0'")
    button.click()
    still = shown()
    page.wait_for_timeout(1500)
    assert shown() == still
    assert "Play" in button.inner_text()


def test_films_play_by_themselves_where_motion_is_welcome(opened: Callable[..., Any]) -> None:
    page = opened(viewport={"width": 1000, "height": 800}, reduced_motion="no-preference")
    page.locator(".film").first.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('.film button').textContent.includes('Pause')")


def test_a_dark_page_is_dark_and_paper_is_white(opened: Callable[..., Any]) -> None:
    page = opened(color_scheme="dark", reduced_motion="reduce")
    lightness = (
        "c => getComputedStyle(document.body)[c].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 765"
    )
    assert page.evaluate(lightness, "backgroundColor") < 0.2
    assert page.evaluate(lightness, "color") > 0.8
    page.emulate_media(media="print")
    assert page.evaluate(lightness, "backgroundColor") == 1.0
    assert page.evaluate(lightness, "color") == 0.0
    assert not page.locator(".film").first.is_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_without_scripts_the_last_picture_stands_still(opened: Callable[..., Any]) -> None:
    page = opened(java_script_enabled=False)
    film = page.locator(".film").first
    assert film.locator("img:not([hidden])").count() == 1
    assert not film.locator(".controls").is_visible()
