"""Observations from FITS and JPEG 2000 files, identified by their headers, not by their names."""

import gzip
import io
import warnings
from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from framecast.core.errors import DataError
from framecast.core.reading import check_regular
from framecast.data.archive.guard import check_frame
from framecast.domains.solar import jp2
from framecast.domains.solar.fits_header import interpret
from framecast.domains.solar.image import FrameHeader, SolarImage

_OTHER_PACKINGS = (b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x1f\x9d")
_MOST_UNPACKED = 2**29
_MOST_TILE = 2**19
"""Largest size of a compressed tile in bytes; gzip may expand it a thousandfold."""

_CARD = 80
_MOST_PARTS = 1000
_MOST_AXES = 999
"""Largest number of axes or columns that FITS allows (standard 4.0, 4.4.1.1 and 7.2.1); astropy loops over any."""


def read_header(path: str | Path) -> FrameHeader:
    """Return the header of the file at ``path``, without reading the pixels.

    Raises:
        DataError: it is not a FITS file, is truncated, contains no image, or lacks date, wavelength or pointing.
    """
    if _is_jp2(Path(path)):
        return jp2.read_jp2_header(Path(path))
    with _open(Path(path)) as (header, _):
        return header


def read_image(path: str | Path) -> SolarImage:
    """Return the image in the file at ``path``: in the primary HDU or an extension, compressed or not, or a JPEG 2000.

    Pixels that the file declares blank are NaN, and so are the missing telemetry blocks of EIT, which it fills with 0
    below a pedestal of several hundred DN.

    Raises:
        DataError: as `read_header`, or the pixels cannot be decoded or are NaN throughout.
    """
    if _is_jp2(Path(path)):
        return jp2.read_jp2(Path(path))
    with _open(Path(path)) as (header, hdu):
        _check_tiles(Path(path), hdu)
        data = np.array(hdu.data, np.float32)
    data[~np.isfinite(data)] = np.nan
    level = saturation_level(header, hdu.header)
    if "EIT" in header.instrument and np.nanmedian(data) > 100:
        data[data == 0] = np.nan
    if np.isnan(data).all():
        raise DataError(f"{path} has no pixel with a value: leave the file out")
    return SolarImage(header=header, data=data, saturation=level)


def saturation_level(header: FrameHeader, cards: Any) -> float:
    """Return the value in the file above which a pixel is saturated; infinite where no limit is known.

    AIA: 15 000 of the 16 383 DN that 14 bits hold, above which JSOC counts a pixel into NSATPIX. EIT: the end of its
    14 bits. Other files of 8 bits: their largest number.
    """
    bits = int(cards.get("BITPIX", 0))
    highest = {"AIA": 15_000.0, "EIT": 16_382.0}
    limits = [limit for name, limit in highest.items() if name in header.instrument]
    limits += [float(cards.get("BSCALE", 1.0)) * 254.0 + float(cards.get("BZERO", 0.0))] if bits == 8 else []
    if not header.counts or not limits:
        return float("inf")
    if header.per_second:
        return limits[0] / header.exposure if header.exposure > 0 else float("inf")
    return limits[0]


def _is_jp2(path: Path) -> bool:
    """Whether the file begins as JPEG 2000 files do; a missing file is reported by the FITS reader."""
    try:
        check_regular(path)
        with path.open("rb") as stream:
            return stream.read(len(jp2.SIGNATURE)) == jp2.SIGNATURE
    except OSError:
        return False


def _unpacked(path: Path) -> Path | io.BytesIO:
    """Return ``path``, or its content if it is compressed with gzip; other compressions are a `DataError`."""
    with path.open("rb") as stream:
        first = stream.read(6)
    if first.startswith(_OTHER_PACKINGS):
        raise DataError(f"{path} is a compressed file: decompress it first")
    if not first.startswith(b"\x1f\x8b"):
        return path
    with gzip.open(path) as stream:
        content = stream.read(_MOST_UNPACKED + 1)
    if len(content) > _MOST_UNPACKED:
        raise DataError(f"{path} decompresses to more than {_MOST_UNPACKED} bytes, the maximum for an image")
    return io.BytesIO(content)


def _check_counts(path: Path, content: Path | io.BytesIO) -> None:
    """Raise `DataError` if a header declares more axes or columns than FITS allows."""
    if isinstance(content, Path):
        raw: np.ndarray = np.memmap(content, np.uint8, "r") if content.stat().st_size else np.empty(0, np.uint8)
    else:
        raw = np.frombuffer(content.getbuffer(), np.uint8)
    cards = raw[: raw.size // _CARD * _CARD].reshape(-1, _CARD)
    for keyword in (b"NAXIS   =", b"ZNAXIS  =", b"TFIELDS ="):
        for card in cards[(cards[:, : len(keyword)] == np.frombuffer(keyword, np.uint8)).all(axis=1)]:
            value = fits.Card.fromstring(card.tobytes()).value
            if isinstance(value, int) and value > _MOST_AXES:
                name = keyword.decode().rstrip(" =")
                raise DataError(f"{path} is damaged: {name} is {value}, and FITS allows at most {_MOST_AXES}")


def _check_tiles(path: Path, hdu: Any) -> None:
    """Raise `DataError` if a compressed tile could expand beyond the memory."""
    if not isinstance(hdu, fits.CompImageHDU):
        return
    with fits.open(_unpacked(path), memmap=False, disable_image_compression=True) as hdus:
        table = next(table for table in hdus if isinstance(table, fits.BinTableHDU) and "ZNAXIS" in table.header)
        named = [name for name in table.columns.names if name.endswith("COMPRESSED_DATA")]
        longest = max((tile.nbytes for name in named for tile in table.data[name]), default=0)
    if longest > _MOST_TILE:
        raise DataError(f"{path} has a compressed tile of {longest} bytes; at most {_MOST_TILE} are unpacked")


@contextmanager
def _open(path: Path) -> Iterator[tuple[FrameHeader, Any]]:
    """Yield the header and the HDU of the image; errors of astropy become a `DataError`."""
    try:
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            warnings.filterwarnings("error", message=".*truncated.*")
            content = _unpacked(path)
            _check_counts(path, content)
            with fits.open(content, memmap=False) as hdus:
                for number, _ in enumerate(hdus):  # astropy reads the list lazily; this reads all headers
                    if number >= _MOST_PARTS:
                        raise DataError(f"{path} has more than {_MOST_PARTS} parts: extract the image")
                hdu = next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2), None)
                if hdu is None and any("corrupt" in str(complaint.message) for complaint in complaints):
                    raise DataError(f"{path} is truncated: the data after its first header cannot be read")
                if hdu is None:
                    raise DataError(f"{path} contains no two-dimensional image")
                yield _interpret(path, hdus[0], hdu), hdu
    except (DataError, KeyboardInterrupt):
        raise
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except PermissionError:
        raise DataError(f"{path} cannot be read (permission denied)") from None
    except Exception as error:  # astropy's decoders raise many kinds on damaged files
        reason = " ".join(str(error).split())
        if "SIMPLE" in reason or "Empty" in reason:
            raise DataError(f"{path} is not a FITS file") from None
        if "truncated" in reason or "smaller than" in reason or "expected" in reason or "buffer" in reason:
            raise DataError(f"{path} is truncated: {reason}") from None
        raise DataError(f"{path} cannot be read as FITS: {reason or type(error).__name__}") from None


def _interpret(path: Path, primary: Any, hdu: Any) -> FrameHeader:
    shape = int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"])
    check_frame(path, *shape)
    layers = [hdu.header] if hdu is primary else [hdu.header, primary.header]
    cards = ChainMap(*(dict(_values(layer)) for layer in layers))
    comments = "\n".join(str(line) for layer in layers for line in layer.get("COMMENT", ()))
    return interpret(path, cards, shape, comments)


def _values(header: Any) -> Iterator[tuple[str, Any]]:
    for card in header.cards:
        if card.keyword not in ("", "COMMENT", "HISTORY") and not isinstance(card.value, fits.card.Undefined):
            yield card.keyword, card.value
