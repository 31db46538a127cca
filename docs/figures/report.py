"""Copy pictures of a report into the documentation, and draw how chromium shows its top and its first case.

    framecast evaluate sun-forecast.zarr --out sun-report --blocks sequence
    python docs/figures/report.py sun-report docs/pictures sun-171-forecast=median-strip sun-171-crps=crps-by-lead
    python docs/figures/report.py sun-report docs/pictures report-top=top report-case=case

Each argument is the name of the picture and that of its source: a file of the report's figures, or `top` or `case`.
"""

import io
import sys
from pathlib import Path

from PIL import Image


def save(picture: Image.Image, path: Path) -> None:
    """Save a picture in 256 colours, a third of the bytes without a visible difference."""
    picture.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def screenshot(report: Path, part: str) -> Image.Image:
    """Return the top of the page, or its first case."""
    from playwright.sync_api import sync_playwright

    from view import CHROMIUM

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 1100, "height": 1000}, reduced_motion="reduce")
        page.goto((report / "report.html").resolve().as_uri())
        clip = None
        if part == "case":
            page.locator("input[type=range]").first.evaluate(
                "(slider) => { slider.value = slider.max; slider.dispatchEvent(new Event('input')); }"
            )
            top = page.locator("#case-median").bounding_box()["y"] - 12
            height = page.get_by_text("Frame by frame", exact=True).first.bounding_box()["y"] - top - 12
            clip = {"x": 0, "y": top, "width": 1100, "height": height}
        page.wait_for_timeout(1500)
        content = page.screenshot(clip=clip, full_page=clip is not None)
        browser.close()
    return Image.open(io.BytesIO(content))


def main(report: Path, out: Path, wanted: list[str]) -> None:
    """Write the pictures in the folder ``out``."""
    for argument in wanted:
        name, _, source = argument.partition("=")
        file = report / "figures" / f"{source}.png"
        save(Image.open(file) if file.exists() else screenshot(report, source), out / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
