"""Opening untrusted NetCDF files: the choice of the library, and checks of declared sizes.

A NetCDF 4 file is an HDF5 file, and HDF5 can contain more than arrays: it can point to other files, and a filter is a
number that stands for a library to be loaded. Only the filters that come with HDF5 are used, unless the user has
set ``HDF5_PLUGIN_PATH``, which names plugins of his own.
"""

import gzip
import math
import mmap
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import xarray as xr

from framecast.core.errors import DataError
from framecast.core.reading import check_regular
from framecast.core.text import one_line
from framecast.data.archive.codecs import MOST_CHUNK_BYTES
from framecast.data.archive.guard import MOST_METADATA_BYTES, MOST_TABLE_BYTES, undamaged

_HDF5 = b"\x89HDF\r\n\x1a\n"
_CLASSIC = b"CDF"
_GZIP = b"\x1f\x8b"

_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
"""Numbers of the filters that come with HDF5 and h5py."""

_HEAP = b"GCOL\x01\0\0\0"
_MOST_SEARCHED = 2**30
"""Bytes at the beginning of a file that are searched for heaps."""

_MOST_VARIABLES = 10_000
_MOST_ATTRIBUTES = 10_000
_MOST_UNPACKED = 2**30
_MOST_MISSING = 10**5
"""Chunks that a dataset may declare without storing any: each is looked for when it is read."""


def open_netcdf(path: Path, group: str | None = None) -> xr.Dataset:
    """Return the NetCDF file at ``path``, or a ``group`` of it, as a lazy dataset of its variables as they are stored.

    Raises:
        DataError: it is of no known kind, damaged, names a filter or another file, or declares false sizes.
        OSError: it cannot be read.
    """
    check_regular(path)
    with path.open("rb") as stream:
        first = stream.read(8)
    if first.startswith(_HDF5[:4]) or not first.startswith((_CLASSIC, _GZIP)):
        with undamaged(path):
            check_hdf5(path)
            if group is not None and group.strip("/") not in (groups := netcdf_groups(path)):
                raise DataError(f"{path} has no group {group!r} with frames: there are {', '.join(groups) or 'none'}")
            return xr.open_dataset(
                path, engine="h5netcdf", group=group, chunks=None, decode_cf=False, phony_dims="access"
            )
    if first.startswith(_GZIP):
        _check_unpacked(path)
    try:
        with undamaged(path):
            return xr.open_dataset(path, engine="scipy", chunks=None, decode_cf=False)
    except MemoryError:  # lengths are used before they are compared with the file
        raise DataError(f"{path} is damaged, or declares more data than fit into memory: copy it again") from None


def netcdf_groups(path: Path) -> list[str]:
    """Return the groups of a NetCDF 4 file that hold variables of two dimensions or more."""
    import h5py

    with path.open("rb") as stream:
        if stream.read(4) != _HDF5[:4]:
            return []
    with undamaged(path), closing(h5py.File(path, "r")) as file:
        names = [name.strip("/") for name, item in _members(file, path) if getattr(item, "ndim", 0) >= 2]
    return sorted({name.rpartition("/")[0] for name in names} - {""})


def _check_unpacked(path: Path) -> None:
    total = 0
    with undamaged(path), gzip.open(path) as stream:
        while piece := stream.read(2**20):
            total += len(piece)
            if total > _MOST_UNPACKED:
                raise DataError(f"{path} has over {_MOST_UNPACKED} bytes when unpacked: unpack it with gunzip first")


def check_hdf5(path: Path) -> None:
    """Raise `DataError` if the file names a plugin or another file, or declares sizes beyond the limits."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} cannot be read as a NetCDF file ({one_line(error, most=120)})") from None
    with closing(file):
        _check_heaps(file, path)
        for name, item in _members(file, path):
            if len(item.attrs) > _MOST_ATTRIBUTES:
                raise DataError(
                    f"{path} has {len(item.attrs)} attributes at {name}; at most {_MOST_ATTRIBUTES} are read"
                )
            for attribute in item.attrs:
                size = item.attrs.get_id(attribute).get_storage_size()
                if size > MOST_METADATA_BYTES:
                    raise DataError(f"{path} has an attribute of {size} bytes at {name}; at most {MOST_METADATA_BYTES}")
            if isinstance(item, h5py.Dataset):
                _check_dataset(item, f"{name} of {path}")


def _check_heaps(file: Any, path: Path) -> None:
    """Raise `DataError` if a heap of variable-length values has a free part of no bytes, on which HDF5 loops forever.

    HDF5 File Format Specification, III.E: 16 bytes head a collection and each object in it, object 0 is the free part.
    """
    _, width = file.id.get_create_plist().get_sizes()
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:

        def number(place: int, size: int) -> int:
            return int.from_bytes(content[place : place + size], "little")

        start = content.find(_HEAP, 0, _MOST_SEARCHED)
        while start >= 0:
            end, place = min(len(content), start + number(start + 8, width)), start + 16
            while place + 16 <= end:
                index, size = number(place, 2), number(place + 8, width)
                if not (index or size):
                    raise DataError(f"{path} is damaged (its heap at byte {start} has no end): copy it again")
                place += 16 + -(-size // 8) * 8 if index else size
            start = content.find(_HEAP, start + 8, _MOST_SEARCHED)


def _members(file: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield every group and dataset by name, each once; links to other files are a `DataError`."""
    import h5py

    waiting, seen = [("/", file)], set()
    while waiting:
        name, group = waiting.pop()
        yield name, group
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise DataError(f"{key} of {path} is in another file, {link.filename}: copy it into this one")
            if isinstance(link, h5py.SoftLink):
                continue  # where it leads to is a member too
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if len(seen) > _MOST_VARIABLES:
                raise DataError(f"{path} has more than {_MOST_VARIABLES} variables: select the ones you need")
            if isinstance(item, h5py.Group):
                waiting.append((f"{name}{key}/", item))
            else:
                yield f"{name}{key}", item


def _check_dataset(dataset: Any, place: str) -> None:
    layout = dataset.id.get_create_plist()
    if dataset.external or dataset.is_virtual:
        raise DataError(f"{place} keeps its values in other files: copy them into this one")
    for k in range(layout.get_nfilters()):
        number = layout.get_filter(k)[0]
        if number not in _FILTERS and not os.environ.get("HDF5_PLUGIN_PATH"):
            raise DataError(
                f"{place} is compressed by HDF5 filter {number}, which is a plugin: set HDF5_PLUGIN_PATH to the "
                "folder of plugins that you trust, or repack the file (h5repack -f GZIP=4)"
            )
    itemsize = max(1, dataset.dtype.itemsize)
    chunk = math.prod(dataset.chunks or (1,)) * itemsize
    if chunk > MOST_CHUNK_BYTES:
        raise DataError(f"{place} has chunks of {chunk} bytes; at most {MOST_CHUNK_BYTES} are read: rechunk it")
    total = math.prod(dataset.shape or ()) * itemsize
    if dataset.ndim <= 1 and total > MOST_TABLE_BYTES:
        raise DataError(f"{place} claims {total} bytes along one dimension; at most {MOST_TABLE_BYTES} are read")
    pieces = math.prod(-(-length // piece) for length, piece in zip(dataset.shape, dataset.chunks or (), strict=False))
    if pieces > max(_MOST_MISSING, stored := dataset.file.id.get_filesize()):
        raise DataError(f"{place} claims {pieces} chunks, which {stored} bytes of file cannot contain: copy it again")
