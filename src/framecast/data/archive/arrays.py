"""The arrays of a group without Zarr's event loop, which takes milliseconds for each: minutes for thousands of groups.

The groups of an archive are mostly alike. So the metadata of a variable are made into an object once, of as many groups
as have the same, and what is stored uncompressed in one chunk is read directly. The rest is read by Zarr.
"""

import json
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BytesCodec
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import StorePath

from framecast.data.archive.guard import GuardedStore, open_store

_PLAIN = BytesCodec(endian="little")


def open_arrays(path: Path, group: str, names: Collection[str]) -> dict[str, zarr.Array]:
    """Return those arrays of a group of the store at ``path`` that have one of the ``names``."""
    store = GuardedStore(path, read_only=True)
    gathered = _document(store, group).get("consolidated_metadata") or {}
    if "metadata" not in gathered:
        return {name: array for name, array in open_store(path, group=group).arrays() if name in names}
    nodes = {name: node for name, node in gathered["metadata"].items() if name in names}
    return {name: _made(store, f"{group}/{name}", node) for name, node in nodes.items()}


def open_array(path: Path, name: str) -> zarr.Array:
    """Return the array ``name`` of the store at ``path``."""
    store = GuardedStore(path, read_only=True)
    document = _document(store, name)
    return _made(store, name, document) if document else zarr.open_array(store, path=name, mode="r")


def read_whole(array: zarr.Array) -> npt.NDArray[Any]:
    """Return all values of an array."""
    content = only_chunk(array)
    metadata = array.metadata
    if content is None or not isinstance(metadata, ArrayV3Metadata) or metadata.codecs != (_PLAIN,):
        return np.asarray(array[...])
    return np.frombuffer(content, array.dtype.newbyteorder("<")).reshape(array.shape).astype(array.dtype)


def only_chunk(array: zarr.Array) -> bytes | None:
    """Return the bytes on disk of an array that consists of one chunk; None for others, and where it is missing."""
    if array.ndim == 0 or array.shape != array.chunks or array.shards is not None:
        return None
    store, key = array.store_path.store, array.metadata.encode_chunk_key((0,) * array.ndim)
    assert isinstance(store, GuardedStore)
    content = store.get_sync(f"{array.store_path.path}/{key}")
    return None if content is None else content.to_bytes()


def _document(store: GuardedStore, name: str) -> dict[str, Any]:
    """Return the metadata of a node of format 3; nothing where it has none."""
    content = store.get_sync(f"{name}/zarr.json")
    document = {} if content is None else json.loads(content.to_bytes())
    return document if isinstance(document, dict) else {}


def _made(store: GuardedStore, name: str, document: dict[str, Any]) -> zarr.Array:
    return zarr.Array(zarr.AsyncArray(_metadata(json.dumps(document)), StorePath(store, name)))


@lru_cache(maxsize=256)
def _metadata(document: str) -> ArrayV3Metadata:
    return ArrayV3Metadata.from_dict(json.loads(document))
