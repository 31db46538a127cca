"""Which importer reads which file, and what a source given by a person is: files, folders, patterns, addresses."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path

import xarray as xr

from framecast.core.errors import DataError, FramecastError
from framecast.core.text import one_line
from framecast.data.archive.guard import undamaged
from framecast.importers.arrays import open_array
from framecast.importers.axes import name_dimensions
from framecast.importers.base import Recording
from framecast.importers.decoding import Decoded, decode
from framecast.importers.filenames import times_in_names
from framecast.importers.films import open_film
from framecast.importers.geotiff import open_geotiff
from framecast.importers.grib import open_grib
from framecast.importers.gridded import Gridded, Several
from framecast.importers.joining import File, join
from framecast.importers.netcdf import netcdf_groups, open_netcdf
from framecast.importers.optional import needed
from framecast.importers.options import ImportOptions
from framecast.importers.pictures import georeferenced, open_picture
from framecast.importers.radar import is_radar, open_radar
from framecast.importers.zarrs import METADATA, open_zarr, zarr_groups

Open = Callable[[Path, ImportOptions], xr.Dataset]


_APART = ("file", "folder")
"""What ``--sequence`` may say beside the name of a dimension."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file.

    Attributes:
        name: how ``--importer`` names it.
        open: returns what is in a file, lazily, as it is stored, with CF attributes.
        endings: of file names.
        begins: bytes with which files begin.
        recognises: whether a file is of this kind, where neither of these tells it.
    """

    name: str
    open: Open
    endings: tuple[str, ...] = ()
    begins: tuple[bytes, ...] = ()
    recognises: Callable[[Path], bool] = lambda path: False

    def fits(self, path: Path, beginning: bytes) -> bool:
        """Whether a file with this name and ``beginning`` is of this kind."""
        return self.recognises(path) or beginning.startswith(self.begins) or _name(path).endswith(self.endings)


def _is_store(path: Path) -> bool:
    return path.is_dir() and any((path / name).is_file() for name in METADATA)


def _name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")


FORMATS: tuple[Format, ...] = (
    Format(name="zarr", open=open_zarr, endings=(".zarr.zip",), recognises=_is_store),
    Format(name="radar", open=open_radar, recognises=is_radar),
    Format(
        name="geotiff",
        open=open_geotiff,
        recognises=lambda path: _name(path).endswith((".tif", ".tiff")) and georeferenced(path),
    ),
    Format(
        name="picture",
        open=open_picture,
        endings=(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".gif", ".pgm", ".bmp", ".webp", ".jp2"),
    ),
    Format(name="film", open=open_film, endings=(".mp4", ".m4v", ".webm", ".mov", ".avi", ".mkv")),
    Format(name="grib", open=open_grib, begins=(b"GRIB",), endings=(".grib", ".grb", ".grib2", ".grb2")),
    Format(name="numpy", open=open_array, begins=(b"\x93NUMPY",), endings=(".npy", ".npz")),
    Format(
        name="netcdf",
        open=lambda path, options: open_netcdf(path, options.group),
        begins=(b"\x89HDF", b"CDF", b"\x1f\x8b"),
        endings=(".nc", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf5", ".hdf", ".he5"),
    ),
)
"""In the order in which they are asked; the first that fits reads the file."""


def open_source(
    sources: Sequence[str | Path], options: ImportOptions, importer: str | None = None
) -> tuple[Recording, list[Path]]:
    """Open files, folders, patterns such as ``rain-*.nc`` or addresses as one recording.

    Args:
        sources: what to read.
        options: what the user says of it.
        importer: name of the format, where it is not to be found out.

    Returns:
        The recording, and the files on this machine that it is read from.

    Raises:
        FramecastError: there is nothing, or nothing that can be read.
        DataError: axes, units or times cannot be told.
    """
    with_places = [place for source in sources for place in _places(source)]
    if not with_places:
        raise FramecastError(f"{sources[0]} holds no file that can be imported: known are {', '.join(_endings())}")
    files = [File(path=Path(str(place)), decoded=open_decoded(place, options, importer)) for place in with_places]
    local = [place for place in with_places if isinstance(place, Path)]
    groups = _sequences(files, options)
    if options.sequence in _APART:
        options = replace(options, sequence=None)
    recordings = [_recording(group, options) for group in groups.values()]
    if len(recordings) == 1:
        return recordings[0], local
    return Several(recordings, list(groups)), local


def _recording(files: Sequence[File], options: ImportOptions) -> Gridded:
    path, notes = files[0].path, []
    stamps = None
    if files[0].frame is None and not files[0].dated:
        stamps, note = times_in_names([file.path for file in files], options.name_pattern)
        notes = [note]
    with undamaged(path):
        return Gridded(path if len(files) == 1 else path.parent, join(files, stamps), options, notes)


def _sequences(files: Sequence[File], options: ImportOptions) -> dict[str, list[File]]:
    """Return the files of each sequence by its name: all of them are one, unless each has frames without dates."""
    apart = options.sequence
    if apart not in _APART and len(files) > 1 and all(file.frame and not file.dated for file in files):
        apart = "file"
    if apart not in _APART:
        return {files[0].path.stem: list(files)}
    found: dict[str, list[File]] = {}
    for file in files:
        found.setdefault(file.path.stem if apart == "file" else file.path.parent.name, []).append(file)
    return found


def open_decoded(
    place: Path | str, options: ImportOptions, importer: str | None = None, *, foreign: bool = True
) -> Decoded:
    """Return the variables of one file, store or address of any known kind, decoded; see `open_source`.

    A file that framecast wrote is refused where it must be ``foreign``.
    """
    kind = _format(place, importer)
    with undamaged(place):
        stored = kind.open(place, options)  # type: ignore[arg-type]
        if foreign and (made := str(stored.attrs.get("format", ""))).startswith("framecast-"):
            raise FramecastError(f"{place} is a {made.replace('-', ' ')} already: there is nothing to import")
        if options.group is None and not any(variable.ndim >= 2 for variable in stored.data_vars.values()):
            _name_groups(place, kind)
        for variable in stored.variables.values():
            if variable.ndim <= 1:
                variable.load()  # while the file is open
        return decode(name_dimensions(stored, options))


def _format(place: Path | str, importer: str | None) -> Format:
    if importer is not None:
        return next(kind for kind in FORMATS if kind.name == importer)
    if isinstance(place, str):
        return FORMATS[0]
    beginning = b""
    if place.is_file():
        with suppress(OSError), place.open("rb") as stream:
            beginning = stream.read(8)
    for kind in FORMATS:
        if kind.fits(place, beginning):
            return kind
    raise FramecastError(f"{place} is not of a known kind: known are {', '.join(_endings())}")


def _name_groups(place: Path | str, kind: Format) -> None:
    """Raise `DataError` if the frames are in groups, and name them."""
    groups = zarr_groups(place) if kind.name == "zarr" else netcdf_groups(Path(place)) if kind.name == "netcdf" else []
    if groups:
        raise DataError(
            f"the frames of {place} are in the group{'s' if len(groups) > 1 else ''} {', '.join(groups)}: "
            f"name one with --group, such as --group {groups[0]}"
        )


def _places(source: str | Path) -> list[Path | str]:
    """Return the files, stores and addresses that a person means."""
    if "://" in str(source):
        return [_address(str(source))]
    path = Path(source)
    if not path.exists() and has_magic(str(source)):
        found = [Path(name) for name in sorted(glob(str(source), recursive=True))]  # noqa: PTH207 (absolute patterns)
        if not found:
            raise FramecastError(f"there is nothing like {source}: correct the pattern")
        return [place for each in found for place in _places(each)]
    if not path.exists():
        raise FramecastError(f"there is nothing at {path}: give a file, a folder, a pattern or an address")
    if not path.is_dir() or _is_store(path):
        return [path]
    inside = sorted(path.rglob("*"))
    stores = [each for each in inside if _is_store(each)]
    files = [
        each for each in inside if each.is_file() and _name(each).endswith(_endings()) and not each.name.startswith(".")
    ]
    return [*stores, *(file for file in files if not any(store in file.parents for store in stores))]


def _endings() -> tuple[str, ...]:
    return tuple(ending for kind in FORMATS for ending in kind.endings)


def _address(url: str) -> Path | str:
    """Return a Zarr store's address as it is, and the copy on this machine of any other file."""
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2].lower()
    if not name.endswith(_endings()) or name.endswith(".zarr"):
        return url
    fsspec = needed("fsspec", "remote", "addresses")
    folder = tempfile.mkdtemp(prefix="framecast-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with fsspec.open(url, "rb") as remote, (copy := Path(folder) / name).open("wb") as local:
            while piece := remote.read(2**22):
                local.write(piece)
    except ImportError as error:
        raise FramecastError(f"{one_line(error)} (required for {url}): pip install 'framecast[remote]'") from None
    except (OSError, ValueError) as error:
        raise FramecastError(f"{url} cannot be read: {one_line(error, most=200)}") from None
    return copy
