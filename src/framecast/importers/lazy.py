"""Arrays that are read on demand, and the concatenation of many."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

Key = tuple[Any, ...]


class _Unread(BackendArray):
    def __init__(self, shape: tuple[int, ...], dtype: Any, read: Callable[[Key], npt.NDArray[Any]]) -> None:
        self.shape, self.dtype, self._read = shape, np.dtype(dtype), read

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._selected)

    def _selected(self, key: Key) -> npt.NDArray[Any]:
        return self._read(tuple(int(each) if isinstance(each, np.integer) else each for each in key))


def unread(
    dims: Sequence[str],
    shape: tuple[int, ...],
    dtype: Any,
    read: Callable[[Key], npt.NDArray[Any]],
    attrs: dict[str, Any] | None = None,
) -> xr.Variable:
    """Return a variable whose values ``read`` gives, called with an integer, a slice or an array for each dimension, as
    `outer` selects.
    """
    return xr.Variable(tuple(dims), indexing.LazilyIndexedArray(_Unread(shape, dtype, read)), attrs or {})


def outer(array: Any, key: Key) -> npt.NDArray[Any]:
    """Return the part of ``array`` that ``key`` selects, each dimension independently of the others."""
    for axis, which in enumerate(key):
        array = array[(slice(None),) * axis + (slice(which, which + 1) if isinstance(which, int) else which,)]
    return np.asarray(array)[tuple(0 if isinstance(which, int) else slice(None) for which in key)]


def stacked(parts: Sequence[xr.Variable], dim: str) -> xr.Variable:
    """Return ``parts`` one after another along ``dim``, which is the first; one that lacks it is one frame.

    All have the same further dimensions, type of values and attributes.
    """
    lengths = [part.sizes.get(dim, 1) for part in parts]
    ends = np.cumsum(lengths)
    inner = [str(name) for name in parts[0].dims if name != dim]
    shape = (int(ends[-1]), *(parts[0].sizes[name] for name in inner))
    dtype = np.result_type(*{part.dtype for part in parts})

    def read(key: Key) -> npt.NDArray[Any]:
        rows, rest = np.arange(shape[0])[key[0]], dict(zip(inner, key[1:], strict=True))
        if rows.ndim == 0:
            return read((rows[None], *key[1:]))[0]
        owners = np.searchsorted(ends, rows, side="right")
        pieces = []
        for owner in dict.fromkeys(owners.tolist()):  # rows rise or fall, so those of a part are neighbours
            part = parts[owner]
            local = rows[owners == owner] - (ends[owner] - lengths[owner])
            found = part.isel(rest | ({dim: local} if dim in part.dims else {}))
            left = [name for name in inner if name in found.dims]
            values = found.transpose(*([dim] if dim in part.dims else []), *left).values
            pieces.append(values if dim in part.dims else values[None])
        return np.concatenate(pieces)

    return unread((dim, *inner), shape, dtype, read, dict(parts[0].attrs))
