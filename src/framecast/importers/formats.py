"""The importer of each file, and the resolution of sources: files, folders, patterns, addresses."""

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from glob import glob, has_magic
from pathlib import Path

import xarray as xr

from framecast.core.errors import DataError, FramecastError
from framecast.core.reading import check_regular
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
from framecast.importers.optional import needed, unreadable
from framecast.importers.options import ImportOptions
from framecast.importers.pictures import georeferenced, open_picture
from framecast.importers.radar import is_radar, open_radar
from framecast.importers.zarrs import METADATA, open_zarr, zarr_groups

Open = Callable[[Path, ImportOptions], xr.Dataset]


_MOST_UNPACKED = 2**34
"""Largest size of an unpacked zip file in bytes."""

_APART = ("file", "folder")
"""Values of ``--sequence`` besides the name of a dimension."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file.

    Attributes:
        name: its name for ``--importer``.
        open: returns what is in a file, lazily, as it is stored, with CF attributes.
        endings: of file names.
        begins: first bytes of files.
        recognises: whether a file is of this kind, if neither of these decides.
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
    """Whether a folder or a zip file is a Zarr store."""
    if path.suffix == ".zip" and path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            return any(name in METADATA for name in packed.namelist())
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
"""In order of priority; the first that matches reads the file."""


def open_source(
    sources: Sequence[str | Path], options: ImportOptions, importer: str | None = None
) -> tuple[Recording, list[Path]]:
    """Open files, folders, patterns such as ``rain-*.nc`` or addresses as one recording.

    Args:
        sources: what to read.
        options: the user's options.
        importer: name of the format, if it is not to be detected.

    Returns:
        The recording, and the local files that it is read from.

    Raises:
        FramecastError: there is nothing, or nothing that can be read.
        DataError: axes, units or times are ambiguous.
    """
    with_places = [place for source in sources for place in _places(source)]
    if not with_places:
        raise FramecastError(
            f"{sources[0]} contains no file that can be imported: known formats are {', '.join(_endings())}"
        )
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
            raise FramecastError(f"{place} is a {made.replace('-', ' ')} already: it needs no import")
        if options.group is None and not any(variable.ndim >= 2 for variable in stored.data_vars.values()):
            _name_groups(place, kind)
        for variable in stored.variables.values():
            if variable.ndim <= 1:
                variable.load()  # while the file is open
        return decode(name_dimensions(stored, options))


def _format(place: Path | str, importer: str | None) -> Format:
    if isinstance(place, Path) and not place.is_dir():
        check_regular(place)
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
    raise FramecastError(f"{place} is not in a known format: known formats are {', '.join(_endings())}")


def _name_groups(place: Path | str, kind: Format) -> None:
    """Raise `DataError` if the frames are in groups, and name them."""
    groups = zarr_groups(place) if kind.name == "zarr" else netcdf_groups(Path(place)) if kind.name == "netcdf" else []
    if groups:
        raise DataError(
            f"the frames of {place} are in the group{'s' if len(groups) > 1 else ''} {', '.join(groups)}: "
            f"name one with --group, such as --group {groups[0]}"
        )


def _places(source: str | Path) -> list[Path | str]:
    """Return the files, stores and addresses of the given sources."""
    if "://" in str(source):
        return [_address(str(source))]
    path = Path(source)
    if not path.exists() and has_magic(str(source)):
        found = [Path(name) for name in sorted(glob(str(source), recursive=True))]  # noqa: PTH207 (absolute patterns)
        if not found:
            raise FramecastError(f"nothing matches {source}: correct the pattern")
        return [place for each in found for place in _places(each)]
    if not path.exists():
        raise FramecastError(f"there is nothing at {path}: give a file, a folder, a pattern or an address")
    if path.suffix == ".zip" and not _is_store(path):
        path = _unpacked(path)
    if not path.is_dir() or _is_store(path):
        return [path]
    inside = sorted(path.rglob("*"))
    stores = [each for each in inside if _is_store(each)]
    files = [
        each for each in inside if each.is_file() and _name(each).endswith(_endings()) and not each.name.startswith(".")
    ]
    return [*stores, *(file for file in files if not any(store in file.parents for store in stores))]


def _unpacked(path: Path) -> Path:
    """Return a folder with the files of a zip file.

    Raises:
        DataError: it is not a zip file, or too large.
    """
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(member.file_size for member in packed.infolist()) > _MOST_UNPACKED:
                raise DataError(f"{path} has over {_MOST_UNPACKED} bytes when unpacked: unpack it, and give its folder")
            packed.extractall(folder := _temporary_folder() / path.stem)
    except zipfile.BadZipFile:
        raise DataError(f"{path} is not a zip file that can be read: copy it again") from None
    return folder


def _temporary_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="framecast-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _endings() -> tuple[str, ...]:
    return tuple(ending for kind in FORMATS for ending in kind.endings)


def _address(url: str) -> Path | str:
    """Return the address of a Zarr store unchanged, and a local copy of any other file."""
    name = url.partition("?")[0].rstrip("/").rpartition("/")[2].lower()
    if not name.endswith(_endings()) or name.endswith(".zarr"):
        return url
    fsspec = needed("fsspec", "remote", "addresses")
    try:
        with fsspec.open(url, "rb") as remote, (copy := _temporary_folder() / name).open("wb") as local:
            while piece := remote.read(2**22):
                local.write(piece)
    except Exception as error:  # of a network or of a service, which each library names in its own way
        raise unreadable(url, error) from None
    return copy
