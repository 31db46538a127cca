"""A small solar archive in JSOC's layout, served on loopback."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framecast.domains.solar.options import Transfer
from framecast.domains.solar.sources import SynopticSource

HOURS = range(0, 12, 2)
WAVELENGTHS = (171, 193)


@pytest.fixture(scope="session")
def archive(
    tmp_path_factory: pytest.TempPathFactory, write_sun: Callable[..., list[Path]], start: np.datetime64
) -> Path:
    """Six frames two hours apart in two channels, 48² pixels each."""
    root = tmp_path_factory.mktemp("jsoc")
    source = SynopticSource(base_url="http://127.0.0.1/")
    for wavelength in WAVELENGTHS:
        loose = root / "loose" / str(wavelength)
        made = write_sun(loose, hours=list(HOURS), wavelength=wavelength, delay=9.35, size=48, scale=51.2)
        for hour, path in zip(HOURS, made, strict=True):
            place = root / "archive" / source.locate(start + np.timedelta64(hour, "h"), wavelength).path
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)
    return root / "archive"


@pytest.fixture
def server(archive: Path, serve_archive: Callable[..., Any]) -> Iterator[Any]:
    with serve_archive(archive) as running:
        yield running


@pytest.fixture(scope="session")
def times(start: np.datetime64) -> list[np.datetime64]:
    return [start + np.timedelta64(hour, "h") for hour in HOURS]


@pytest.fixture(scope="session")
def quick() -> Transfer:
    """Quick to try again, and patient with a machine that is busy."""
    return Transfer(connections=3, tries=3, pause=0.01, silence=60.0, timeout=120.0, patience=5.0)
