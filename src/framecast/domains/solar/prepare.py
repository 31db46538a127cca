"""From a folder of observations to an archive of regions tracked through solar rotation.

Three steps, each a value that the next one takes: `scan` and `match` find the frames, `grid` and `follow` the position
of each region in them, and then every file is read once and all its regions are cut (`extract`). The first two steps
determine everything that is written, before the first pixel is read: frames may be processed in any order, by any
number of processes.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from framecast._version import __version__
from framecast.core.domain import ATTRIBUTE
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import ARCHIVE, refuse_existing
from framecast.core.fingerprint import digest, fingerprint_files
from framecast.core.machine import cores
from framecast.core.options import options_of
from framecast.core.resume import ResumableJob
from framecast.data.archive.resumable import ResumableArchiveWriter
from framecast.domains.solar import GAUSS, MAGNETIC, NAME
from framecast.domains.solar.cut import Moment, extract, offsets
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.observations import Observations, Rejected, Series, match, scan
from framecast.domains.solar.options import Disk, PrepareOptions
from framecast.domains.solar.parallel import WorkerPool, worker_pool
from framecast.domains.solar.positions import along_time, observed_from
from framecast.domains.solar.quality import NO_IMAGE, SATURATED, doubts, explain
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.tables import read_exclusions, read_pointings, read_regions
from framecast.domains.solar.times import EXPECTED, moment
from framecast.domains.solar.tracks import Passage, Track, follow, grid
from framecast.videos.units import joined

FEW_FILES = 50
"""Number of files that one process reads in the time that others need to start."""

ProgressCallback = Callable[[str, int, int], None]


@dataclass
class Summary:
    """Result of `prepare`.

    Attributes:
        series: the moments of the archive, in order of time.
        rejected: files left out, with reasons.
        other_wavelengths: usable files of wavelengths not selected.
        doubtful: files with quality flags, with their meaning.
        notes: what was assumed or repaired in headers, and in how many of the files.
        excluded: usable files left out because of the list of exclusions.
        sequences: regions written.
        region_frames: frames of all regions together.
        short: regions left out because they are seen in too few frames.
        missing: pixels without a value, in each of the files used that has any.
        saturated: saturated pixels, which are masked with a margin, likewise.
        resumed: frames that an interrupted process had prepared before.
    """

    series: Series
    rejected: list[Rejected]
    other_wavelengths: Counter[int]
    doubtful: list[Rejected]
    notes: Counter[str]
    excluded: int = 0
    sequences: int = 0
    region_frames: int = 0
    short: int = 0
    missing: list[int] = field(default_factory=list)
    saturated: list[int] = field(default_factory=list)
    resumed: int = 0


@dataclass(frozen=True)
class _Plan:
    """All that is known before the first pixel is read; ``passages`` are the regions to write."""

    source: Path
    options: PrepareOptions
    radiometry: Radiometry
    series: Series
    passages: list[Passage]
    summary: Summary

    @property
    def present(self) -> list[FrameHeader]:
        """The observations that are used."""
        return [frame for slot in self.series.slots for frame in slot.present]


def prepare(
    source: str | Path,
    destination: str | Path,
    *,
    radiometry: Radiometry | None = None,
    tracks: Sequence[Track] | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Summary:
    """Write an archive of regions tracked through solar rotation.

    An interrupted or killed process keeps its progress beside ``destination``, under a hidden name; the same call
    resumes it with an identical result.

    Times are those of the header: UTC, start of the exposure. (The Sun turns by 0.003 arcsec per second: the seconds to
    the middle of the exposure do not matter to the tracking.)

    Args:
        source: folder with FITS files, at any depth and of any name.
        destination: the archive to write.
        radiometry: processing of the pixels, in place of the options ``despike`` and ``degradation``.
        tracks: the regions to follow, instead of the grid or a table.
        overwrite: whether an existing archive may be replaced.
        progress: called with the stage, its progress and its total.
        options: fields of `framecast.domains.solar.options.PrepareOptions`; times also as text, ``size`` also as one
            number.

    Raises:
        ConfigError: an option is out of range.
        DataError: nothing usable is in the folder, or (``strict``) something unusable is.
        FramecastError: the destination exists or cannot be written, or the cluster was lost.
    """
    source, chosen = Path(source), options_of(PrepareOptions, options)
    if chosen.regions is not None and tracks is not None:
        raise ConfigError("regions and tracks are given: give one of them")
    refuse_existing(Path(destination), overwrite=overwrite, kind=ARCHIVE)
    radiometry = radiometry or Radiometry.of(chosen)
    workers = _workers(source) if chosen.workers is None else chosen.workers
    with worker_pool(workers, chosen.scheduler) as pool:
        plan = _plan(source, chosen, radiometry, tracks, pool, progress)
        series, attrs = plan.series, _provenance(plan)
        with ResumableArchiveWriter(
            destination,
            job=_job(plan, attrs),
            channels=[str(channel) for channel in series.channels],
            unit=joined([_unit(plan, channel) for channel in series.channels]),
            cadence=series.cadence,
            height=chosen.view.height,
            width=chosen.view.width,
            attrs=attrs,
            overwrite=overwrite,
        ) as writer:
            _fill(writer, plan, pool, progress)
    return plan.summary


def _plan(
    source: Path,
    options: PrepareOptions,
    radiometry: Radiometry,
    tracks: Sequence[Track] | None,
    pool: WorkerPool,
    progress: ProgressCallback | None,
) -> _Plan:
    """Read all headers, and find the regions in each of the frames."""
    exclusions = read_exclusions(options.exclude) if options.exclude is not None else ()
    observations = scan(
        source,
        disk=options.picture_disk,
        progress=progress and (lambda done, total: progress("headers", done, total)),
        pool=pool,
    )
    frames = [f for f in observations.frames if not any(start <= f.time <= end for start, end in exclusions)]
    series = match(
        frames,
        _channels(observations, options.wavelengths),
        cadence=options.cadence,
        tolerance=options.tolerance,
        start=_time("start", options.start),
        end=_time("end", options.end),
    )
    summary = _summarise(observations, series, options.accept_quality)
    summary.excluded = len(observations.frames) - len(frames)
    if options.strict and summary.rejected:
        raise DataError(f"{len(summary.rejected)} files cannot be used; the first: {summary.rejected[0].reason}")
    leaders = [slot.present[0] for slot in series.slots]
    if options.regions is not None:
        fixed = options.pointing == "fixed"
        tracks = read_pointings(options.regions) if fixed else read_regions(options.regions, leaders)
    elif tracks is None:
        tracks = grid(leaders, angle=options.angle, spacing=options.spacing)
    limits = {"angle": options.angle, "longitude": options.longitude, "latitude": options.latitude}
    passages = follow(tracks, leaders, **limits, rotation=options.rotation)  # type: ignore[arg-type]
    kept = [passage for passage in passages if len(passage.indices) >= options.minimum_frames]
    if not kept:
        longest = max((len(passage.indices) for passage in passages), default=0)
        raise DataError(
            f"no region within {options.angle:g}° of the middle of the disk is in {options.minimum_frames} frames or "
            f"more (the longest is in {longest} of {len(series.slots)}): give more files, or change --angle or "
            "--min-frames"
        )
    summary.short, summary.sequences = len(passages) - len(kept), len(kept)
    summary.region_frames = sum(len(passage.indices) for passage in kept)
    return _Plan(source, options, radiometry, series, kept, summary)


def _fill(writer: ResumableArchiveWriter, plan: _Plan, pool: WorkerPool, progress: ProgressCallback | None) -> None:
    """Cut every region out of every frame it is seen in, but for those that an interrupted process has cut."""
    slots, passages, summary = plan.series.slots, plan.passages, plan.summary
    missing: list[list[tuple[int, int]]] = [[] for _ in slots]
    everywhere = set()
    for number, passage in enumerate(passages):
        done = writer.done(passage.track.name)
        everywhere.update(passage.indices.tolist())
        for position, index in enumerate(passage.indices):
            if done is None or not done[position]:
                missing[index].append((number, position))
    busy = [index for index, members in enumerate(missing) if members]

    def work(index: int) -> Moment:
        x, y = np.array([(passages[number].x[place], passages[number].y[place]) for number, place in missing[index]]).T
        return Moment(slots[index].frames, x, y, plan.options.view, plan.radiometry)

    summary.resumed = len(everywhere) - len(busy)
    for count, (index, result) in enumerate(
        zip(busy, pool(extract, map(work, busy)), strict=True), start=summary.resumed + 1
    ):
        if result.failed and plan.options.strict:
            raise DataError(result.failed[0].reason)
        told = {
            passages[n].track.name: row.tolist() for (n, _), row in zip(missing[index], result.saturated, strict=True)
        }
        failed = [[str(f.path), f.reason] for f in result.failed]
        # A moment is cut again for the regions whose block was lost: what is known of the others stays.
        known = writer.remembered.get(f"moment {index}", [[], [], [], {}])[3]
        writer.remember(f"moment {index}", [result.missing, failed, result.overexposed, known | told])
        lost = {item.path for item in result.failed}
        accepted = plan.options.accept_quality
        quality = _quality(slots[index].frames, lost, accepted)
        for intensity, saturated, (number, position) in zip(
            result.intensity, result.saturated, missing[index], strict=True
        ):
            name = passages[number].track.name
            spoilt = doubts(int(saturated.any()) << SATURATED, accepted=accepted)
            if writer.done(name) is None:
                _announce(writer, passages[number], plan)
            if result.missing:
                writer.write(name, position, intensity, quality=quality | spoilt)
            else:
                writer.skip(name, position)
        if progress:
            progress("frames", count, len(everywhere))
    for index in sorted(everywhere):  # what was found when the pixels were read, by whichever process
        counts, failed, overexposed, _ = writer.remembered[f"moment {index}"]
        summary.rejected.extend(Rejected(Path(path), reason) for path, reason in failed)
        summary.missing += filter(None, counts)
        summary.saturated += filter(None, overexposed)
    for passage in passages:
        writer.annotate(passage.track.name, _saturation(writer, passage, plan))


def _saturation(writer: ResumableArchiveWriter, passage: Passage, plan: _Plan) -> xr.Dataset:
    """Return how many pixels of each frame are masked for saturation, and the quality words with that bit."""
    rows = [writer.remembered[f"moment {index}"][3][passage.track.name] for index in passage.indices]
    slots, saturated = [plan.series.slots[index] for index in passage.indices], np.array(rows, np.int32)
    words = np.array([[1 << NO_IMAGE if f is None else f.quality for f in slot.frames] for slot in slots], np.int64)
    words |= (saturated > 0).astype(np.int64) << SATURATED
    word = f"QUALITY of the file, bit {NO_IMAGE} where there is none; bit {SATURATED}: saturated pixels are masked"
    return xr.Dataset(
        {
            "saturated": (("time", "channel"), saturated, {"long_name": "pixels masked that saw saturated ones"}),
            "quality_word": (("time", "channel"), words, {"long_name": word}),
        }
    )


def _unit(plan: _Plan, channel: int) -> str:
    """Return the unit of the images of a channel, or raise `DataError` if they are in several."""
    units = {frame.final_unit: frame for frame in plan.present if frame.wavelength == channel}
    if len(units) > 1:
        some = "; ".join(f"{frame.path.name} is in {frame.unit}" for frame in units.values())
        raise DataError(f"the images of {channel} Å are in several units ({some}): prepare one unit at a time")
    return next(iter(units))


def _announce(writer: ResumableArchiveWriter, passage: Passage, plan: _Plan) -> None:
    """Create the sequence of a region, with everything except its pixels."""
    view, track = plan.options.view, passage.track
    slots = [plan.series.slots[index] for index in passage.indices]
    not_a_time = np.datetime64("NaT", "ns")

    def told(
        of_frame: Callable[[FrameHeader], Any], absent: Any, kind: Any, long_name: str, **attrs: str
    ) -> tuple[tuple[str, str], np.ndarray, dict[str, str]]:
        rows = [[absent if frame is None else of_frame(frame) for frame in slot.frames] for slot in slots]
        return ("time", "channel"), np.array(rows, kind), {**attrs, "long_name": long_name}

    p, arcsec = passage, {"units": "arcsec"}
    exposure = "exposure time that was divided out, NaN where none was"
    degradation = "fraction of the light still registered that was divided out; 1 where none was"
    moving = {
        "carrington_longitude": track.longitude,
        "latitude": track.latitude,
        "rotation": plan.options.rotation,
    }
    writer.create(
        track.name,
        np.array([slot.time for slot in slots]),
        coords={
            "y": ("y", offsets(view.height, view.pixel), {**arcsec, "long_name": "north of the middle"}),
            "x": ("x", offsets(view.width, view.pixel), {**arcsec, "long_name": "west of the middle"}),
            **along_time(hpc_x=p.x, hpc_y=p.y, mu=p.mu, carrington_longitude=p.longitude),
            **observed_from([slot.present[0] for slot in slots]),
        },
        variables={
            "observed": told(lambda f: f.time, not_a_time, None, "start of the exposure, UTC"),
            "exposure": told(lambda f: f.divided_out, np.nan, None, exposure, units="s"),
            "degradation": told(plan.radiometry.factor, np.nan, None, degradation),
            "source": told(lambda f: f.path.name, "", object, "name of the file"),
        },
        attrs={
            **({"region": track.region} if track.region else {}),
            "reference_time": str(track.reference),
            **(moving if track.pointing is None else {"pointing_arcsec": list(track.pointing)}),
        },
    )


def _provenance(plan: _Plan) -> dict[str, Any]:
    """Return the provenance of the archive."""
    import sunpy

    options, view, present = plan.options, plan.options.view, plan.present
    return {
        ATTRIBUTE: MAGNETIC if _signed(plan) else NAME,
        "title": "Regions tracked through solar rotation",
        "source": plan.source.absolute().name,
        "instrument": ", ".join(sorted({frame.instrument for frame in present})),
        "history": [
            _reading(options.picture_disk),
            *plan.radiometry.history(present),
            "cut with one cubic interpolation, averaged over each pixel, solar north up",
            "pixels beyond the limb masked" if view.off_limb == "mask" else "pixels beyond the limb kept",
        ],
        "radiometry": plan.radiometry.provenance(),
        "rotation": f"{options.rotation} (sunpy {sunpy.__version__}, sidereal)",
        "pixel_arcsec": view.pixel,
        "off_limb": view.off_limb,
        "field_of_view_arcsec": [view.height * view.pixel, view.width * view.pixel],
        "largest_heliocentric_angle_degree": options.angle,
        "largest_longitude_degree": options.longitude,
        "largest_latitude_degree": options.latitude,
        "regions": f"grid of {options.spacing:g} degrees" if options.regions is None else Path(options.regions).name,
        "excluded_images": plan.summary.excluded,
        "accepted_quality_bits": sorted(options.accept_quality),
        "tolerance_seconds": plan.series.tolerance,
        "independent_sequences": False,
        "created_by": f"framecast {__version__}",
    }


def _signed(plan: _Plan) -> bool:
    """Whether the images are of magnetic fields: in Gauss, or pictures whose zero is not their darkest value."""
    disk = plan.options.picture_disk
    return _unit(plan, plan.series.channels[0]) in GAUSS or (disk is not None and disk.zero > 0)


def _reading(disk: Disk | None) -> str:
    if disk is None:
        return "FITS read by their headers; blank pixels masked"
    return (
        f"pictures of the disk, middle at column {disk.column:g} and row {disk.row:g}, radius {disk.radius:g} pixels: "
        f"(value - {disk.zero:g}) * {disk.step:g} {disk.unit}"
    )


def _job(plan: _Plan, attrs: dict[str, Any]) -> ResumableJob:
    """Return the description of the output, and the input files."""
    arrays = hashlib.sha256()
    for passage in plan.passages:
        for values in (passage.indices, passage.x, passage.y, passage.mu, passage.longitude):
            arrays.update(np.ascontiguousarray(values).tobytes())
    names = [passage.track.name for passage in plan.passages]
    slots = list(map(repr, plan.series.slots))
    files = sorted({frame.path for frame in plan.present})
    return ResumableJob(
        kind="archive",
        options=digest(attrs, repr(plan.options.view), slots, names, arrays.hexdigest()),
        inputs={"set of images": fingerprint_files(files, plan.source)},
    )


def _workers(source: Path) -> int:
    """Return how many processes are worthwhile for the files below ``source``."""
    files = sum(1 for path in source.rglob("*") if path.is_file())
    return 1 if files < FEW_FILES else min(8, cores())


def _quality(frames: Sequence[FrameHeader | None], lost: set[Path], accepted: Sequence[int]) -> int:
    """Return the doubts about all channels of a moment together: 0 if all are good."""
    word = 0
    for frame in frames:
        absent = frame is None or frame.path in lost
        word |= 1 << NO_IMAGE if absent else doubts(frame.quality, accepted=accepted)  # type: ignore[union-attr]
    return word


def _summarise(observations: Observations, series: Series, accepted: Sequence[int]) -> Summary:
    used = [frame for slot in series.slots for frame in slot.present]
    suspects = [(frame, doubts(frame.quality, accepted=accepted)) for frame in used]
    return Summary(
        series,
        rejected=list(observations.rejected),
        other_wavelengths=Counter({w: n for w, n in observations.wavelengths.items() if w not in series.channels}),
        doubtful=[Rejected(frame.path, "; ".join(explain(word))) for frame, word in suspects if word],
        notes=Counter(note for frame in used for note in frame.notes),
    )


def _channels(observations: Observations, wavelengths: Sequence[int] | None) -> tuple[int, ...]:
    channels = tuple(wavelengths) if wavelengths is not None else tuple(sorted(observations.wavelengths))
    if not channels or len(set(channels)) != len(channels):
        raise ConfigError(f"wavelengths are {list(channels)}; name at least one, each once")
    return channels


def _time(name: str, given: str | np.datetime64 | None) -> np.datetime64 | None:
    try:
        return moment(given) if isinstance(given, str) else given
    except ValueError:
        raise ConfigError(f"--{name} is {given!r}; write {EXPECTED}") from None
