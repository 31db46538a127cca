"""Helioviewer's JPEG 2000: the header in its XML box, and the intensities behind its picture."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framecast.core.errors import DataError
from framecast.domains.solar.jp2 import SIGNATURE, DisplayCurve
from framecast.domains.solar.observations import scan
from framecast.domains.solar.reader import read_header, read_image

CARDS = {
    "NAXIS1": 64,
    "NAXIS2": 48,
    "WAVELNTH": 193,
    "WAVEUNIT": "angstrom",
    "DATE-OBS": "2017-08-08T00:00:05.84",
    "EXPTIME": 2.0,
    "QUALITY": 0,
    "CRPIX1": 32.0,
    "CRPIX2": 24.0,
    "CDELT1": 40.0,
    "CDELT2": 40.0,
    "CROTA2": 0.0,
    "CRLN_OBS": 112.1,
    "CRLT_OBS": 6.26,
    "DSUN_OBS": 1.5167e11,
    "TEMPCCD": "-nan",
}
PERCENTILES = {1: "DATAP01", 10: "DATAP10", 25: "DATAP25", 50: "DATAMEDN", 75: "DATAP75", 90: "DATAP90", 99: "DATAP99"}

Curve = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def dn() -> np.ndarray:
    """An image of 20 to 5000 DN, brighter to the north (higher rows)."""
    random = np.random.default_rng(0)
    return np.exp(np.linspace(3, 7, 48)[:, None] + random.normal(0, 0.5, (48, 64))).clip(20, 5000)


def write(path: Path, dn: np.ndarray, curve: Curve, **changes: object) -> Path:
    """Write ``dn`` as Helioviewer does: a picture of ``curve``, and the header in an XML box before it."""
    picture = io.BytesIO()
    Image.fromarray(np.clip(curve(dn), 0, 255).round().astype(np.uint8)[::-1]).save(
        picture, "JPEG2000", irreversible=False, quality_mode="rates", quality_layers=[1]
    )
    cards = CARDS | {name: np.percentile(dn, share) for share, name in PERCENTILES.items()} | changes
    body = "".join(f"<{name}>{value}</{name}>" for name, value in cards.items() if value is not None)
    xml = f'<?xml version="1.0" encoding="UTF-8"?><meta><fits>{body}</fits></meta>'.encode()
    content = picture.getvalue()
    end_of_header = content.index(b"jp2c") - 4
    box = (len(xml) + 8).to_bytes(4) + b"xml " + xml
    path.write_bytes(content[:end_of_header] + box + content[end_of_header:])
    return path


@pytest.mark.parametrize(
    ("kind", "curve"),
    [("sqrt", lambda dn: 3.5 * np.sqrt(dn) - 12), ("log", lambda dn: 46 * np.log(dn) - 130)],
)
def test_intensities_come_back_whatever_the_display(kind: str, curve: Curve, dn: np.ndarray, tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "sun.jp2", dn, curve))
    shown = (curve(dn) > 2) & (curve(dn) < 253)
    assert shown.mean() > 0.8
    assert (np.abs(image.data / dn - 1)[shown]).max() < 0.08  # half a byte of 255
    assert np.abs(np.mean(image.data / dn, where=shown) - 1) < 0.01
    assert image.header.wavelength == 193
    assert image.header.time == np.datetime64("2017-08-08T00:00:05.840", "ns")
    assert image.header.pointing.pixel == (31.0, 23.0)
    assert any("8-bit" in note for note in image.header.notes)


def test_the_curve_is_found_and_an_impossible_one_is_not(dn: np.ndarray) -> None:
    known = {share: float(np.percentile(dn, share)) for share in PERCENTILES}
    picture = np.clip(3.5 * np.sqrt(dn) - 12, 0, 255).round().astype(np.uint8)
    curve = DisplayCurve.fit(picture, known)
    assert curve is not None
    assert curve.kind == "sqrt"
    assert curve.slope == pytest.approx(3.5, rel=0.01)
    assert curve.offset == pytest.approx(-12, abs=0.5)
    assert DisplayCurve.fit(255 - picture, known) is None
    assert DisplayCurve.fit(picture, {50: known[50]}) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (dict.fromkeys(PERCENTILES.values()), "unknown intensity curve"),
        ({"DATAMEDN": 4000.0}, "unknown intensity curve"),
        ({"NAXIS1": 128}, "picture of 48x64 pixels, and its header says 48x128"),
        ({"NAXIS1": "wide"}, "picture of 48x64 pixels, and its header says 48x0"),
        ({"NAXIS1": "9" * 5000}, "picture of 48x64 pixels, and its header says 48x0"),
        ({"QUALITY": "NaN"}, "QUALITY .NaN"),
        (dict.fromkeys(PERCENTILES.values(), "many"), "unknown intensity curve"),
        ({"CRPIX1": None}, "no pointing"),
        ({"DATE-OBS": "yesterday"}, "yesterday"),
    ],
)
def test_headers_that_cannot_be_used(
    changes: dict[str, object], complaint: str, dn: np.ndarray, tmp_path: Path
) -> None:
    path = write(tmp_path / "sun.jp2", dn, lambda dn: 3.5 * np.sqrt(dn) - 12, **changes)
    with pytest.raises(DataError, match=complaint) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_damaged_files_say_so_in_one_line(dn: np.ndarray, tmp_path: Path) -> None:
    content = write(tmp_path / "sun.jp2", dn, lambda dn: 3.5 * np.sqrt(dn) - 12).read_bytes()
    damaged = tmp_path / "damaged.jp2"
    start = content.index(b"<?xml")
    sides = content.index(b"ihdr") + 4
    for body, complaint in (
        (SIGNATURE, "no XML box"),
        (content[: len(content) // 2], "truncated|header that is not XML|no XML box"),
        (content[:start] + b"<broken" + content[start + 7 :], "not XML"),
        (content[:sides] + 2 * (10**6).to_bytes(4) + content[sides + 8 :], "cannot be decoded"),
        (content.replace(b"<fits>", b"<nots>").replace(b"</fits>", b"</nots>"), "without a FITS header"),
    ):
        damaged.write_bytes(body)
        with pytest.raises(DataError, match=complaint) as caught:
            read_image(damaged)
        assert "\n" not in str(caught.value)


@pytest.mark.thorough
def test_real_files_agree_with_the_fits_images_of_the_same_exposures(real_data: Path) -> None:
    jp2 = read_image(real_data / "aia171-jp2" / "aia_171_20170807T235945.jp2")
    fits = read_image(real_data / "aia171-fulldisk-2017/2017/08/08/H0000/AIA20170808_0000_0171.fits")
    assert jp2.header.time == fits.header.time
    assert jp2.header.exposure == fits.header.exposure
    assert jp2.header.shape == (4096, 4096)
    assert jp2.header.pointing.scale == pytest.approx(fits.header.pointing.scale / 4, rel=1e-4)
    binned = jp2.data.reshape(1024, 4, 1024, 4).mean(axis=(1, 3))
    assert np.corrcoef(binned.ravel(), fits.data.ravel())[0, 1] > 0.9999
    assert np.median(binned[fits.data > 20] / fits.data[fits.data > 20]) == pytest.approx(1, abs=0.02)


def test_real_files_are_found_by_their_headers(real_data: Path) -> None:
    observations = scan(real_data / "aia171-jp2")
    assert [frame.wavelength for frame in observations.frames] == [171, 171, 171]
    assert observations.rejected == []
    assert read_header(observations.frames[0].path) == observations.frames[0]
