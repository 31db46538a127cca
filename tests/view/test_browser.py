"""The pages in a real browser: what is seen is what the files hold, and nothing leaves the machine."""

import csv
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from framecast.view.app import application
from framecast.view.library import opened
from framecast.view.live import Studio
from framecast.view.static_export import export

pytestmark = pytest.mark.slow

PATIENCE = 60_000  # milliseconds
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def files(gaussian_forecast: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two forecasts, the second with hostile names in every field that is shown."""
    root = tmp_path_factory.mktemp("browser")
    good = gaussian_forecast(root / "good.zarr")
    other = gaussian_forecast(root / "other.zarr", spread=0.5)
    hostile = gaussian_forecast(root / "hostile.zarr", samples=2, channels=("171",), oracle=False)
    rewrite(hostile)
    return [good, other, hostile]


def rewrite(path: Path) -> None:
    """Write markup into names and attributes of a forecast file."""
    with xr.open_zarr(path, decode_timedelta=False) as stored:
        data = stored.load()
    data.attrs |= {"model": HOSTILE, "unit": HOSTILE, HOSTILE: HOSTILE}
    text = np.dtypes.StringDType()
    data = data.assign_coords(
        sequence=("sample", np.array([HOSTILE, HOSTILE], dtype=text)),
        label=("sample", np.array([HOSTILE, HOSTILE], dtype=text)),
        channel=np.array([HOSTILE], dtype=text),
        past_channel=np.array([HOSTILE, "other"], dtype=text),
    )
    for variable in data.variables.values():
        variable.encoding.clear()
    shutil.rmtree(path)
    data.to_zarr(path)


@pytest.fixture(scope="module")
def server(files, serving, small_run, small_archive, tmp_path_factory) -> Iterator[Any]:
    studio = Studio(model=str(small_run), archive=small_archive, keep=tmp_path_factory.mktemp("kept"))
    with opened(files) as library:
        yield serving(application(library, studio=studio))


@pytest.fixture
def visit(browser: Any, server: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens a page; the test fails at the end if it complained or asked for anything elsewhere."""
    contexts, troubles = [], []

    def go(place: str = "", *, base: str = "", **options: Any) -> Any:
        base = base or server.address
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, "accept_downloads": True} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
        own = (base.rpartition("/")[0], "data:", "blob:")
        page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith(own) else None)
        page.goto(base + place)
        page.troubles = troubles
        return page

    yield go
    for context in contexts:
        context.close()
    assert troubles == []


def drawn(page: Any) -> None:
    """Wait until all panels show something."""
    page.wait_for_selector(".panel")
    page.wait_for_function("() => [...document.querySelectorAll('.panel .waiting')].every((w) => w.hidden)")
    page.wait_for_selector(".answers .chart canvas")


def table(download: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Path(download.path()).read_text(encoding="utf-8"))))


def test_windows_are_browsed_filtered_and_sorted(visit: Any, server: Any) -> None:
    page = visit()
    page.wait_for_selector(".window-card")
    assert page.locator(".window-card").count() == 12
    page.get_by_label("Search").fill("region-003")
    page.wait_for_function("() => document.querySelectorAll('.window-card').length === 2")
    page.get_by_label("Search").fill("elsewhere")
    page.get_by_role("link", name="Show all windows").click()
    page.wait_for_function("() => document.querySelectorAll('.window-card').length === 12")
    page.get_by_label("Sort by").select_option("best")
    page.wait_for_function(  # windows are scored in the background, and sorted again as scores arrive
        "() => document.querySelectorAll('.window-card').length === 12"
        " && [...document.querySelectorAll('.window-card .words')].every((w) => w.textContent.includes('skill'))"
    )
    skill = server.json("/api/files/good/scores")["columns"]["skill"]
    first = page.locator(".window-card").first.get_attribute("href")
    assert f"w/good/{int(np.argmax(skill))}" in first
    page.locator(".window-card").first.click()
    drawn(page)
    assert page.locator("h1").inner_text().startswith("region-")


def test_a_click_asks_the_pixel_of_the_file(visit: Any, files: list[Path]) -> None:
    page = visit("#/w/good/4")
    drawn(page)
    canvas = page.locator(".panel canvas.image").nth(1)
    area = canvas.bounding_box()
    x, y = 9, 4  # of 16 by 12 pixels; rows run upwards
    canvas.click(position={"x": (x + 0.5) / 16 * area["width"], "y": (12 - y - 0.5) / 12 * area["height"]})
    page.wait_for_selector(f"h2:text-is('Pixel {x}, {y}')")
    with page.expect_download() as got:
        page.get_by_role("button", name="CSV", exact=True).first.click()
    rows = table(got.value)
    own = xr.open_zarr(files[0]).isel(sample=4, y=y, x=x, channel=0)
    found = [[float(row[f"member_{k + 1}"]) for row in rows[3:]] for k in range(10)]
    assert np.allclose(found, own["forecast"].transpose("member", "lead_time").values)
    assert np.allclose([float(row["observed"]) for row in rows[3:]], own["truth"].values)
    # The value under the pointer is that of the frame that is shown, to what 16 bits hold.
    canvas.hover(position={"x": (x + 0.5) / 16 * area["width"], "y": (12 - y - 0.5) / 12 * area["height"]})
    shown = float(page.locator(".panel header output").nth(1).inner_text().replace("−", "-"))
    assert shown == pytest.approx(found[0][0], rel=5e-3)
    assert f"pixel {x}, {y}" in page.locator(".readout").inner_text()


def test_a_box_is_drawn_and_its_mean_is_asked(visit: Any, files: list[Path]) -> None:
    page = visit("#/w/good/4")
    drawn(page)
    canvas = page.locator(".panel canvas.image").first
    area = canvas.bounding_box()
    unit = area["width"] / 16
    page.mouse.move(area["x"] + 2.5 * unit, area["y"] + 2.5 * unit)
    page.mouse.down()
    page.mouse.move(area["x"] + 7.5 * unit, area["y"] + 6.5 * unit)
    page.mouse.up()
    page.wait_for_selector("h2:text-is('Box 2–7, 5–9')")
    with page.expect_download() as got:
        page.get_by_role("button", name="CSV", exact=True).first.click()
    truth = xr.open_zarr(files[0])["truth"].isel(sample=4, channel=0, y=slice(5, 10), x=slice(2, 8)).mean(("y", "x"))
    assert np.allclose([float(row["observed"]) for row in table(got.value)[3:]], truth.values)


def test_a_link_restores_the_view(visit: Any) -> None:
    page = visit(
        "#/w/good/4?p=truth,spread,mean~truth&t=5&map=viridis&stretch=asinh&range=80,120&box=3,3,6,6&above=103"
    )
    drawn(page)
    assert page.locator(".panel h3").all_inner_texts() == ["Observed", "Spread", "Ensemble mean − truth"]
    assert page.locator(".clock output").inner_text() == "+6 h"
    assert page.get_by_label("Colours").input_value() == "viridis"
    assert page.locator(".panel footer").first.inner_text().split() == ["80", "120", "DN/s"]
    assert "Box 3–6, 3–6" in page.locator(".answers").inner_text()
    page.keyboard.press("Home")
    page.wait_for_function("() => location.hash.includes('t=0')")
    again = visit(page.url.partition("/#")[2].join(["#", ""]))
    drawn(again)
    assert again.locator(".clock output").inner_text() == "−4 h"


def test_frames_are_drawn_in_the_colours_of_their_values(visit: Any, files: list[Path]) -> None:
    """The pixels of the canvas are the grey of the file's values."""
    page = visit("#/w/good/7?p=truth&t=4&map=gray&stretch=linear&range=60,140")
    drawn(page)
    grey = page.evaluate("""() => {
        const canvas = document.querySelector('.panel canvas.image'), { width, height } = canvas;
        const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
        const found = [];
        for (let y = 0; y < 12; y++) for (let x = 0; x < 16; x++) {
            const row = Math.floor((11.5 - y) * height / 12), column = Math.floor((x + 0.5) * width / 16);
            found.push(data[4 * (row * width + column)]);
        }
        return found;
    }""")
    truth = xr.open_zarr(files[0])["truth"].isel(sample=7, channel=0, lead_time=1).values
    wanted = np.clip((truth - 60) / 80, 0, 1) * 255
    assert np.abs(np.array(grey).reshape(12, 16) - wanted).max() <= 2


def test_it_plays_and_is_moved_by_keys_alone(visit: Any) -> None:
    page = visit("#/w/good/0", reduced_motion="reduce")
    drawn(page)
    lead = page.locator(".clock output")
    mark = page.locator(".answers .chart .now")
    assert lead.inner_text() == "+2 h"
    places = [mark.bounding_box()["x"]]
    page.keyboard.press(".")
    assert lead.inner_text() == "+4 h"
    places.append(mark.bounding_box()["x"])
    page.set_viewport_size({"width": 900, "height": 900})  # the chart is drawn anew, and its mark with it
    page.wait_for_timeout(300)
    area = page.locator(".answers .chart .u-over").bounding_box()
    assert places[0] < places[1] and area["x"] < mark.bounding_box()["x"] < area["x"] + area["width"]
    page.keyboard.press("ArrowLeft")
    page.keyboard.press(",")
    assert lead.inner_text() == "0 h"
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.clock output').textContent !== '0 h'")
    assert "Pause" in page.locator(".clock button").first.inner_text()
    page.keyboard.press("Space")
    still = lead.inner_text()
    page.wait_for_timeout(600)
    assert lead.inner_text() == still
    page.locator(".panel canvas.image").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector("h2:text-is('Pixel 9, 7')")
    page.keyboard.press("Escape")
    page.wait_for_selector("h2:text-is('Whole frame')")


def test_the_threshold_is_moved(visit: Any, server: Any) -> None:
    page = visit("#/w/good/2?p=above-auto&above=100&box=5,5")
    drawn(page)
    assert page.locator(".panel h3").inner_text() == "P(≥ 100 DN/s)"
    before = page.get_by_label("Threshold in DN/s")
    before.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.panel h3').textContent !== 'P(≥ 100 DN/s)'")
    assert "Probability of at least" in page.locator(".answers").inner_text()


def test_two_forecasts_are_compared(visit: Any, server: Any) -> None:
    page = visit("#/w/good/4")
    drawn(page)
    page.get_by_text("Compare", exact=True).click()
    page.locator("details.menu button", has_text="other").first.click()
    page.wait_for_function("() => document.querySelectorAll('.panel').length === 8")
    drawn(page)
    page.wait_for_function("() => document.querySelectorAll('.answers thead').length === 2")
    scores = page.locator(".answers section").last.inner_text()
    for key in ("good", "other"):
        crps = server.json(f"/api/files/{key}/windows/4/scores")["total"]["crps"][0]
        assert f"{float(f'{crps:.3g}'):g}" in scores


def test_the_verification_is_computed_and_shown(visit: Any) -> None:
    page = visit("#/verification")
    page.get_by_label("hostile.zarr").uncheck()
    page.get_by_role("button", name="Score all windows").click()
    page.wait_for_selector("h2:text-is('By lead time')")
    words = page.locator("main").inner_text()
    for part in (
        "CRPS",
        "Persistence",
        "Paired differences on the same windows",
        "Reliability of intervals",
        "Rank histogram",
    ):
        assert part in words
    assert page.locator(".chart canvas").count() >= 4
    page.set_viewport_size({"width": 400, "height": 800})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 400")  # charts are drawn anew


def test_a_forecast_is_drawn_cancelled_and_kept(visit: Any) -> None:
    page = visit("#/forecast?members=4&steps=2")
    page.get_by_role("button", name="Draw members").click()
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("p[role=status]:text-is('cancelled')")
    page.get_by_role("button", name="Draw members").click()
    page.get_by_role("button", name="Save this forecast").click()
    page.wait_for_function("() => location.hash.startsWith('#/w/')")
    drawn(page)
    assert "4 members" in page.locator("main").inner_text()


def test_a_bad_upload_is_told(visit: Any, tmp_path: Path) -> None:
    page = visit("#/forecast")
    page.wait_for_selector("text=Your own frames")
    (tmp_path / "bad.npy").write_bytes(b"no array")
    page.locator("input[type=file]").set_input_files(tmp_path / "bad.npy")
    page.wait_for_function("() => document.querySelector('p[role=status]').textContent.includes('bad.npy')")
    assert page.get_by_role("button", name="Draw members").is_enabled()


def test_markup_in_a_file_is_text(visit: Any) -> None:
    page = visit("#/?file=hostile")
    page.wait_for_selector(".window-card")
    page.locator("summary", has_text="About").click()
    assert page.locator("main").inner_text().count("<script>") >= 6
    page.locator(".window-card").first.click()
    drawn(page)
    assert HOSTILE in page.locator("h1").inner_text()
    assert page.locator("main script, main img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_fits_on_a_phone(visit: Any, scheme: str) -> None:
    page = visit("", viewport={"width": 400, "height": 800}, color_scheme=scheme, has_touch=True)
    page.wait_for_selector(".window-card")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.locator(".window-card").first.tap()
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.locator(".panel canvas.image").first.tap()
    page.wait_for_selector("h2:text-matches('^Pixel')")
    lightness = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 765"
    )
    assert (page.evaluate(lightness) > 0.5) == (scheme == "light")


def test_pictures_are_saved(visit: Any) -> None:
    page = visit("#/w/good/4?p=truth,mean")
    drawn(page)
    for name, begins in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("MP4", b""), ("NetCDF", b"\x89HDF")):
        page.get_by_text("Save", exact=True).click()
        with page.expect_download() as got:
            page.locator("details.menu button", has_text=name).first.click()
        content = Path(got.value.path()).read_bytes()
        assert content.startswith(begins)
        assert len(content) > 1000


def test_an_export_opens_from_disk(visit: Any, files: list[Path], tmp_path: Path) -> None:
    with opened(files[:2]) as library:
        index = export(library, tmp_path / "out", windows="4,6")
    page = visit(base=index.as_uri())
    page.wait_for_selector(".window-card")
    assert page.locator(".window-card").count() == 2
    page.locator(".window-card").first.click()
    drawn(page)
    canvas = page.locator(".panel canvas.image").first
    area = canvas.bounding_box()
    canvas.click(position={"x": 9.5 / 16 * area["width"], "y": (12 - 4.5) / 12 * area["height"]})
    page.wait_for_selector("h2:text-is('Pixel 9, 4')")
    with page.expect_download() as got:
        page.get_by_role("button", name="CSV", exact=True).first.click()
    truth = xr.open_zarr(files[0])["truth"].isel(sample=4, channel=0, y=4, x=9).values
    assert np.allclose([float(row["observed"]) for row in table(got.value)[3:]], truth, atol=5e-3)


def test_what_is_not_there_is_said(visit: Any) -> None:
    page = visit("#/w/nothing/0")
    page.wait_for_selector("h2:text-is('There is no such forecast')")
    page.goto(page.url.partition("#")[0] + "#/w/good/99")
    page.wait_for_selector("h2:text-is('There is no such window')")
