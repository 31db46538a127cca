"""``scores.json``: results as JSON values, and back. `docs/scores.md` describes the file.

The file mirrors the types of `framecast.verification.results`; an estimate is ``{"value": …, "90": [low, high], "95":
[low, high]}``, and non-finite values are ``null``. Files of schema 2 are read too.
"""

import json
import types
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from torch import Tensor

from framecast.core.errors import DataError, FramecastError
from framecast.core.files import write_atomically
from framecast.core.reading import read_json
from framecast.verification.former import from_schema_2
from framecast.verification.results import Scores
from framecast.verification.scores import Estimate

SCHEMA_VERSION = 3


def to_plain(scores: Scores) -> dict[str, Any]:
    """Return the content of ``scores.json``."""
    return {"schema_version": SCHEMA_VERSION, **plain(scores)}


def from_plain(content: Any, *, where: str = "scores.json") -> Scores:
    """Return the results that `to_plain` gave, or those of schema 2.

    Raises:
        DataError: it is not such a file, damaged, or of a newer version.
    """
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise DataError(f"{where} has no schema_version: give the scores.json that `framecast evaluate` wrote")
    if version not in (2, SCHEMA_VERSION):
        raise DataError(f"{where} has schema version {version}; this framecast reads 2 and {SCHEMA_VERSION}")
    try:
        found: Scores = _typed(from_schema_2(content) if version == 2 else content, Scores)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        raise DataError(f"{where} is damaged ({error!r}): evaluate again") from None
    return found


def write_scores(scores: Scores, path: str | Path) -> None:
    """Write ``scores.json``."""
    write_atomically(Path(path), json.dumps(to_plain(scores), indent=1, allow_nan=False) + "\n")


def open_scores(path: str | Path) -> Scores:
    """Return the results in a ``scores.json``.

    Raises:
        FramecastError: there is no such file.
        DataError: it is not one, damaged, or of a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise FramecastError(f"there is no file {path}: give the scores.json that `framecast evaluate` wrote")
    return from_plain(read_json(path), where=str(path))


def plain(value: Any) -> Any:
    """Return a result, an array or nested lists of numbers as JSON values; ``None`` for what is not finite."""
    if isinstance(value, Estimate):
        bounds = {str(level): [plain(end) for end in ends] for level, ends in value.intervals.items()}
        return {"value": plain(value.value), **bounds}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray | np.generic | Tensor):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _typed(value: Any, kind: Any) -> Any:
    """Return a plain value as the type ``kind``, the inverse of `plain`."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _typed(value, inner[0])
    if kind is Estimate:
        pairs = [(level, ends) for level, ends in value.items() if level != "value"]
        ends = {int(level): (_array(low), _array(high)) for level, (low, high) in pairs}
        return Estimate(_array(value["value"]), ends)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{f.name: _typed(value[f.name], hints[f.name]) for f in fields(kind) if f.name in value})  # type: ignore[operator]
    if origin is dict:
        return {inner[0](key): _typed(item, inner[1]) for key, item in value.items()}
    if origin is list:
        return [_typed(item, inner[0]) for item in value]
    if kind is np.ndarray:
        return _array(value)
    if kind is float:
        return float("nan") if value is None else float(value)
    if kind in (int, str, bool) and not isinstance(value, kind):
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _array(value: Any) -> np.ndarray:
    return np.array(value, dtype=np.float64)
