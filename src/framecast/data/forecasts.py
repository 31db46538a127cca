"""The forecast file: an ensemble for each of many windows, with all that is needed to evaluate it.

One Zarr folder holds the members, the truth, the past they started from, a library of training residuals (the
dressed persistence is made from it) and, for synthetic data, the oracle ensemble. It opens with plain
``xarray.open_zarr``. `docs/data-format.md` is its specification.

Samples are written one after the other. Until the last one is written the file has a hidden name; the same request
resumes where the first one stopped (`framecast.core.resume`). Which samples are complete is written in the file itself,
each in a chunk of its own, since several processes on several machines may write it.
"""

import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr

from framecast.core.domain import Domain, find_domain
from framecast.core.errors import DataError, FramecastError
from framecast.core.files import FORECAST, building, clear, partial_path, publish
from framecast.core.fingerprint import ChangedError, digest
from framecast.core.resume import ResumableJob, ResumeRecord
from framecast.core.stored import DocumentFormat
from framecast.data.archive.guard import GuardedStore, open_store, undamaged
from framecast.data.climatology import Climatology
from framecast.videos.calendar import Calendar, is_time, seconds_in, to_clock
from framecast.videos.frames import FrameSpec, span

FORECAST_FORMAT = DocumentFormat("framecast-forecast", 1, "forecast", "forecast again")

_UNFINISHED = "request"
"""Attribute of a file that is not complete."""

_WITHOUT_EFFECT = (
    "command",
    "archive",
    "weights_sha256",
    "precision",
    "created",
    "torch_version",
    "independent_sequences",
)
"""Attributes on how a forecast was made; they do not identify it."""

_CHUNK_BYTES = 8 * 2**20
_SAMPLE = ("lead_time", "channel", "y", "x")
_MEMBERS = ("sample", "member", *_SAMPLE)
_REQUIRED = {
    "forecast": _MEMBERS,
    "truth": ("sample", *_SAMPLE),
    "past": ("sample", "past_time", "past_channel", "y", "x"),
    **dict.fromkeys(("sequence", "issue_time"), ("sample",)),
    **{name: (name,) for name in ("lead_time", "past_time", "channel", "past_channel")},
}
_OPTIONAL = {
    "oracle": _MEMBERS,
    "moved": ("sample", *_SAMPLE),
    "motion": ("sample", "channel", "component", "y", "x"),
    "dressing": ("draw", *_SAMPLE),
    **dict.fromkeys(("climatology", "occasion_moved"), ("occasion", *_SAMPLE)),
    **dict.fromkeys(("occasion_last", "occasion_mean"), ("occasion", "channel", "y", "x")),
    "occasion_time": ("occasion",),
    **dict.fromkeys(("label", "unlike_training"), ("sample",)),
}
_DIMENSIONS = {**_REQUIRED, **_OPTIONAL}
"""Dimensions of the variables of a forecast file."""


@dataclass(frozen=True, kw_only=True)
class SampleInfo:
    """Where one sample comes from.

    Attributes:
        sequence: its sequence.
        issue_time: the time of its last past frame.
        label: its class, where known.
        unlike: how its past is unlike the model's training data; empty if it is not.
    """

    sequence: str
    issue_time: np.datetime64
    label: str = ""
    unlike: str = ""


class ForecastWriter:
    """Fills a forecast file sample by sample; see `write_forecast`."""

    def __init__(self, group: zarr.Group) -> None:
        self._group = group

    @property
    def attrs(self) -> dict[str, Any]:
        """How the forecast was made; for a resumed one, how it was started."""
        return dict(self._group.attrs)

    @property
    def done(self) -> list[int]:
        """The samples that are already complete."""
        return [int(k) for k in np.flatnonzero(np.asarray(self._array("complete")[:]))]

    def write(
        self,
        sample: int,
        *,
        past: np.ndarray,
        truth: np.ndarray,
        forecast: np.ndarray,
        oracle: np.ndarray | None = None,
        motion: np.ndarray | None = None,
        moved: np.ndarray | None = None,
        baselines: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Write one sample; all arrays in physical units, NaN where masked.

        Args:
            sample: its index.
            past: ``[past_channel, past_time, y, x]``.
            truth: ``[channel, lead_time, y, x]``.
            forecast: ``[member, channel, lead_time, y, x]``.
            oracle: like ``forecast``, for files opened with an oracle.
            motion: ``[channel, component, y, x]``, pixels per frame, for files opened with motion.
            moved: the last frame as it moves in ways that are known in advance, like ``truth``, for files whose
                climatology has it.
            baselines: name -> members of a baseline, likewise, for files opened with it.
        """
        given = {f"baseline_{name}": own if len(own) > 1 else own[0] for name, own in (baselines or {}).items()}
        given |= {"past": past, "truth": truth, "oracle": oracle, "moved": moved, "forecast": forecast}
        for name, values in given.items():
            if values is not None:
                self._array(name)[sample] = np.moveaxis(values, -4, -3)
        if motion is not None:
            self._array("motion")[sample] = motion
        self._array("complete")[sample] = True

    def _array(self, name: str) -> zarr.Array:
        array = self._group[name]
        assert isinstance(array, zarr.Array)
        return array


@contextmanager
def write_forecast(
    path: str | Path,
    *,
    frames: FrameSpec,
    samples: Sequence[SampleInfo],
    members: int,
    unit: str,
    attrs: dict[str, Any],
    dressing: np.ndarray | None = None,
    climatology: Climatology | None = None,
    oracle: bool = False,
    motion: bool = False,
    baselines: Mapping[str, int] | None = None,
    open_precision: bool = False,
    positions: Mapping[str, Any] | None = None,
    calendar: Calendar = Calendar(),
    inputs: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Iterator[ForecastWriter]:
    """Yield a `ForecastWriter`; the file gets its final name when the block ends well with every sample written.

    An interrupted block leaves the samples it wrote under a hidden name beside ``path``, unless what they were made of
    has changed (`ChangedError`); the same call continues with them (`ForecastWriter.done`). A call with other options
    starts over; one with the same options and changed ``inputs`` is refused. A call that leaves the precision open
    continues in that of the file (`ForecastWriter.attrs`).

    Args:
        path: the forecast file, a folder by convention named ``*.zarr``.
        frames: what is forecast.
        samples: one entry per sample.
        members: members per sample.
        unit: physical unit of all arrays.
        attrs: how the forecast was made (model, seed, sampler, steps, archive, split …), JSON values.
        open_precision: whether ``attrs["precision"]`` was chosen automatically for this machine.
        dressing: training residuals ``[draw, channel, lead_time, y, x]`` (truth minus last frame), if there are no
            training windows to take them from.
        climatology: training occasions, which baselines are made of, or ``None``.
        oracle: whether an oracle ensemble will be written too.
        motion: whether the motion that the forecast relies on will be written too.
        baselines: name of each baseline that will be written too -> its members, 1 or ``members``.
        positions: coordinates of the pixels as xarray takes them, such as ``{"y": ("y", y, {"units": "m"})}``.
        calendar: calendar of the issue times.
        inputs: name of what is read (the archive, the model) -> its fingerprint.
        overwrite: whether an existing file may be replaced, and one begun with other inputs restarted.

    Raises:
        DataError: the same forecast was started with other inputs.
        FramecastError: ``path`` exists and ``overwrite`` is false, or another process is writing it.
    """
    path = Path(path)
    draws = 0 if dressing is None else len(dressing)
    times = [] if climatology is None else [str(time) for time in climatology.times]
    asked = {name: value for name, value in attrs.items() if name not in _WITHOUT_EFFECT}
    shapes = [frames.past_shape, frames.future_shape, members, oracle, draws, *([motion] if motion else [])]
    shapes += sorted(baselines or {})
    windows = [[info.sequence, str(info.issue_time)] for info in samples]
    job = ResumableJob(kind="forecast", options=digest(asked, shapes, times, windows), inputs=inputs or {})
    with building(path, overwrite=overwrite, kind=FORECAST) as partial:
        record = ResumeRecord(path, job, restart=overwrite)
        precision = None if open_precision else attrs.get("precision")
        group = _continued(partial, precision) if record.resumed else None
        if group is None:
            clear(partial)
            header = {**FORECAST_FORMAT.header(), "unit": unit, **attrs}
            coordinates = _coordinates(frames, samples, members, header, positions or {}, calendar)
            coordinates.to_zarr(partial, mode="w-", consolidated=False)
            group = open_store(partial, mode="r+")
            sizes = {"sample": len(samples), "component": 2, "draw": draws, "y": frames.height, "x": frames.width}
            sizes |= {str(name): size for name, size in coordinates.sizes.items()}
            moving = climatology is not None and climatology.moved is not None
            wanted = {"oracle": oracle, "motion": motion, "moved": moving, "dressing": draws > 0}
            dims = {name: _DIMENSIONS[name] for name in ("forecast", "truth", "past")}
            dims |= {name: _DIMENSIONS[name] for name, given in wanted.items() if given}
            for name, count in (baselines or {}).items():
                dims[f"baseline_{name}"] = _MEMBERS if count > 1 else _DIMENSIONS["truth"]
            arrays = {name: _create(group, name, own, sizes) for name, own in dims.items()}
            group.create_array(
                "complete",
                shape=(len(samples),),
                dtype=bool,
                chunks=(1,),
                dimension_names=("sample",),
                fill_value=False,
            )
            _describe_values(arrays, unit, positions or {})
            if dressing is not None:
                arrays["dressing"][:] = np.moveaxis(np.asarray(dressing, dtype=np.float32), -4, -3)
            if climatology is not None:
                _write_climatology(partial, climatology)
            group.attrs[_UNFINISHED] = True
            record.begin()
        writer = ForecastWriter(group)
        try:
            yield writer
        except BaseException as error:
            done = 0 if isinstance(error, ChangedError) else len(writer.done)
            if done:
                record.close()
                error.add_note(f"{done} of {len(samples)} windows are saved: the same command resumes from there")
            else:
                shutil.rmtree(partial, ignore_errors=True)
                record.remove()
            raise
        if len(writer.done) < len(samples):
            record.close()
            return
        del group.attrs[_UNFINISHED]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=UserWarning)  # zarr: consolidation is not yet in the standard
            zarr.consolidate_metadata(partial)
        publish(partial, path)
        record.remove()


def join_forecast(path: str | Path) -> ForecastWriter:
    """Return a second writer of the unfinished file that another process has opened with `write_forecast`.

    Samples do not share chunks, so that several processes may write different ones at a time; the one that opened the
    file completes it when all have written.
    """
    return ForecastWriter(open_store(partial_path(Path(path)), mode="r+"))


def open_forecast(path: str | Path) -> xr.Dataset:
    """Return the forecast file as a lazy Dataset; variables and attributes as in `docs/data-format.md`.

    Raises:
        FramecastError: there is no such folder.
        DataError: it is not a forecast, damaged, unfinished, or of a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise FramecastError(f"there is no forecast at {path}: give the folder that `framecast forecast` wrote")
    try:
        attrs = dict(open_store(path).attrs)
    except (FramecastError, MemoryError, PermissionError):
        raise
    except Exception:  # Zarr raises many kinds of errors here
        attrs = {}
    FORECAST_FORMAT.check(attrs, str(path))
    if _UNFINISHED in attrs:
        raise DataError(f"{path} is an unfinished forecast: rerun the command that started it to complete it")
    with undamaged(path):
        stored = xr.open_zarr(GuardedStore(path, read_only=True), chunks=None, decode_timedelta=False)
    if missing := [name for name in _REQUIRED if name not in stored]:
        raise DataError(f"{path} lacks {', '.join(missing)}: it is not a complete forecast file: make it again")
    for name, dims in _DIMENSIONS.items():
        own = stored[name].variable if name in stored else None
        if own is not None and (set(own.dims) != set(dims) or (own.ndim > 1 and own.dtype.kind != "f")):
            raise DataError(
                f"{path} is damaged: {name} is {own.dtype} along {', '.join(map(str, own.dims)) or 'nothing'}; it must "
                f"be {'float32 ' if len(dims) > 1 else ''}along {', '.join(dims)}: forecast again"
            )
    if not isinstance(classes := attrs.get("classes", []), list) or not all(isinstance(own, str) for own in classes):
        raise DataError(f"{path} has classes that are not names: it is damaged, forecast again")
    with undamaged(path):
        elapsed = [name for name in ("lead_time", "past_time", "issue_time") if stored[name].dtype.kind in "iuf"]
        forecast = stored.assign_coords({name: _as_timedelta(stored[name].variable) for name in elapsed})
    for name in ("lead_time", "past_time"):
        if forecast[name].dtype.kind != "m":
            raise DataError(f"{path} has no time differences in {name}: it is damaged, forecast again")
    return forecast


def _as_timedelta(variable: xr.Variable) -> xr.Variable:
    """Return numbers with a unit of time as ``timedelta64``."""
    step = span(seconds_in(str(variable.attrs.get("units"))))
    attrs = {key: value for key, value in variable.attrs.items() if key not in ("units", "dtype")}
    return xr.Variable(variable.dims, variable.values * step, attrs)


def issue_clock(forecast: xr.Dataset) -> tuple[np.ndarray, Calendar]:
    """Return the issue times of an open forecast on an even clock, ``datetime64[ns]``, and how they are read."""
    return to_clock(forecast["issue_time"].values)


def _continued(partial: Path, precision: str | None) -> zarr.Group | None:
    """Return the unfinished file at ``partial``, if it can be continued in this precision (None: in its own)."""
    try:
        group = open_store(partial, mode="r+")
    except (OSError, ValueError, KeyError):
        return None
    same = precision is None or group.attrs.get("precision") == precision
    return group if same and _UNFINISHED in group.attrs else None


def forecast_domain(forecast: xr.Dataset) -> Domain:
    """Return what kind of data an opened forecast file holds."""
    channels = [str(name) for name in forecast["channel"].values]
    return find_domain(forecast.attrs, unit=str(forecast.attrs.get("unit", "")), channels=channels)


def _coordinates(
    frames: FrameSpec,
    samples: Sequence[SampleInfo],
    members: int,
    attrs: dict[str, Any],
    positions: Mapping[str, Any],
    calendar: Calendar,
) -> xr.Dataset:
    text = np.dtypes.StringDType()
    texts = {"label": [info.label for info in samples], "unlike_training": [info.unlike for info in samples]}
    issued = np.array([info.issue_time for info in samples], dtype="datetime64[ns]")
    return xr.Dataset(
        coords={
            "member": np.arange(members),
            "lead_time": _timedelta(frames.lead_times),
            "past_time": _timedelta(frames.past_times),
            "channel": np.array(frames.future_channels, dtype=text),
            "past_channel": np.array(frames.past_channels, dtype=text),
            "sequence": ("sample", np.array([info.sequence for info in samples], dtype=text)),
            "issue_time": (
                "sample",
                issued if calendar.ordinary else calendar.encode(issued),
                {"long_name": "time of the last past frame"} | ({} if calendar.ordinary else calendar.attributes),
            ),
            **{name: ("sample", np.array(own, dtype=text)) for name, own in texts.items() if any(own)},
            **positions,
        },
        attrs=attrs,
    )


def _describe_values(arrays: Mapping[str, zarr.Array], unit: str, positions: Mapping[str, Any]) -> None:
    """Give the arrays the CF attributes of their values and places; a unit of time would be read as a duration."""
    attrs = {} if is_time(unit) else {"units": unit}
    attrs |= {"grid_mapping": "crs"} if "crs" in positions else {}
    for name, array in arrays.items():
        if name in ("forecast", "oracle", "truth", "past") or name.startswith("baseline_"):
            array.attrs.update(attrs)
        if name == "motion":
            described = "motion along which the last frame is advected, first along x and then along y"
            array.attrs.update({"long_name": described, "units": "pixels per frame"})


def _write_climatology(path: Path, climatology: Climatology) -> None:
    values = np.moveaxis(climatology.values, -4, -3)
    dims = ("occasion", *_SAMPLE)
    times = ("occasion", climatology.times, {"long_name": "issue time of the training window"})
    stored: dict[str, Any] = {"climatology": (dims, values)}
    for name, frames in (("occasion_last", climatology.last), ("occasion_mean", climatology.mean)):
        if frames is not None:
            stored[name] = (("occasion", "channel", "y", "x"), frames)
    if climatology.moved is not None:
        stored["occasion_moved"] = (dims, np.moveaxis(climatology.moved, -4, -3))
    xr.Dataset(stored, coords={"occasion_time": times}).to_zarr(
        path, mode="a", consolidated=False, encoding={"climatology": {"chunks": (1, *values.shape[1:])}}
    )


def _timedelta(seconds: Sequence[float]) -> np.ndarray:
    return np.array([round(value * 1e9) for value in seconds], dtype="timedelta64[ns]")


def _create(group: zarr.Group, name: str, dims: tuple[str, ...], sizes: Mapping[str, int]) -> zarr.Array:
    """Return a new array, one entry of its first dimension in a chunk, and as many members as fit into one."""
    shape = tuple(sizes[dim] for dim in dims)
    chunks = [1, *shape[1:]]
    if dims[1] == "member":
        chunks[1] = max(1, min(shape[1], _CHUNK_BYTES // (4 * int(np.prod(shape[2:])))))
    return group.create_array(
        name, shape=shape, chunks=tuple(chunks), dtype="float32", fill_value=float("nan"), dimension_names=dims
    )
