"""The core speaks of no one field: neither its files nor what a person with rain reads have a word of the Sun."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from framecast.cli import run
from framecast.core.domain import Domain
from framecast.data.archive.reader import Archive

PACKAGE = Path(__file__).parents[1] / "src" / "framecast"
READ = {".py", ".j2", ".js", ".css", ".yaml"}

WORDS = frozenset(
    (
        *("sun", "suns", "sunspot", "sunspots", "solar", "photosphere", "chromosphere", "corona", "coronas", "coronal"),
        *(
            "flux",
            "fluxes",
            "fluence",
            "mpf",
            "flare",
            "flares",
            "flaring",
            "limb",
            "euv",
            "magnetogram",
            "magnetograms",
        ),
        *("aia", "hmi", "eit", "sdo", "soho", "noaa", "jsoc", "helioviewer", "carrington", "stonyhurst"),
        *("helioprojective", "heliographic", "heliocentric", "arcsec", "arcsecond", "arcseconds"),
    )
)
"""Words, as parts of names too (``maximum_flux``, ``SolarImage``)."""

PHRASES = re.compile(
    r"DN/s|\bDN\b|t2pf|active regions?|off[- ]disk|off the (solar )?disk|(whole|solar) disk|ångström|\bÅ\b",
    re.IGNORECASE,
)
"""What consists of more than letters. "Disk" alone is where files are kept."""

ALLOWED = {
    # Names that users have and files hold.
    "__init__.py": r"write_corona|domains\.corona",  # as fc.write_corona
    "models/released/__init__.py": r"sun-171|sun\.zarr|corona-synth",  # the models that come with the package
    # Names in files of version 0.1, which must open.
    "verification/recalibration/calibration.py": r'"(flux|mpf|fluence|t2pf)"',
    "verification/former.py": r"names of the Sun|flux of a frame|`?`?mpf_crps",
    # Units of positions in any field.
    "reports/film.py": r'"arcsec"',
    "videos/directions.py": r'"arcsec"',
    # Citations.
    "models/guard.py": r"Sun et al\.",
    "verification/occurrences.py": r"comparison of flare forecasting",
    "verification/scores/events.py": r"solar flare forecasting",
    "verification/quantities.py": r"solar corona evolution with denoising diffusion|there MPF, T2PF and fluence",
}
"""By file: what is no word of the core there, and why it may stand."""


def words(text: str) -> set[str]:
    """The words of ``text`` in lower case; ``maximum_flux`` and ``SolarImage`` are two each."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)}


def findings(text: str) -> set[str]:
    return (words(text) & WORDS) | {found.group().lower() for found in PHRASES.finditer(text)}


def core_files() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        if path.suffix in READ and parts[0] != "domains" and "vendor" not in parts:
            yield path


@pytest.mark.parametrize("path", list(core_files()), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_the_core_has_no_word_of_the_sun(path):
    name = path.relative_to(PACKAGE).as_posix()
    allowed = ALLOWED.get(name, r"(?!)")
    said = {
        f"{name}:{number}: {', '.join(sorted(found))}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (found := findings(re.sub(allowed, "", line, flags=re.IGNORECASE)))
    }
    assert not said, "a word of one field in the core (see framecast.core.domain):\n" + "\n".join(sorted(said))
    assert not findings(name.replace("/", " "))


def test_every_exception_is_needed():
    for name, allowed in ALLOWED.items():
        text = (PACKAGE / name).read_text(encoding="utf-8")
        assert findings(text), f"{name} has no such word any more: take it off the list"
        assert re.search(allowed, text, re.IGNORECASE)


@pytest.mark.parametrize(
    "text", ["maximum_flux", "SolarImage", "the Sun's", "in DN/s", "an active region", "pixels off the disk", "193 Å"]
)
def test_the_words_are_found(text):
    assert findings(text)


@pytest.mark.parametrize("text", ["on disk", "the disk is full", "influx", "sunk", "Denoiser", "regions", "limbo"])
def test_other_words_are_not(text):
    assert not findings(text)


def rain_file(path: Path) -> Path:
    """Rain of a made-up radar: showers that drift over a frame, dry in between, a corner out of range."""
    y, x = np.mgrid[:24, :32]
    random = np.random.default_rng(0)
    rain = np.zeros((8, 24, 24, 32), np.float32)
    for storm in range(8):
        for _ in range(3):
            y0, x0, vy, vx = random.uniform(-6, 30), random.uniform(-6, 38), random.normal(), random.normal()
            for frame in range(24):
                away = (y - y0 - vy * frame) ** 2 + (x - x0 - vx * frame) ** 2
                rain[storm, frame] += 20 * np.exp(-away / 18, dtype=np.float32)
    rain[rain < 0.1] = 0
    rain[:, :, :4, :4] = np.nan
    start = np.datetime64("2024-07-01T12:00", "ns") + np.arange(8)[:, None] * np.timedelta64(1, "D")
    times = start + np.arange(24) * np.timedelta64(300, "s")
    xr.Dataset(
        {"rain": (("storm", "frame", "y", "x"), rain, {"units": "mm/h"})}, coords={"time": (("storm", "frame"), times)}
    ).to_netcdf(path, engine="h5netcdf")
    return path


CHANGES = (
    "network.width=4",
    "data.past=2",
    "data.future=3",
    "training.steps=4",
    "training.batch=4",
    "training.validate_every=2",
    "training.validation_windows=4",
    "training.checkpoint_every=2",
    "sampling.steps=2",
)


def whole_way(folder: Path, importing: list[str], capsys, *, split: str = "region") -> str:
    """Import, look at, split, train, forecast, calibrate and judge in ``folder``; return all that a person can read."""
    changes = [*CHANGES, f"data.split.kind={split}"]
    archive, forecast, unknown = (str(folder / name) for name in ("a.zarr", "f.zarr", "v.zarr"))
    training, report = str(folder / "run"), str(folder / "report")
    told = []
    for arguments in (
        ["import", *importing, archive],
        ["info", archive],
        ["split", "tiny", "--data", archive, "--out", str(folder / "split.csv"), *CHANGES[:3], changes[-1]],
        ["train", "tiny", *changes, "--data", archive, "--out", training],
        ["info", training],
        ["forecast", training, archive, unknown, "--members", "4", "--split", "validation"],
        ["calibrate", unknown, training],
        ["forecast", training, archive, forecast, "--members", "4", "--split", "test"],
        ["info", forecast],
        ["evaluate", forecast, "--out", report, "--replicates", "100", "--thresholds", "1,5"],
    ):
        assert run(arguments) == 0, capsys.readouterr().err
        told += capsys.readouterr()
    assert Archive.open(archive).domain == Domain()
    files = [path for path in folder.rglob("*") if path.suffix in {".html", ".csv", ".json", ".jsonl", ".svg", ".yaml"}]
    names = [path.name for path in folder.rglob("*")]
    assert len(files) > 10
    told += [re.sub(r"base64,[^\"']+", "", path.read_text(encoding="utf-8")) for path in files]
    return "\n".join([*told, *names])


@pytest.mark.slow
def test_a_person_with_rain_reads_no_word_of_the_sun(tmp_path, capsys):
    source = rain_file(tmp_path / "rain.nc")
    assert not findings(whole_way(tmp_path, [str(source), "--multiple", "8", "--sequence", "storm"], capsys))


@pytest.mark.slow
@pytest.mark.parametrize(
    "importing",
    [
        "knmi-radar-2021 --scale 0.5 --offset -32 --unit dBZ --coarsen 10 --multiple 8 --sequence sequence",
        "era5-t2m-uk-2019-03 --multiple 8 --every 3h",
        "agulhas-currents-2002 --multiple 8 --end 2002-04-30",
        "typhoon-ir --sequence file --independent --coarsen 16",
    ],
    ids=lambda importing: importing.split("-")[0],
)
def test_a_person_with_real_weather_reads_no_word_of_the_sun(importing, real_data, tmp_path, capsys):
    source, *options = importing.split()
    assert not findings(whole_way(tmp_path, [str(real_data / source), *options], capsys, split="auto"))


def test_help_has_no_word_of_the_sun_but_where_it_lists_the_domains(capsys):
    for command in ("import", "train", "split", "forecast", "evaluate", "calibrate", "export", "average", "info"):
        assert run([command, "--help"]) == 0
        assert not findings(capsys.readouterr().out), command
