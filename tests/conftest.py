"""What every test shares: shapes enforced at call time, and the way to the real observations."""

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jaxtyping import install_import_hook

# Tensor shapes in annotations are checked in these modules while the tests run.
install_import_hook(
    [
        f"framecast.{module}"
        for module in (
            "diffusion",
            "generators",
            "networks",
            "verification.scores",
            "verification.recalibration",
            "core.seeding",
            "videos.anomalies",
            "videos.conditioning",
            "videos.masks",
            "videos.motion",
            "videos.representation",
        )
    ],
    "beartype.beartype",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files unread that the chosen tier leaves out as a whole: what they import takes longer than its tests."""
    terms = config.option.markexpr.split(" and ")
    if collection_path.suffix != ".py" or not all(term.startswith("not ") for term in terms):
        return None
    marks = re.search(r"^pytestmark = .*", collection_path.read_text(encoding="utf-8"), re.MULTILINE)
    return (marks is not None and any(f"mark.{term[4:]}" in marks[0] for term in terms)) or None


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cache of the user who runs the tests stays as it is, and no test waits until its files are on the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMECAST_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real observations named by FRAMECAST_DATA; the test is skipped where it is absent."""
    folder = os.environ.get("FRAMECAST_DATA")
    if not folder:
        pytest.skip("real observations are absent: set FRAMECAST_DATA to their folder")
    if not Path(folder).is_dir():
        pytest.skip(f"real observations are absent: FRAMECAST_DATA={folder} is no folder")
    return Path(folder)


@pytest.fixture(scope="module")  # Playwright's event loop would be in the way of other tests
def browser() -> Iterator[Any]:
    """A Chromium that asks nothing of the network by itself."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no chromium is installed")
    quiet = ("quic", "background-networking", "component-update", "sync")
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{part}" for part in quiet)]
    with sync_api.sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=path, args=arguments, timeout=120_000)
        yield instance
        instance.close()


@pytest.fixture(scope="session")
def serve_archive() -> Callable[..., AbstractContextManager]:
    """A function that serves a folder as a solar archive on loopback: `serve` of `archive_server.py`."""
    specification = importlib.util.spec_from_file_location(
        "archive_server", Path(__file__).with_name("archive_server.py")
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.serve


@pytest.fixture(scope="session")
def gaussian_forecast() -> Callable[..., Path]:
    """A function that writes a forecast file whose law is known.

    Each future pixel is N(last frame, (lead + 1)²), independently. The members are drawn from N(last + ``bias``,
    (``spread`` (lead + 1))²), the oracle and the training residuals from the law itself.
    """
    from framecast.data.forecasts import SampleInfo, write_forecast
    from framecast.videos.frames import FrameSpec

    def write(
        path: Path,
        *,
        samples: int = 12,
        members: int = 10,
        leads: int = 3,
        size: tuple[int, int] = (12, 16),
        spread: float = 1.0,
        bias: float = 0.0,
        oracle: bool = True,
        draws: int = 30,
        mask: np.ndarray | None = None,
        channels: tuple[str, ...] = ("171",),
        sequences: int = 6,
        seed: int = 0,
        overwrite: bool = False,
    ) -> Path:
        random = np.random.default_rng(seed)
        frames = FrameSpec(
            past_channels=("193", "171"),
            future_channels=channels,
            past=3,
            future=leads,
            cadence=7200.0,
            height=size[0],
            width=size[1],
        )
        scale = np.arange(1, leads + 1)[:, None, None]
        shape = (len(channels), leads, *size)
        infos = [
            SampleInfo(
                sequence=f"region-{k % sequences:03d}",
                issue_time=np.datetime64("2017-08-13T00:00") + np.timedelta64(6 * (k // sequences), "h"),
            )
            for k in range(samples)
        ]
        dressing = (random.normal(size=(draws, *shape)) * scale).astype(np.float32) if draws else None
        attrs = {"model": "gaussian", "seed": seed, "sampler": "exact", "steps": 1, "cadence": 7200.0}
        with write_forecast(
            path,
            frames=frames,
            samples=infos,
            members=members,
            unit="DN/s",
            attrs=attrs,
            dressing=dressing,
            oracle=oracle,
            overwrite=overwrite,
        ) as writer:
            for k in range(samples):
                past = 100 + random.normal(size=(2, 3, *size)) * 10
                last = past[1, -1]
                arrays = {
                    "past": past,
                    "truth": last + random.normal(size=shape) * scale,
                    "forecast": last + bias + random.normal(size=(members, *shape)) * scale * spread,
                }
                if oracle:
                    arrays["oracle"] = last + random.normal(size=(members, *shape)) * scale
                if mask is not None:
                    arrays = {name: np.where(mask, np.nan, values) for name, values in arrays.items()}
                writer.write(k, **{name: values.astype(np.float32) for name, values in arrays.items()})
        return path

    return write


@pytest.fixture(scope="session")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic archive in which everything is small: 12 regions, 8 frames of 16×24 pixels, three channels."""
    from framecast.domains.corona.writing import write_corona

    path = tmp_path_factory.mktemp("archives") / "small.zarr"
    write_corona(path, regions=12, frames=8, size=(16, 24), seed=3)
    return path


SMALL = (
    "network.width=4",
    "data.past=2",
    "data.future=3",
    'data.future_channels=["94", "193"]',
    "training.steps=6",
    "training.batch=4",
    "training.validate_every=3",
    "training.validation_windows=4",
    "training.checkpoint_every=2",
    "training.precision=float32",
    "sampling.steps=3",
)
"""Changes that make the recipe ``tiny`` fit `small_archive` and seconds."""


@pytest.fixture(scope="session")
def small_changes() -> tuple[str, ...]:
    """Changes that make the recipe ``tiny`` fit `small_archive` and seconds."""
    return SMALL


@pytest.fixture(scope="session")
def small_run(small_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training run on `small_archive`."""
    from framecast.data.archive.reader import Archive
    from framecast.training.prepare import prepare
    from framecast.training.recipe import load_recipe
    from framecast.training.train import run_training

    path = tmp_path_factory.mktemp("runs") / "small"
    for _ in run_training(prepare(load_recipe("tiny", SMALL), Archive.open(small_archive)), path):
        pass
    return path
