"""Writing what stands beside the pixels of a sequence: xarray writes it once, and of sequences like it copies are made.

xarray and Zarr take some fifty milliseconds for the dozen small variables of a group. The groups of an archive are
mostly alike: same sizes, attributes and coordinates, with other times. Then the metadata are copied, and the values
that differ are written as the plain little-endian bytes that an unpacked chunk consists of.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from framecast.data.archive.format import plain, storable

_MOST_BYTES = 2**16
"""Bytes of a variable that is stored unpacked, in one chunk."""


class GroupWriter:
    """Writes the variables of groups into the store at ``path``.

    The bytes on disk are the same whichever of them came first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: dict[str, str] = {}

    def write(self, name: str, dataset: xr.Dataset, *, mode: Literal["w-", "a"]) -> None:
        """Write the group ``name``: a new one (``w-``), or into one that exists (``a``)."""
        dataset = storable(dataset).assign_attrs(plain(dataset.attrs)).drop_encoding()
        for key in map(str, dataset.variables) if mode == "a" else ():  # a process that was killed has written some
            shutil.rmtree(self._path / name / key, ignore_errors=True)
        small = {str(key): v for key, v in dataset.variables.items() if _is_small(v)}
        form = _form(dataset, small, mode)
        first = self._first.setdefault(form, name)
        if first == name or (mode == "a" and dataset.attrs):
            self._make(name, dataset, small, mode)
        else:
            self._copy(first, name, dataset, mode)
        for key, variable in small.items():
            chunk = self._path / name / key / "/".join(["c", *"0" * variable.ndim])
            chunk.parent.mkdir(parents=True, exist_ok=True)
            chunk.write_bytes(np.ascontiguousarray(variable.values, variable.dtype.newbyteorder("<")).data)

    def _make(self, name: str, dataset: xr.Dataset, small: Mapping[str, xr.Variable], mode: Literal["w-", "a"]) -> None:
        before = _read(self._path / name) if mode == "a" else {"attributes": {}}
        encoding = {key: {"chunks": variable.shape, "compressors": None} for key, variable in small.items()}
        dataset.to_zarr(self._path, group=name, mode=mode, zarr_format=3, consolidated=False, encoding=encoding)
        _write(self._path / name, _read(self._path / name), before["attributes"])

    def _copy(self, first: str, name: str, dataset: xr.Dataset, mode: Literal["w-", "a"]) -> None:
        source, target = self._path / first, self._path / name
        if mode == "w-":
            target.mkdir()
            document = _read(source)
            # What xarray adds: the names of coordinates that no variable has.
            added = {key: value for key, value in document["attributes"].items() if key == "coordinates"}
            _write(target, document | {"attributes": added}, dataset.attrs)
        for key in map(str, dataset.variables):
            shutil.copytree(source / key, target / key, dirs_exist_ok=True)


def _read(group: Path) -> dict[str, Any]:
    return json.loads((group / "zarr.json").read_bytes())


def _write(group: Path, document: dict[str, Any], attributes: Mapping[str, Any]) -> None:
    """Write a group's metadata with further attributes."""
    (group / "zarr.json").write_text(json.dumps(document | {"attributes": {**attributes, **document["attributes"]}}))


def _is_small(variable: xr.Variable) -> bool:
    return variable.dtype.kind in "iuf" and variable.ndim > 0 and 0 < variable.nbytes <= _MOST_BYTES


def _form(dataset: xr.Dataset, small: Mapping[str, xr.Variable], mode: str) -> str:
    """Return a text that is the same for datasets that differ in their attributes and in small variables' values."""
    parts: list[Any] = [mode, sorted(map(str, dataset.coords))]
    for key, v in dataset.variables.items():
        own = None if key in small else hashlib.sha256(repr(v.values.tolist()).encode()).hexdigest()
        parts.append([key, v.dims, v.shape, v.dtype.str, plain(v.attrs), own])
    return json.dumps(parts, default=str)
