"""Draw the pictures of `docs/view.md`: what chromium shows of `framecast view`.

framecast demo --out demo
python docs/figures/view.py demo/forecast.zarr docs/pictures
"""

import io
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PANELS = "p=truth,member-1,mean,spread,above-auto,mean~truth"


def shown(page: Page, address: str) -> None:
    """Open a page and wait until everything on it is drawn."""
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_selector(".panel, .window-card")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.panel .waiting')].every((w) => w.hidden)"
        " && [...document.images].filter((i) => i.src && i.getBoundingClientRect().top < innerHeight)"
        ".every((i) => i.complete && i.naturalWidth)"
    )
    page.wait_for_timeout(1500)


def save(page: Page, path: Path) -> None:
    """Save what is seen as a small PNG."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def animate(page: Page, path: Path, frames: int) -> None:
    """Save the panels at each time as an animation."""
    pictures = []
    for k in range(frames):
        page.locator(".clock input").evaluate(
            "(slider, k) => { slider.value = k; slider.dispatchEvent(new Event('input')); }", str(k)
        )
        picture = Image.open(io.BytesIO(page.locator(".window-page > section").screenshot())).convert("RGB")
        pictures.append(picture.resize((picture.width * 3 // 4, picture.height * 3 // 4), Image.Resampling.LANCZOS))
    lengths = [500] * (frames - 1) + [1800]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=lengths, loop=0, quality=72, method=4)


def main(forecasts: list[str], out: Path) -> None:
    """Serve the forecasts and save the pictures in the folder ``out``."""
    server = subprocess.Popen(
        [sys.executable, "-m", "framecast", "view", *forecasts, "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    key = Path(forecasts[0]).stem
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            wide = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
            shown(wide, f"{address}#/w/{key}/0?{PANELS}&t=8&box=40,28")
            save(wide, out / "view-window.png")
            animate(wide, out / "view-window.webp", 12)
            narrow = browser.new_page(viewport={"width": 400, "height": 800}, color_scheme="dark")
            shown(narrow, f"{address}#/w/{key}/0?t=8")
            save(narrow, out / "view-phone.png")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(sys.argv[1:-1], Path(sys.argv[-1]))
