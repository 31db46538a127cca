"""Zarr stores: folders, zip files and addresses; groups, and arrays without a group."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore, ZipStore

from framecast.core.errors import DataError, FramecastError
from framecast.data.archive.codecs import Packing
from framecast.data.archive.guard import MOST_DOCUMENT_BYTES, GuardedStore, find_packings
from framecast.importers.axes import PHONY
from framecast.importers.lazy import unread
from framecast.importers.optional import needed, unreadable
from framecast.importers.options import ImportOptions

METADATA = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")


def open_zarr(path: Path | str, options: ImportOptions) -> xr.Dataset:
    """Return the Zarr store at ``path``, a folder, zip file or address, or a group of it, lazily and not decoded."""
    store = _store(path)
    try:
        node = zarr.open(store=store, path=options.group or "", mode="r")
    except (FileNotFoundError, KeyError):
        raise _no_group(path, store, options.group) from None
    if isinstance(node, zarr.Array):
        return _bare_array(node, str(path))
    if options.group is not None and not any(array.ndim >= 2 for _, array in node.arrays()):
        raise _no_group(path, store, options.group)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # xarray: the store is not consolidated, which matters over a network
        stored = xr.open_zarr(store, group=options.group, chunks=None, decode_cf=False)
    return _without_default_fill(stored, node) if node.metadata.zarr_format == 2 else stored


def zarr_groups(path: Path | str) -> list[str]:
    """Return the groups of a store that hold arrays of two dimensions or more."""
    return _groups(_store(path))


class _GuardedWrapper(WrapperStore[Store]):
    """A store that is not a folder, whose documents are checked before use; see `GuardedStore`."""

    def __init__(self, store: Store, source: Path | str) -> None:
        super().__init__(store)
        self._source = source
        self._place = Path(str(source).rpartition("://")[2])
        self._packings: dict[Path, set[Packing]] = {}

    def _with_store(self, store: Store) -> "_GuardedWrapper":
        return _GuardedWrapper(store, self._source)

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Return what is stored under ``key``."""
        try:
            found = await super().get(key, prototype, byte_range)
        except MemoryError:
            raise
        except Exception as error:  # of a network or of a service, which each library names in its own way
            raise unreadable(str(self._source), error) from None
        path = self._place / key
        if found is None or path.name == ".zattrs":
            return found
        content = found.to_bytes()
        if path.name in METADATA:
            if len(content) > MOST_DOCUMENT_BYTES:
                raise DataError(f"{path} has {len(content)} bytes of metadata; at most {MOST_DOCUMENT_BYTES} are read")
            for folder, packing in find_packings(content, path, claims=False):
                self._packings.setdefault(folder, set()).add(packing)
        else:
            folder = next((each for each in path.parents if each in self._packings), path)
            for packing in self._packings.get(folder, ()):
                packing.check(memoryview(content), byte_range)
        return found

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Return parts of what is stored under keys."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]


def _store(path: Path | str) -> Store:
    if isinstance(path, str):
        needed("fsspec", "remote", "addresses")
        from zarr.storage import FsspecStore

        try:
            store = FsspecStore.from_url(path, read_only=True)
        except (ImportError, ValueError) as error:
            raise unreadable(path, error) from None
        return _GuardedWrapper(store, path)
    return GuardedStore(path, read_only=True) if path.is_dir() else _GuardedWrapper(ZipStore(path, mode="r"), path)


def _groups(store: Store) -> list[str]:
    root = zarr.open(store=store, mode="r")
    if isinstance(root, zarr.Array):
        return []
    found = {name.rpartition("/")[0] for name, member in root.members(max_depth=4) if getattr(member, "ndim", 0) >= 2}
    return sorted(found - {""})


def _no_group(path: Path | str, store: Store, group: str | None) -> FramecastError:
    if group is None:
        return FramecastError(f"{path} is not a Zarr store: it contains no group and no array")
    return DataError(f"{path} has no group {group!r} with frames: there are {', '.join(_groups(store)) or 'none'}")


def _bare_array(array: Any, name: str) -> xr.Dataset:
    dims = array.attrs.get("_ARRAY_DIMENSIONS") or getattr(array.metadata, "dimension_names", None)
    names = [str(dim) if dim else f"{PHONY}{k}" for k, dim in enumerate(dims or [None] * array.ndim)]
    attrs = {key: value for key, value in array.attrs.items() if key != "_ARRAY_DIMENSIONS"}
    read = unread(names, array.shape, array.dtype, lambda key: np.asarray(array.oindex[key]), attrs)
    return xr.Dataset({Path(array.path or name).stem or "values": read})


def _without_default_fill(stored: xr.Dataset, group: Any) -> xr.Dataset:
    """Drop an undeclared fill value of 0, which zarr-python gives to every array of format 2."""
    changed = stored.copy()
    for name, variable in changed.variables.items():
        declared = {"_FillValue", "missing_value"} & set(group[name].attrs)
        fill = np.asarray(variable.attrs.get("_FillValue"))
        if not declared and fill.ndim == 0 and fill.dtype.kind in "iufb" and fill == 0:
            del variable.attrs["_FillValue"]
            if variable.ndim >= 3:
                variable.attrs["import_note"] = (
                    f"0 in {name} is taken as a value although it is Zarr's fill value: pass --missing 0 if it "
                    "marks missing pixels"
                )
    return changed
