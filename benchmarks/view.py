"""The web application under load: time to open, time to show a window, and number of clients.

    python benchmarks/view.py [--windows 5000] [--readers 200] [--drawing 20]

Writes a forecast file of many windows (the members of all of them are the same chunk on disk), serves it with
`framecast view` in a process of its own, and asks as browsers do. Frames drawn are measured in chromium, where there is
one. With --drawing, --model is asked for ensembles meanwhile.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from framecast.core.machine import processor
from framecast.data.forecasts import SampleInfo, write_forecast
from framecast.videos.frames import FrameSpec

SIZE, MEMBERS, PAST, LEADS = 128, 20, 5, 12
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def write(path: Path, windows: int) -> None:
    """Write one window, and let the others have the same chunks, as hard links."""
    random = np.random.default_rng(0)
    frames = FrameSpec(
        past_channels=("rain",),
        future_channels=("rain",),
        past=PAST,
        future=LEADS,
        cadence=300.0,
        height=SIZE,
        width=SIZE,
    )
    samples = [
        SampleInfo(
            sequence=f"radar-{k % 20:02d}",
            issue_time=np.datetime64("2021-01-01T00:00") + np.timedelta64(30 * (k // 20), "m"),
        )
        for k in range(windows)
    ]
    video = random.gamma(0.5, 4, (PAST + LEADS, SIZE, SIZE)).astype(np.float32)
    members = random.gamma(0.5, 4, (MEMBERS, 1, LEADS, SIZE, SIZE)).astype(np.float32)
    attrs = {"model": "noise", "cadence": 300.0}
    with write_forecast(
        path, frames=frames, samples=samples, members=MEMBERS, unit="mm/h", attrs=attrs, dressing=None
    ) as writer:
        writer.write(0, past=video[None, :PAST], truth=video[None, PAST:], forecast=members)
        partial = path.absolute().with_name(f".{path.name}.partial")
        for name in ("forecast", "truth", "past", "complete"):
            chunks = partial / name / "c"
            for k in range(1, windows):
                shutil.copytree(chunks / "0", chunks / str(k), copy_function=os.link) if (chunks / "0").is_dir() else (
                    os.link(chunks / "0", chunks / str(k))
                )


class Server:
    """`framecast view` in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        begun = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "framecast", "view", *arguments, "--no-browser", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.port = int(self.address.rstrip("/").rpartition(":")[2])
        self.seconds = time.perf_counter() - begun

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def timed(self, path: str) -> float:
        begun = time.perf_counter()
        status, _ = self.ask(path)
        assert status == 200, path
        return time.perf_counter() - begun

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def row(name: str, value: str) -> None:
    print(f"{name:58} {value:>14}", flush=True)


def opening(server: Server, imports: float) -> None:
    row("start until it listens", f"{server.seconds:.2f} s")
    row("of that, starting Python and importing", f"{imports:.2f} s")
    listing = server.timed("/api/library") + server.timed("/api/files/many/windows")
    row("library and list of all windows", f"{listing:.3f} s")


def first_frames(server: Server, windows: int) -> None:
    random = np.random.default_rng(1)
    for what in ("member-1", "mean", "spread"):
        times = [
            server.timed(f"/api/files/many/windows/{k}/video?what={what}") for k in random.integers(0, windows, 15)
        ]
        row(f"a window never seen before: {what}", f"{statistics.median(times):.3f} s")
    again = [server.timed("/api/files/many/windows/1/video?what=mean") for _ in range(15)]
    row("a window seen before: mean", f"{statistics.median(again):.3f} s")
    asked = [server.timed(f"/api/files/many/windows/1/series?box={k},{k}") for k in range(15)]
    row("series of a pixel", f"{statistics.median(asked):.3f} s")


def readers(server: Server, count: int, windows: int) -> None:
    """Let so many clients ask at once, each for six things of a window of its own."""
    waits: list[float] = []
    failed: list[str] = []

    def read(k: int) -> None:
        place = f"/api/files/many/windows/{k % windows}"
        for path in (f"{place}/video?what=truth", f"{place}/video?what=mean", f"{place}/video?what=spread") * 2:
            begun = time.perf_counter()
            try:
                status, _ = server.ask(path)
            except OSError as error:
                failed.append(str(error))
                continue
            waits.append(time.perf_counter() - begun)
            if status != 200:
                failed.append(f"{status} {path}")

    begun = time.perf_counter()
    threads = [threading.Thread(target=read, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    listed = [server.timed("/api/files/many/windows") for _ in range(5)]
    for thread in threads:
        thread.join()
    passed = time.perf_counter() - begun
    row(f"{count} clients that read: answers in a second", f"{len(waits) / passed:.0f}")
    row("median wait of theirs", f"{statistics.median(waits):.2f} s")
    row("longest wait of theirs", f"{max(waits):.2f} s")
    row("median wait for the list meanwhile", f"{statistics.median(listed):.3f} s")
    row("requests that failed", str(len(failed)))


def drawing(server: Server, count: int) -> None:
    """Let so many pages ask for an ensemble at once, and see whether the server still answers."""
    offer = json.loads(server.ask("/api/live")[1])
    sequence, times = next(iter(offer["sequences"].items()))
    body = json.dumps({"sequence": sequence, "time": times[-1], "members": 4, "steps": 2}).encode()
    taken = [
        server.ask("/api/jobs", body, **{"content-type": "application/json", "x-page": f"page-{k:06d}"})[0]
        for k in range(count)
    ]
    row(f"{count} pages that forecast: taken on", str(taken.count(200)))
    row("refused (there is room for 22)", str(taken.count(429)))
    listed = [server.timed("/api/files/many/windows") for _ in range(20)]
    row("median wait for the list meanwhile", f"{statistics.median(listed):.3f} s")


def playing(server: Server) -> None:
    """Count the frames that four panels of 128² draw in a second at full speed."""
    if CHROMIUM is None:
        row("frames in a second, four panels", "no chromium")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        begun = time.perf_counter()
        page.goto(f"{server.address}#/w/many/7?p=truth,mean,spread,member-1&speed=24")
        page.wait_for_function(
            "() => { const w = [...document.querySelectorAll('.panel .waiting')]; return w.length && w[0].hidden; }"
        )
        row("address to first frame in the browser, page included", f"{time.perf_counter() - begun:.2f} s")
        page.wait_for_function("() => [...document.querySelectorAll('.panel .waiting')].every((w) => w.hidden)")
        begun = time.perf_counter()
        page.evaluate("location.hash = location.hash.replace('/7?', '/9?')")
        page.wait_for_function(
            "() => { const w = [...document.querySelectorAll('.panel .waiting')];"
            " return location.hash.includes('/9') && w.length && w[0].hidden; }"
        )
        row("click to first frame of another window", f"{time.perf_counter() - begun:.2f} s")
        page.wait_for_timeout(1500)
        took = page.evaluate("""() => new Promise((done) => {
            const slider = document.querySelector('.clock input'), times = [];
            let left = 60;
            const step = () => {
                const begun = performance.now();
                slider.value = String(left % 17);
                slider.dispatchEvent(new Event('input'));
                times.push(performance.now() - begun);
                if (--left) requestAnimationFrame(step); else done(times);
            };
            step();
        })""")
        row("drawing four panels of 128²: median of a frame", f"{statistics.median(took):.1f} ms")
        page.get_by_role("button", name="Play").click()
        shown = page.evaluate("""() => new Promise((done) => {
            const output = document.querySelector('.clock output');
            let changes = 0;
            new MutationObserver(() => { changes += 1; }).observe(output, { childList: true });
            setTimeout(() => done(changes), 3000);
        })""")
        row("playing at 24 frames/s: shown in a second", f"{shown / 3:.1f}")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=5000)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--drawing", type=int, default=0)
    parser.add_argument("--model", help="of --drawing")
    parser.add_argument("--data", help="archive of --drawing")
    given = parser.parse_args()
    if given.drawing and not (given.model and given.data):
        parser.error("--drawing needs --model, and --data, an archive to forecast from")
    print(f"{processor()}, {os.cpu_count()} cores; frames of {SIZE}², {MEMBERS} members, {LEADS} lead times\n")
    with tempfile.TemporaryDirectory(prefix="framecast-") as folder:
        path = Path(folder) / "many.zarr"
        write(path, given.windows)
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import framecast.view.app, uvicorn"], check=True)
        imports = time.perf_counter() - begun
        further = ["--model", given.model, "--data", given.data] if given.drawing else []
        server = Server(str(path), *further)
        try:
            opening(server, imports)
            first_frames(server, given.windows)
            playing(server)
            readers(server, given.readers, given.windows)
            if given.drawing:
                drawing(server, given.drawing)
        finally:
            server.close()


if __name__ == "__main__":
    main()
