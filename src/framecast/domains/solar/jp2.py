r"""Helioviewer's JPEG 2000 images: 8-bit pictures with the whole FITS header of their observation inside.

The header is in an XML box of the file (ISO/IEC 15444-1, annex I). The picture is scaled for display: exposure, a
square root or a logarithm, limits, and 8 bits. But the header contains the percentiles of the observation
(``DATAMEDN``, ``DATAP75`` … ``DATAP99``), and those of the picture can be counted: a straight line through the pairs

.. math:: \mathrm{byte} = a\, f(\mathrm{DN}) + b, \qquad f \in \{\sqrt{\cdot}, \log\}

gives the curve of each picture and thus the DN. Values beyond the picture's limits are lost:
byte 0 is that DN or less, byte 255 that DN or more. Between, a step of one byte is 2 to 4 % of the intensity.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.data.archive.guard import check_frame
from framecast.domains.solar.fits_header import interpret
from framecast.domains.solar.image import FrameHeader, SolarImage

SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
"""The first bytes of every JP2 file."""

_PERCENTILES = {"DATAP01": 1, "DATAP10": 10, "DATAP25": 25, "DATAMEDN": 50, "DATAP75": 75}
_PERCENTILES |= {"DATAP90": 90, "DATAP95": 95, "DATAP98": 98, "DATAP99": 99}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
_LONGEST_NUMBER = 100
"""Digits of a whole number; Python refuses to read very long ones."""

_MISFIT = 3.0
_NOTE = "DN recovered from 8-bit display values, cut off at the display's limits"


@dataclass(frozen=True)
class DisplayCurve:
    """How a picture shows intensities: ``byte = slope · f(DN) + offset``, f being ``sqrt`` or ``log`` (`kind`).

    ``misfit`` is the largest distance of a percentile from the curve, in bytes.
    """

    kind: str
    slope: float
    offset: float
    misfit: float

    @classmethod
    def fit(cls, picture: npt.NDArray[np.uint8], percentiles: Mapping[int, float]) -> "DisplayCurve | None":
        """Return the curve that maps the ``percentiles`` of the observation (per cent: DN) to those of ``picture``.

        Only values within the picture's limits count. None if fewer than three do, or no curve fits.
        """
        share = np.cumsum(np.bincount(picture.ravel(), minlength=256)) / picture.size
        shown = {per_cent: _percentile(share, per_cent / 100) for per_cent in percentiles}
        pairs = [(percentiles[p], byte) for p, byte in shown.items() if 0.5 < byte < 254.5 and percentiles[p] > 0]
        if len(pairs) < 3:
            return None
        dn, byte = np.array(pairs).T
        curves = []
        for kind, values in (("sqrt", np.sqrt(dn)), ("log", np.log(dn))):
            slope, offset = np.polyfit(values, byte, 1)
            misfit = float(np.abs(slope * values + offset - byte).max())
            curves.append(cls(kind, float(slope), float(offset), misfit))
        best = min(curves, key=lambda curve: curve.misfit)
        return best if best.misfit <= _MISFIT and best.slope > 0 else None

    def table(self) -> npt.NDArray[np.float32]:
        """Return the DN of each of the 256 bytes."""
        value = (np.arange(256) - self.offset) / self.slope
        return (np.maximum(value, 0) ** 2 if self.kind == "sqrt" else np.exp(value)).astype(np.float32)


def read_jp2_header(path: Path) -> FrameHeader:
    """Return the header in the file.

    Raises:
        DataError: as `framecast.domains.solar.reader.read_header`.
    """
    return _header(path)[0]


def read_jp2(path: Path) -> SolarImage:
    """Return the observation in the file: its DN, row 0 southernmost as in FITS.

    Raises:
        DataError: as `framecast.domains.solar.reader.read_image`, or the DN cannot be recovered.
    """
    from PIL import Image, UnidentifiedImageError

    header, cards = _header(path)
    try:
        with Image.open(path, formats=["JPEG2000"]) as picture:
            check_frame(path, picture.height, picture.width)
            bytes_ = np.asarray(picture.convert("L"))
    except DataError:
        raise
    except (OSError, SyntaxError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).replace(str(path), "the file").split())
        raise DataError(f"{path} is truncated or damaged: its picture cannot be decoded ({reason})") from None
    if bytes_.shape != header.shape:
        raise DataError(
            f"{path} has a picture of {bytes_.shape[0]}x{bytes_.shape[1]} pixels, and its header says "
            f"{header.shape[0]}x{header.shape[1]}: only pictures at full size are supported"
        )
    known = {
        per_cent: float(cards[name])
        for name, per_cent in _PERCENTILES.items()
        if isinstance(cards.get(name), int | float)  # text is none, and the file may be damaged
    }
    curve = DisplayCurve.fit(bytes_, known)
    if curve is None:
        raise DataError(
            f"{path} has an unknown intensity curve: its header's percentiles (DATAMEDN, DATAP75 …) are absent or "
            "do not fit, so its 8-bit values cannot be converted to DN; use the FITS file"
        )
    table = curve.table()
    # The brightest shade stands for "this or more".
    return SolarImage(header=header, data=table[bytes_[::-1]], saturation=float(table[254]))


def _percentile(share: npt.NDArray[np.float64], wanted: float) -> float:
    """Return the byte, interpolated within its step, below which the fraction ``wanted`` of the pixels lies."""
    byte = int(np.searchsorted(share, wanted))
    below = share[byte - 1] if byte else 0.0
    step = share[min(byte, 255)] - below
    return byte - 0.5 + (wanted - below) / step if step > 0 else float(byte)


def _header(path: Path) -> tuple[FrameHeader, dict[str, Any]]:
    """Return the FITS header in the XML box, and its cards, numbers as numbers."""
    box = next((content for kind, content in _boxes(path) if kind == b"xml "), None)
    if box is None:
        raise DataError(f"{path} is a JPEG 2000 file without a FITS header (no XML box): its pointing is unknown")
    try:
        fits = ElementTree.fromstring(box.rstrip(b"\x00").strip()).find(".//fits")
    except ElementTree.ParseError as error:
        raise DataError(f"{path} has a header that is not XML ({error})") from None
    if fits is None:
        raise DataError(f"{path} has an XML box without a FITS header (no element fits): its pointing is unknown")
    values = {element.tag.upper(): _value((element.text or "").strip()) for element in fits}
    cards = {name: value for name, value in values.items() if value not in ("", "nan", "-nan")}
    # A picture of no pixels where the cards give none; the picture itself is compared with it.
    rows, columns = (value if isinstance(value := cards.get(name), int) else 0 for name in ("NAXIS2", "NAXIS1"))
    header = interpret(path, cards, (rows, columns), str(values.get("COMMENT", "")))
    return replace(header, notes=(*header.notes, _NOTE)), cards


def _value(text: str) -> Any:
    if not _NUMBER.fullmatch(text):
        return text
    whole = text.lstrip("+-").isdecimal() and len(text) < _LONGEST_NUMBER
    return int(text) if whole else float(text.replace("D", "E").replace("d", "e"))


def _boxes(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of the boxes before the picture."""
    with path.open("rb") as stream:
        while len(head := stream.read(8)) == 8:
            length, kind = int.from_bytes(head[:4]), head[4:]
            if kind == b"jp2c" or length == 0:
                return
            size = int.from_bytes(stream.read(8)) - 16 if length == 1 else length - 8
            if not 0 <= size <= 2**26:
                raise DataError(f"{path} is damaged: it has a box of {size} bytes before its picture")
            yield kind, stream.read(size)
