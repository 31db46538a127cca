"""Folders of PNG in the layout of Francisco et al. (2024, arXiv 2410.20843), to archives.

Each file ``<AR>/<AR>_YYYYmmdd_HHMM_<w1>x<w2>x<w3>.png`` is one moment of an active region; its colours are the
wavelengths of the name, in that order. A byte b means ``b/255 = log1p(x) / log1p(saturation)``, so that

    x = expm1(b/255 · log1p(saturation))   in DN/s.

8 bits are coarse on a logarithmic scale: one step is ``log1p(saturation)/255``, 4.5 % of the pixel at a saturation of
81139 and 3.5 % at 6099 (values in between are lost), and 255 means "this or more".

The paper's programs write the rows of a FITS file in order, south first, and flip them for display, so row 0 of their
PNG is the southernmost (``lower``). Other programs write pictures for display, with row 0 in the north (``upper``). A
text ``origin`` in a PNG, or a file ``origin.txt`` in the folder, states it; without either the orientation of the paper
is assumed. `import_pictures` reports the orientation and its source. Row 0 of an archive is south.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from PIL import Image, UnidentifiedImageError

from framecast.core.domain import ATTRIBUTE
from framecast.core.errors import ConfigError, DataError
from framecast.core.options import options_of
from framecast.core.text import one_line
from framecast.data.archive.guard import check_frame
from framecast.data.archive.reader import Archive, ArchiveWriter
from framecast.domains.solar import NAME
from framecast.domains.solar.labels import LabelTable, check_some_known
from framecast.domains.solar.options import Origin, PngImportOptions
from framecast.domains.solar.tables import read_exclusions, region_number, sequence_name
from framecast.videos.frames import nanoseconds

SATURATION = {193: 81139.0, 211: 8179.0, 94: 6099.0}
"""DN/s of the byte 255 by wavelength in ångström, from the paper."""

_DAMAGED = (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError, MemoryError)
"""Exceptions of Pillow for files that are not, or no longer, pictures: a chunk may declare gigabytes that do not
exist."""

_LABEL = "class of what follows, from the table of samples"

_NAME = re.compile(r"(?P<region>.+)_(?P<day>\d{8})_(?P<clock>\d{4})_(?P<channels>\d+(?:x\d+){0,3})\.png", re.IGNORECASE)


@dataclass(frozen=True)
class PictureFile:
    """One file: its region, time (UTC), and the wavelength in ångström of each of its colours."""

    path: Path
    region: str
    time: np.datetime64
    channels: tuple[int, ...]


@dataclass(frozen=True)
class ImportedPictures:
    """Result of `import_pictures`: the archive, the number of its frames, and what was left out.

    Attributes:
        archive: one sequence for each region.
        frames: of all regions together.
        ignored: files with other names.
        rejected: files that could not be read, with the reason.
        excluded: files left out because of the list of exclusions.
        origin: assumed orientation of the pictures.
        origin_from: its source.
    """

    archive: Archive
    frames: int
    ignored: int
    rejected: list[tuple[Path, str]]
    excluded: int
    origin: Origin
    origin_from: str


def find_pictures(source: str | Path) -> tuple[list[PictureFile], int]:
    """Return the pictures below ``source`` by region and time, and how many other PNG files there are.

    Raises:
        DataError: there is no such folder, no picture in it, or the pictures are of different wavelengths.
    """
    source = Path(source)
    if not source.is_dir():
        raise DataError(f"{source} is not a folder: name the folder with a folder for each region")
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() == ".png" and path.is_file())
    pictures = [picture for path in files if (picture := parse_name(path)) is not None]
    if not pictures:
        raise DataError(
            f"{source} contains no picture named as in 377/377_20110214_0000_193x211x94.png ({len(files)} other "
            "PNG files)"
        )
    kinds = sorted({picture.channels for picture in pictures})
    if len(kinds) > 1:
        some = ", ".join("x".join(map(str, kind)) for kind in kinds[:3])
        raise DataError(f"{source} contains pictures of different wavelengths ({some}): import one kind at a time")
    return sorted(pictures, key=lambda picture: (picture.region, picture.time)), len(files) - len(pictures)


def parse_name(path: Path) -> PictureFile | None:
    """Return region, time and wavelengths from the name of ``path``; None for other names, or an invalid time."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    day, clock = found["day"], found["clock"]
    try:
        time = nanoseconds(np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:]}"))
    except ValueError:
        return None
    return PictureFile(path, found["region"], time, tuple(int(part) for part in found["channels"].split("x")))


def find_origin(source: Path, pictures: Sequence[PictureFile]) -> tuple[Origin, str]:
    """Return the orientation of the pictures below ``source``, and its source.

    Raises:
        DataError: a picture or the folder states something other than lower or upper, or they contradict each other.
    """
    said: dict[str, str] = {}
    note = source / "origin.txt"
    if note.is_file():
        said[note.read_text(encoding="utf-8", errors="replace")[:100].strip().lower()] = note.name
    for picture in pictures[:: max(1, len(pictures) // 100)]:
        with suppress(DataError), _opened(picture.path) as image:
            texts = {str(name).lower(): value for name, value in image.info.items() if isinstance(value, str)}
            if "origin" in texts:
                said.setdefault(texts["origin"].strip().lower(), picture.path.name)
    if not said:
        return "lower", "not stated, so assumed as in the folders of Francisco et al. (2024): --origin changes it"
    if len(said) > 1 or not set(said) <= {"lower", "upper"}:
        words = ", ".join(f"{name} says {origin!r}" for origin, name in said.items())
        raise DataError(f"the origin of the pictures is unclear ({words}): give --origin lower or --origin upper")
    origin, where = next(iter(said.items()))
    return ("upper" if origin == "upper" else "lower"), where


def read_picture(
    picture: PictureFile, saturation: Sequence[float], *, origin: Origin = "lower"
) -> npt.NDArray[np.float32]:
    """Return the pixels of ``picture`` in DN/s, ``[channel, row, column]``, row 0 southernmost.

    ``saturation`` is the DN/s of the byte 255, for each channel; ``origin`` is the position of row 0 of the file.

    Raises:
        DataError: the file is not an 8-bit PNG, too large, or has not one colour for each wavelength.
    """
    with _opened(picture.path) as image:
        pixels = _colours(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.dtype != np.uint8:
        raise DataError(f"{picture.path} has pixels of {pixels.dtype}; they must have 8 bits")
    if pixels.shape[2] == 4 and len(picture.channels) == 3:
        pixels = pixels[..., :3]  # transparent pixels are not observed
    if pixels.shape[2] != len(picture.channels):
        raise DataError(
            f"{picture.path} has {pixels.shape[2]} colours and its name {len(picture.channels)} wavelengths: the "
            "numbers must be equal"
        )
    pixels = pixels[::-1] if origin == "upper" else pixels
    return unstretch(pixels.transpose(2, 0, 1), saturation)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Yield the picture in a file; what is damaged or too large is a `DataError`."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            check_frame(path, image.height, image.width)
            yield image
    except DataError:
        raise
    except _DAMAGED as error:
        raise DataError(f"{path} cannot be read as PNG: {one_line(error)}") from None


def _colours(image: Image.Image) -> npt.NDArray[Any]:
    """Return the pixels of ``image``; for a palette its colours, or one channel if all are shades of grey."""
    if image.mode != "P":
        return np.asarray(image)
    colours = np.asarray(image.convert("RGB"))
    return colours[..., 0] if (colours == colours[..., :1]).all() else colours


def unstretch(pixels: npt.NDArray[np.uint8], saturation: Sequence[float]) -> npt.NDArray[np.float32]:
    """Return the DN/s of bytes ``[channel, row, column]``: ``expm1(b/255 · log1p(saturation))``."""
    scale = np.log1p(np.asarray(saturation, np.float64))[:, None, None] / 255
    return np.expm1(pixels * scale).astype(np.float32)


def import_pictures(
    source: str | Path,
    destination: str | Path,
    *,
    samples: LabelTable | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> ImportedPictures:
    """Write the archive ``destination`` from the pictures below ``source``, one sequence for each region.

    Args:
        source: folder with a folder for each region.
        destination: the archive.
        samples: labels of the frames, if any.
        overwrite: whether an existing archive may be replaced.
        progress: called with the number of pictures done, and of all.
        options: fields of `framecast.domains.solar.options.PngImportOptions`.

    Raises:
        ConfigError: the saturation of a wavelength is not known, or given for one that the pictures lack.
        DataError: there is nothing to import, or no sample matches a picture.
    """
    chosen, (pictures, ignored) = options_of(PngImportOptions, options), find_pictures(source)
    channels, saturation = pictures[0].channels, chosen.saturation or {}
    known = SATURATION | saturation
    if absent := [channel for channel in channels if channel not in known]:
        raise ConfigError(
            f"the saturation of {', '.join(map(str, absent))} Å is not known: give it as --saturation {absent[0]}=VALUE"
        )
    if strange := sorted(set(saturation) - set(channels)):
        raise ConfigError(
            f"--saturation names {', '.join(map(str, strange))} Å, and the pictures are of "
            f"{', '.join(map(str, channels))} Å"
        )
    scale = [float(known[channel]) for channel in channels]
    spans = read_exclusions(chosen.exclude) if chosen.exclude is not None else ()
    kept = [p for p in pictures if not any(start <= p.time <= end for start, end in spans)]
    regions = {region: [p for p in kept if p.region == region] for region in sorted({p.region for p in kept})}
    step = _cadence(regions) if chosen.cadence is None else chosen.cadence
    rejected: list[tuple[Path, str]] = []
    origin, told = (chosen.origin, "--origin") if chosen.origin else find_origin(Path(source), kept)
    turned = "flipped, so that row 0 is south" if origin == "upper" else "row 0 is south, as in the pictures"
    size, excluded = _size(kept), len(pictures) - len(kept)
    with ArchiveWriter(
        destination,
        channels=[str(channel) for channel in channels],
        unit="DN/s",
        cadence=step,
        height=size[0],
        width=size[1],
        classes=() if samples is None else samples.classes,
        attrs={
            ATTRIBUTE: NAME,
            "title": "Active regions from 8-bit pictures",
            "source": Path(source).absolute().name,
            "history": ["bytes to DN/s: expm1(byte / 255 * log1p(saturation))", f"{turned} ({told})"],
            "origin": origin,
            "saturation": {str(channel): value for channel, value in zip(channels, scale, strict=True)},
            "excluded_images": excluded,
        },
        overwrite=overwrite,
    ) as writer:
        done, labels = 0, {}
        for region, members in regions.items():
            frames: list[tuple[PictureFile, npt.NDArray[np.float32]]] = []
            for picture in members:
                done += 1
                try:
                    frames.append((picture, _read_of_size(picture, scale, size, origin)))
                except DataError as error:
                    rejected.append((picture.path, str(error)))
                if progress:
                    progress(done, len(kept))
            if frames:
                dataset = _dataset(region, frames)
                if samples is not None:
                    labels[region] = samples.at(region_number(region), dataset["time"].values, cadence=step)
                    dataset = dataset.assign(label=("time", labels[region].astype(np.int8), {"long_name": _LABEL}))
                writer.add(sequence_name(region), dataset)
        if samples is not None:
            check_some_known(labels, str(source))
    archive = Archive.open(destination)
    count = sum(len(archive.times(name)) for name in archive.sequences)
    return ImportedPictures(archive, count, ignored, rejected, excluded, origin, told)


def _read_of_size(
    picture: PictureFile, scale: Sequence[float], size: tuple[int, int], origin: Origin
) -> npt.NDArray[np.float32]:
    frame = read_picture(picture, scale, origin=origin)
    if frame.shape[1:] != size:
        raise DataError(f"{picture.path} has {frame.shape[1]}x{frame.shape[2]} pixels, the first {size}")
    return frame


def _dataset(region: str, frames: Sequence[tuple[PictureFile, npt.NDArray[np.float32]]]) -> xr.Dataset:
    names = np.array([picture.path.name for picture, _ in frames], object)
    return xr.Dataset(
        {
            "intensity": (("time", "channel", "y", "x"), np.stack([frame for _, frame in frames])),
            "source": ("time", names, {"long_name": "name of the file"}),
        },
        coords={"time": np.array([picture.time for picture, _ in frames])},
        attrs={"region": region},
    )


def _cadence(regions: Mapping[str, Sequence[PictureFile]]) -> float:
    steps = [np.diff(np.array([p.time for p in members])) for members in regions.values() if len(members) > 1]
    seconds = np.concatenate(steps) / np.timedelta64(1, "s") if steps else np.array([])
    if not len(seconds):
        raise DataError("no region has two pictures, needed to derive the cadence: give it with --cadence")
    values, counts = np.unique(seconds, return_counts=True)
    return float(values[counts.argmax()])


def _size(pictures: Sequence[PictureFile]) -> tuple[int, int]:
    """Return rows and columns of the first picture that can be opened."""
    for picture in pictures:
        with suppress(DataError), _opened(picture.path) as image:
            return image.height, image.width
    raise DataError(f"none of {len(pictures)} pictures can be read as PNG")
