"""What the archive format demands of a sequence, and how its metadata are put on disk.

The rules of ``docs/data-format.md`` as code: they are checked when a sequence is written and when it is read, for
archives may be written by anyone with xarray.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from framecast.core.errors import ConfigError, DataError
from framecast.core.stored import DocumentFormat
from framecast.data.archive.arrays import read_whole
from framecast.videos.calendar import Calendar, decode_clock
from framecast.videos.frames import nanoseconds

ARCHIVE_FORMAT = DocumentFormat("framecast-archive", 1, "framecast archive", "see docs/data-format.md")
MISSING = -1
"""The quality of a frame that has a place in the time axis but was never written."""
UNKNOWN = -1
"""The label of a frame whose class is not known."""

MOST_CONSOLIDATED = 1000
"""Sequences whose metadata the root of an archive gathers."""

_LARGE = 1e10
"""Upper bound of the cadence in seconds (three centuries) and of a side in pixels."""

DIMENSIONS = ("time", "channel", "y", "x")
POSITIONS = ("y", "x", "lat", "lon", "crs")
"""Coordinates of pixels."""
CLASSES = "classes"
ROOT_ATTRIBUTES = ("format", "version", "channels", "unit", "cadence", "height", "width")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What all sequences of an archive have in common.

    Attributes:
        channels: names along the channel axis, in order.
        unit: physical unit of the intensity.
        cadence: nominal seconds between two frames.
        height: rows of a frame.
        width: columns of a frame.
        classes: names of what labels mean, in order; empty where frames have no labels.
        calendar: how times are read.
    """

    channels: tuple[str, ...]
    unit: str
    cadence: float
    height: int
    width: int
    classes: tuple[str, ...] = ()
    calendar: Calendar = Calendar()

    def __post_init__(self) -> None:
        if not self.channels or len(set(self.channels)) != len(self.channels) or not all(self.channels):
            raise ConfigError(f"channels are {list(self.channels)}; name at least one channel, each once")
        for name in ("cadence", "height", "width"):
            if not 0 < getattr(self, name) < _LARGE:
                raise ConfigError(f"{name} is {getattr(self, name):g}; it must be positive, and below {_LARGE:g}")
        check_classes(self.classes)


def read_header(path: Path, attrs: Mapping[str, Any]) -> Header:
    """Return the `Header` that the root attributes ``attrs`` of the archive at ``path`` give, or raise `DataError`."""
    missing = [name for name in ROOT_ATTRIBUTES if name not in attrs]
    if missing:
        raise DataError(f"{path} lacks the root attributes {', '.join(missing)}: see docs/data-format.md")
    try:
        if int(attrs["height"]) != attrs["height"] or int(attrs["width"]) != attrs["width"]:
            raise ConfigError("height and width must be whole numbers")
        return Header(
            channels=_names("channels", attrs["channels"]),
            unit=str(attrs["unit"]),
            cadence=float(attrs["cadence"]),
            height=int(attrs["height"]),
            width=int(attrs["width"]),
            classes=_names("classes", attrs.get(CLASSES, [])),
        )
    except (ConfigError, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{path} has unusable root attributes: {error}") from None


def check_classes(classes: Sequence[str]) -> None:
    """Raise `ConfigError` unless ``classes`` are names, each once, and few enough for a label of 8 bits."""
    if len(set(classes)) != len(classes) or not all(classes) or len(classes) > 127:
        raise ConfigError(f"classes are {list(classes)}; name up to 127, each once")


def _names(what: str, names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{what} are {names!r}; they must be a list of strings")
    return tuple(names)


def check_intensity(place: str, dims: Sequence[str], shape: Sequence[int], dtype: Any, header: Header) -> None:
    """Raise `DataError` unless the intensity of the sequence at ``place`` is as documented."""
    if tuple(dims) != DIMENSIONS:
        raise DataError(
            f"intensity of {place} has dimensions ({', '.join(map(str, dims))}); "
            f"they must be ({', '.join(DIMENSIONS)}): transpose it"
        )
    if np.dtype(dtype).kind != "f":
        raise DataError(f"intensity of {place} is {dtype}; it must be float32 in {header.unit}: convert it with astype")
    expected = (len(header.channels), header.height, header.width)
    if tuple(shape[1:]) != expected:
        raise DataError(
            f"intensity of {place} has [channel, y, x] = {list(shape[1:])}; "
            f"the archive's attributes say {list(expected)}"
        )
    if shape[0] == 0:
        raise DataError(f"{place} has no frame: leave the sequence out")


def check_times(place: str, times: npt.NDArray[Any], count: int) -> npt.NDArray[np.datetime64]:
    """Return ``times`` as ``datetime64[ns]``, or raise `DataError` unless they are strictly increasing."""
    if times.ndim != 1 or len(times) != count:
        raise DataError(
            f"time of {place} has shape {list(times.shape)}; it must have one entry for each of {count} frames"
        )
    if times.dtype.kind != "M":
        raise DataError(
            f"time of {place} is {times.dtype}; it must be datetime64 (on disk: CF time with units 'seconds since …')"
        )
    if np.isnat(times).any():
        raise DataError(f"time of {place} is NaT at frame {int(np.isnat(times).argmax())}: give each frame its time")
    try:
        times = nanoseconds(times)
    except ValueError as error:
        raise DataError(f"time of {place}: {error}") from None
    steps = np.diff(times)
    for wrong, what in (
        (steps == np.timedelta64(0), "has {time} twice (frames {k} and {after}): drop one of them"),
        (steps < np.timedelta64(0), "runs backwards after frame {k} ({time}): sort the frames by time"),
    ):
        if wrong.any():
            k = int(wrong.argmax())
            time = np.datetime_as_string(times[k], unit="s")
            raise DataError(f"time of {place} {what.format(time=time, k=k, after=k + 1)}")
    return times


def check_channels(place: str, channels: Sequence[str], header: Header) -> None:
    """Raise `DataError` unless the sequence at ``place`` has the archive's channels in the archive's order."""
    if tuple(channels) != header.channels:
        raise DataError(
            f"{place} has channels {list(channels)}; the archive's are {list(header.channels)}, in this order"
        )


def check_quality(place: str, quality: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    """Return ``quality`` as int64, or raise `DataError` unless it has one whole number for each frame."""
    return _one_each(f"quality of {place}", quality, count, "iub")


def _one_each(what: str, values: npt.NDArray[Any], count: int, kinds: str) -> npt.NDArray[np.int64]:
    if values.shape != (count,) or values.dtype.kind not in kinds:
        raise DataError(
            f"{what} is {values.dtype} {list(values.shape)}; it must be one whole number for each of {count} frames"
        )
    return values.astype(np.int64)


def check_labels(place: str, labels: npt.NDArray[Any], count: int, classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return ``labels`` as int64, or raise `DataError` unless each of ``count`` frames has a class or is `UNKNOWN`."""
    labels = _one_each(f"label of {place}", labels, count, "iu")
    if count and not (labels.min() >= UNKNOWN and labels.max() < len(classes)):
        wrong = labels[(labels < UNKNOWN) | (labels >= len(classes))][0]
        raise DataError(
            f"label of {place} has the value {wrong}; with {len(classes)} classes ({', '.join(classes) or 'none'}) "
            f"it can be {UNKNOWN} (unknown) to {len(classes) - 1}: correct it, or the attribute 'classes' of the root"
        )
    return labels


def check_packing(place: str, attrs: Mapping[str, Any]) -> None:
    """Raise `DataError` if the intensity at ``place`` is packed, or marks masked pixels with a number."""
    packed = sorted({"scale_factor", "add_offset", "missing_value"} & set(attrs))
    fill = attrs.get("_FillValue")
    if isinstance(fill, str):
        with suppress(ValueError, IndexError):  # xarray keeps a float64 in base64 in Zarr 3
            fill = float(np.frombuffer(base64.b64decode(fill), dtype="<f8")[0])
    if packed or not (fill is None or fill != fill):
        what = ", ".join(packed) or f"_FillValue {f'{fill:g}' if isinstance(fill, float) else repr(fill)[:50]}"
        raise DataError(f"intensity of {place} has {what}; it must be plain float32 with NaN where a pixel is masked")


def unusable(values: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Return the fraction of NaN and the number of infinities of ``[time, channel, y, x]``: ``[time, channel]``."""
    masked = np.isnan(values).mean(axis=(2, 3), dtype=np.float64).astype(np.float32)
    return masked, np.isinf(values).sum(axis=(2, 3), dtype=np.int32)


def decode_times(array: zarr.Array, place: str) -> tuple[npt.NDArray[np.datetime64], Calendar]:
    """Return the times that the coordinate ``array`` holds, on the clock of their calendar, and the calendar."""
    if array.ndim != 1:
        raise DataError(f"time of {place} has {array.ndim} dimensions; it must have one")
    units = array.attrs.get("units")
    try:
        return decode_clock(read_whole(array), array.attrs)
    except (DataError, ValueError, OverflowError):
        raise DataError(
            f"time of {place} is {array.dtype} with units {units!r}; it must be a CF time (datetime64 in memory), "
            "such as 'seconds since 1970-01-01'"
        ) from None


def consolidate(path: Path, groups: Iterable[str] = ()) -> None:
    """Gather the metadata of the Zarr store at ``path`` and of its ``groups``, so that opening is one read.

    It writes what `zarr.consolidate_metadata` does, which opens every array for it. The consolidated form is not in
    the specification of format 3 yet; readers that do not know it ignore it. Of more than `MOST_CONSOLIDATED` groups
    the root gathers nothing: it would have to be read completely, hundreds of megabytes.
    """
    groups = list(groups)
    inside: dict[str, Any] = {}
    for name in groups:
        own = {file.parent.name: json.loads(file.read_bytes()) for file in (path / name).glob("*/zarr.json")}
        group = _gather(path / name, own)
        if len(groups) <= MOST_CONSOLIDATED:
            inside |= {name: group, **{f"{name}/{variable}": document for variable, document in own.items()}}
    if len(groups) <= MOST_CONSOLIDATED:
        _gather(path, inside)


def _gather(folder: Path, inside: Mapping[str, Any]) -> dict[str, Any]:
    """Write the metadata of what is in a group into its own; return its own, which gather nothing."""
    document: dict[str, Any] = json.loads((folder / "zarr.json").read_bytes())
    document.pop("consolidated_metadata", None)
    metadata = dict(sorted(inside.items(), key=lambda item: (item[0].count("/"), item[0])))
    gathered = {"kind": "inline", "must_understand": False}
    partial = folder / "zarr.json.partial"
    partial.write_text(json.dumps(document | {"consolidated_metadata": {**gathered, "metadata": metadata}}, indent=2))
    partial.replace(folder / "zarr.json")
    return document | {"consolidated_metadata": {**gathered, "metadata": {}}}


def storable(dataset: xr.Dataset) -> xr.Dataset:
    """Return ``dataset`` with strings in the one form that Zarr 3 specifies (variable-length UTF-8)."""
    text = {name: v.astype(object) for name, v in dataset.variables.items() if v.dtype.kind in "UT"}
    if not text:
        return dataset
    return dataset.assign({k: v for k, v in text.items() if k not in dataset.coords}).assign_coords(
        {k: v for k, v in text.items() if k in dataset.coords}
    )


def plain(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``attrs`` as JSON holds them: NumPy numbers and arrays become numbers and lists."""
    try:
        return json.loads(json.dumps(dict(attrs), default=lambda value: value.tolist()))
    except (TypeError, AttributeError, ValueError) as error:
        raise DataError(
            f"attributes must be text, numbers, true, false, null, lists or mappings of these: {error}"
        ) from None
