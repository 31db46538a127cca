"""Pictures as frames: PNG, JPEG, TIFF of 8, 16 and 32 bits, GIF, PGM and other formats of Pillow; several in one file
are consecutive frames.

Values are those of the file, not stretched. Colours that are not all equal become three channels.
"""

import gzip
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import xarray as xr
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from framecast.core.errors import DataError
from framecast.core.reading import check_regular
from framecast.data.archive.guard import check_frame
from framecast.importers.conversions import PLAIN
from framecast.importers.lazy import Key, outer, unread
from framecast.importers.optional import needed
from framecast.importers.options import ImportOptions

COLOURS = ("red", "green", "blue")
_FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "PPM", "BMP", "WEBP", "JPEG2000")
"""Formats that Pillow may use: its PostScript decoder would start a program."""

_GEOREFERENCED = (33550, 34264)
"""TIFF tags with the position of pixels."""

_SIGNS = {(8, 2): np.int8, (32, 0): np.uint32, (32, 1): np.uint32}
"""Types that Pillow reads with the wrong sign, by bits and sample format of TIFF (2 is signed, 1 or none unsigned)."""


def open_picture(path: Path, options: ImportOptions) -> xr.Dataset:
    """Return the picture, or the pictures, in a file as ``[y, x]`` or ``[time, y, x]``, with ``colour`` last.

    Raises:
        DataError: it is damaged, or of a kind in which values would be lost.
    """
    check_regular(path)
    try:
        with _opened(path) as picture:
            check_frame(path, picture.height, picture.width)
            count = getattr(picture, "n_frames", 1)
            _check_pages(path, str(getattr(picture, "tag_v2", {}).get(TiffImagePlugin.IMAGEDESCRIPTION, "")), count)
            first, physical = _pixels(picture), picture.mode == "F"
            shown = [_duration(picture, k) for k in range(count)] if count > 1 else []
    except UnidentifiedImageError:
        return _by_tifffile(path)
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} is too large: {error}") from None
    data = frames_dataset(first, count, partial(_read, path), physical=physical)
    if shown and all(shown):
        data = data.assign_coords(time=("time", np.cumsum([0.0, *shown[:-1]]) / 1000, {"units": "s"}))
    return data


def frames_dataset(first: npt.NDArray[Any], count: int, read: Any, *, physical: bool = False) -> xr.Dataset:
    """Return ``count`` frames like the ``first``, ``[y, x]`` or ``[y, x, colour]``, the upper row first.

    Args:
        first: the first frame.
        count: of frames; one has no dimension of time.
        read: called with the numbers of frames, returns ``[frame, y, x(, colour)]``.
        physical: whether values may be in an unknown unit.
    """
    dims = ["y", "x", "colour"][: first.ndim]
    attrs = {} if physical else {"units": "1", PLAIN: "yes"}

    def values(key: Key) -> npt.NDArray[Any]:
        if count == 1:
            return outer(read(np.array([0]))[0], key)
        rows = np.arange(count)[key[0]]
        found = outer(read(np.atleast_1d(rows)), (slice(None), *key[1:]))
        return found if rows.ndim else found[0]

    several = count > 1
    variable = unread(["time"] * several + dims, (count,) * several + first.shape, first.dtype, values, attrs)
    down = np.arange(first.shape[0] - 1, -1, -1, dtype=np.float64)
    data = xr.Dataset({"grey" if first.ndim == 2 else "colours": variable})
    data = data.assign_coords(y=("y", down, {"units": "pixel", "axis": "Y"}))
    return data.assign_coords(colour=list(COLOURS)) if first.shape[2:] == (3,) else data


def georeferenced(path: Path) -> bool:
    """Whether a TIFF file is georeferenced."""
    try:
        with path.open("rb") as file:
            header = file.read(8)
            directory = TiffImagePlugin.ImageFileDirectory_v2(header + (file.read(8) if header[2:3] == b"+" else b""))
            file.seek(directory.next)
            directory.load(file)
    except Exception:  # of damaged directories, reported when the picture is read
        return False
    return any(tag in directory for tag in _GEOREFERENCED)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    if path.suffix == ".gz":
        with gzip.open(path) as unpacked, Image.open(cast(IO[bytes], unpacked), formats=_FORMATS) as picture:
            yield picture
    else:
        with Image.open(path, formats=_FORMATS) as picture:
            yield picture


def _read(path: Path, numbers: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    with _opened(path) as picture:
        frames = []
        for number in numbers.tolist():
            if number:
                picture.seek(number)
            frames.append(_pixels(picture))
    return np.stack(frames)


def _duration(picture: Image.Image, number: int) -> float:
    picture.seek(number)
    return float(picture.info.get("duration", 0))


def _layout(picture: Image.Image) -> Any:
    """Return how the pixels are packed, as Pillow says: decoder, box, offset and arguments, or None."""
    return next(iter(getattr(picture, "tile", ())), None)


def _pixels(picture: Image.Image) -> npt.NDArray[Any]:
    """Return ``[y, x]``, or ``[y, x, colour]`` where the colours differ; NaN where a picture is transparent."""
    most = _maximum(picture)
    tags = getattr(picture, "tag_v2", {})  # of TIFF
    bits, kind = (np.max(tags.get(tag, 0)) for tag in (TiffImagePlugin.BITSPERSAMPLE, TiffImagePlugin.SAMPLEFORMAT))
    if (";16" in str(_layout(picture)) or bits > 8) and picture.mode in ("RGB", "RGBA", "LA"):
        raise DataError("colours of 16 bits, of which half would be lost: save grey pictures, or NetCDF")
    inverted = picture.mode.startswith("I;16") and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    if not tags and picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # Pillow turns TIFF itself
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("1", "L", "F", "I") or picture.mode.startswith("I;16"):
        values = np.asarray(picture)
        if inverted:  # white is 0, as Pillow heeds for 8 bits
            values = np.iinfo(values.dtype).max - values
        if most is not None and most not in (255, 65535):  # Pillow has stretched the values to 8 or 16 bits
            values = np.rint(values * (most / (65535 if picture.mode == "I" else 255))).astype(np.int32)
        if (bits, kind) in _SIGNS:  # Pillow has changed the sign
            return values.astype(_SIGNS[bits, kind])
        return values.astype(np.uint8) if picture.mode == "1" else values
    clear = "transparency" in picture.info or picture.mode in ("LA", "PA", "RGBA", "La", "RGBa")
    colours = np.asarray(picture.convert("RGBA" if clear else "RGB"))
    values = colours[..., :3]
    if (values == values[..., :1]).all():
        values = values[..., 0]
    if clear and (unseen := colours[..., 3] == 0).any():
        values = values.astype(np.float32)
        values[unseen] = np.nan
    return values


def _maximum(picture: Image.Image) -> int | None:
    """Return the value of white in a PGM file or one of 2 or 4 bits, where Pillow stretches the values to it."""
    layout = _layout(picture)
    if few := re.search(r"'L;([24])'", str(layout)):
        return 2 ** int(few[1]) - 1
    if layout is None or not str(layout[0]).startswith("ppm"):
        return None
    return int(layout[3][-1] if isinstance(layout[3], tuple) else layout[3])


def _check_pages(path: Path, description: str, pages: int) -> None:
    """Raise `DataError` if the pages of a TIFF file are more than the frames of one channel, as its description says.

    ImageJ writes ``channels=2``, OME ``SizeC="2"``, tifffile ``{"shape": [7, 2, 64, 64]}``.
    """
    names = {"channels": r"\bchannels=(\d+)|\bSizeC=\"(\d+)", "slices": r"\bslices=(\d+)|\bSizeZ=\"(\d+)"}
    names |= {"frames": r"\bframes=(\d+)|\bSizeT=\"(\d+)"}
    found = {name: re.search(pattern, description) for name, pattern in names.items()}
    sizes = {name: int(match[1] or match[2]) for name, match in found.items() if match}
    if shape := re.match(r'\{"shape": \[([\d, ]+)\]', description):
        axes = [int(size) for size in shape[1].split(",")]
        leading = next((axes[:k] for k in range(1, len(axes) - 1) if math.prod(axes[:k]) == pages), [])
        sizes = {f"axis {k}": size for k, size in enumerate(leading)}
    several = {name: size for name, size in sizes.items() if size > 1}
    if math.prod(sizes.values()) == pages > 1 and (len(several) > 1 or "channels" in several):
        listed = " × ".join(f"{size} ({name})" for name, size in several.items())
        raise DataError(
            f"the {pages} pages of {path} are {listed}, and pages are read as frames of one channel: save each channel "
            "as a file, or all as .npy with --dims time,channel,y,x"
        )


def _by_tifffile(path: Path) -> xr.Dataset:
    """Return TIFF files of types that Pillow does not support, and their pages."""
    tifffile = needed("tifffile", "pictures", f"{path.name}, which Pillow cannot read")
    try:
        with tifffile.TiffFile(path) as file:
            _check_pages(path, file.pages[0].description, len(file.pages))
            pages, planes = len(file.pages), file.pages[0].axes[:1] == "S"  # whole planes instead of values by pixel
            first = np.moveaxis(file.pages[0].asarray(), 0, -1) if planes else file.pages[0].asarray()
    except tifffile.TiffFileError as error:
        raise DataError(f"{path} is not a picture that can be read: {error}") from None

    def read(numbers: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        found = np.stack([tifffile.imread(path, key=int(number)) for number in numbers])
        return np.moveaxis(found, 1, -1) if planes else found

    return frames_dataset(first, pages, read, physical=first.dtype.kind == "f")
