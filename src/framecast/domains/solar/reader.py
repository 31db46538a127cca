"""Observations from FITS and JPEG 2000 files. What a file holds is in its header; its name is never looked at."""

import warnings
from collections import ChainMap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from framecast.core.errors import DataError
from framecast.domains.solar import jp2
from framecast.domains.solar.header import interpret
from framecast.domains.solar.image import FrameHeader, SolarImage


def read_header(path: str | Path) -> FrameHeader:
    """Return what the file at ``path`` says about its image, without reading the pixels.

    Raises:
        DataError: it is no FITS file, is cut short, holds no image, or lacks date, wavelength or pointing.
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
        data = np.array(hdu.data, np.float32)
    data[~np.isfinite(data)] = np.nan
    if "EIT" in header.instrument and np.nanmedian(data) > 100:
        data[data == 0] = np.nan
    if np.isnan(data).all():
        raise DataError(f"{path} has no pixel with a value: leave the file out")
    return SolarImage(header=header, data=data)


def _is_jp2(path: Path) -> bool:
    """Whether the file begins as JPEG 2000 files do; a file that is not there is left to the reader of FITS."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(jp2.SIGNATURE)) == jp2.SIGNATURE
    except OSError:
        return False


@contextmanager
def _open(path: Path) -> Iterator[tuple[FrameHeader, Any]]:
    """Yield the header and the HDU of the image; whatever astropy says meanwhile becomes a `DataError`."""
    try:
        with warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            warnings.filterwarnings("error", message=".*truncated.*")
            with fits.open(path, memmap=False) as hdus:
                len(hdus)  # astropy reads the list lazily; asking for its length reads all headers
                hdu = next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2), None)
                if hdu is None and any("corrupt" in str(complaint.message) for complaint in complaints):
                    raise DataError(f"{path} is cut short: what follows its first header cannot be read")
                if hdu is None:
                    raise DataError(f"{path} holds no two-dimensional image")
                yield _interpret(path, hdus[0], hdu), hdu
    except (DataError, KeyboardInterrupt):
        raise
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except Exception as error:  # astropy's decoders raise many kinds on damaged files
        reason = " ".join(str(error).split())
        if "SIMPLE" in reason or "Empty" in reason:
            raise DataError(f"{path} is no FITS file") from None
        if "truncated" in reason or "smaller than" in reason or "expected" in reason or "buffer" in reason:
            raise DataError(f"{path} is cut short: {reason}") from None
        raise DataError(f"{path} cannot be read as FITS: {reason or type(error).__name__}") from None


def _interpret(path: Path, primary: Any, hdu: Any) -> FrameHeader:
    layers = [hdu.header] if hdu is primary else [hdu.header, primary.header]
    cards = ChainMap(*(dict(_values(layer)) for layer in layers))
    comments = "\n".join(str(line) for layer in layers for line in layer.get("COMMENT", ()))
    return interpret(path, cards, (int(hdu.header["NAXIS2"]), int(hdu.header["NAXIS1"])), comments)


def _values(header: Any) -> Iterator[tuple[str, Any]]:
    for card in header.cards:
        if card.keyword not in ("", "COMMENT", "HISTORY") and not isinstance(card.value, fits.card.Undefined):
            yield card.keyword, card.value
