"""A small Sun in JSOC's layout, and a tiny model trained on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sunpy", reason="the Sun needs pip install 'framecast[solar]'")

from astropy.io import fits

from framecast.domains.solar.sources import SynopticSource

HOURS = 14


@pytest.fixture(scope="session")
def jsoc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hourly images of 96² pixels: a mottled disk that turns, in the layout of the archive."""
    folder = tmp_path_factory.mktemp("sun") / "synoptic"
    source = SynopticSource(base_url="http://127.0.0.1/")
    rows, columns = np.mgrid[:96, :96] - 47.5
    disk = np.hypot(rows, columns) < 37
    for hour in range(HOURS):
        time = np.datetime64("2017-08-08T00:00", "s") + np.timedelta64(hour, "h")
        pattern = 150 + 60 * np.sin((columns - 0.35 * hour) / 3) * np.cos(rows / 4) + 2 * hour
        header = fits.Header()
        header.update(
            {
                "INSTRUME": "AIA_3",
                "WAVELNTH": 171,
                "WAVEUNIT": "angstrom",
                "DATE-OBS": f"{time + np.timedelta64(9, 's')}.35",
                "EXPTIME": 2.0,
                "QUALITY": 1 << 30,
                "CRPIX1": 48.5,
                "CRPIX2": 48.5,
                "CDELT1": 25.6,
                "CDELT2": 25.6,
                "CROTA2": 0.0,
                "CRLN_OBS": 112.0 - 0.55 * hour,
                "CRLT_OBS": 6.26,
                "DSUN_OBS": 1.5167e11,
                "BUNIT": "DN",
            }
        )
        path = folder / source.locate(time, 171).path
        path.parent.mkdir(parents=True)
        fits.PrimaryHDU(np.where(disk, pattern, 4.0).astype(np.float32), header).writeto(path)
    return folder


@pytest.fixture(scope="session")
def model(jsoc: Path, tmp_path_factory: pytest.TempPathFactory, small_changes: tuple[str, ...]) -> Path:
    """A run of six steps: 2 frames seen, 2 forecast, two hours apart, 16² pixels of 40 arcsec."""
    from framecast.data.archive.reader import Archive
    from framecast.domains.solar.prepare import prepare as prepare_images
    from framecast.training.prepare import prepare
    from framecast.training.recipe import load_recipe
    from framecast.training.train import run_training

    root = tmp_path_factory.mktemp("model")
    prepare_images(jsoc, root / "sun.zarr", size=16, pixel=40.0, spacing=20.0, angle=30.0, minimum_frames=8)
    changes = [*small_changes, "data.future=2", "data.cadence=2h", "data.past_channels=['171']"]
    changes += ["data.future_channels=['171']", "data.split.kind=time"]
    changes += ["data.split.train_end=2017-08-08T06:30", "data.split.validation_start=2017-08-08T06:45"]
    for _ in run_training(prepare(load_recipe("tiny", changes), Archive.open(root / "sun.zarr")), root / "run"):
        pass
    return root / "run"


@pytest.fixture
def server(jsoc: Path, serve_archive) -> Iterator[object]:
    with serve_archive(jsoc) as running:
        yield running
