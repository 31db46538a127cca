"""From a folder of observations to an archive of regions tracked through solar rotation.

Three steps, each a value that the next one takes: `scan` and `match` say which frames there are, `grid` and `follow`
where each region is in them, and then every file is read once and all its regions are cut (`extract`). The first two
steps decide everything that is written, and which frame of which region goes where, before the first pixel is read:
frames may be done in any order, on any number of processes.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import ConfigError, DataError
from framecast.core.files import ARCHIVE, refuse_existing
from framecast.core.fingerprint import digest, fingerprint_files
from framecast.core.resume import Job as ResumableJob
from framecast.data.archive.resumable import ResumableArchiveWriter
from framecast.domains.solar.exclusions import Exclusions
from framecast.domains.solar.extract import Job, OffLimb, View, extract
from framecast.domains.solar.observations import Gap, Observations, Rejected, Series, Slot, match, scan
from framecast.domains.solar.parallel import WorkerPool, worker_pool
from framecast.domains.solar.quality import HARMLESS, NO_IMAGE, doubts, explain
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.region_tables import read_regions
from framecast.domains.solar.rotation import Rotation
from framecast.domains.solar.sequences import announce, provenance
from framecast.domains.solar.tracks import Passage, Track, follow, grid
from framecast.videos.frames import nanoseconds

FEW_FILES = 50
"""Files that one process reads before others would have started."""

ProgressCallback = Callable[[str, int, int], None]


@dataclass
class Summary:
    """What `prepare` made, and what it left out.

    Attributes:
        frames: moments in the series.
        sequences: regions written.
        region_frames: frames of all regions together.
        short: regions left out because they are seen in too few frames.
        cadence: nominal seconds between frames.
        channels: wavelengths.
        start: first moment.
        end: last moment.
        gaps: holes in the series.
        rejected: files left out, with reasons.
        other_wavelengths: usable files of wavelengths not asked for.
        unmatched: files of the wavelengths asked for that found no place in the series, for each wavelength.
        doubtful: files whose quality word speaks against them, with its meaning.
        missing_pixels: pixels without a value in the files used.
        files_with_missing_pixels: in how many files.
        notes: what was assumed or repaired in headers, and in how many of the files.
        excluded: usable files left out because the list of exclusions says so.
        resumed: frames that an interrupted process had prepared before.
    """

    frames: int = 0
    sequences: int = 0
    region_frames: int = 0
    short: int = 0
    cadence: float = 0.0
    channels: tuple[int, ...] = ()
    start: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT"))
    end: np.datetime64 = field(default_factory=lambda: np.datetime64("NaT"))
    gaps: tuple[Gap, ...] = ()
    rejected: list[Rejected] = field(default_factory=list)
    other_wavelengths: Counter[int] = field(default_factory=Counter)
    unmatched: Counter[int] = field(default_factory=Counter)
    doubtful: list[Rejected] = field(default_factory=list)
    missing_pixels: int = 0
    files_with_missing_pixels: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    excluded: int = 0
    resumed: int = 0


def prepare(
    source: str | Path,
    destination: str | Path,
    *,
    size: int | tuple[int, int] = 64,
    wavelengths: Sequence[int] | None = None,
    start: str | np.datetime64 | None = None,
    end: str | np.datetime64 | None = None,
    cadence: float | None = None,
    tolerance: float | None = None,
    pixel: float | None = None,
    field_of_view: float | None = None,
    angle: float = 45.0,
    longitude: float | None = None,
    latitude: float | None = None,
    spacing: float = 12.0,
    regions: str | Path | None = None,
    tracks: Sequence[Track] | None = None,
    exclude: str | Path | None = None,
    minimum_frames: int = 12,
    rotation: Rotation = "howard",
    off_limb: OffLimb = "mask",
    radiometry: Radiometry = Radiometry(),
    accept_quality: Sequence[int] = tuple(sorted(HARMLESS)),
    strict: bool = False,
    workers: int | None = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> Summary:
    """Write an archive of regions tracked through solar rotation.

    A process that is interrupted or killed leaves what it has done beside ``destination``, under a hidden name; the
    same call goes on with it and ends in the same bytes.

    Times are those of the header: UTC, start of the exposure. (The Sun turns by 0.003 arcsec per second: the seconds to
    the middle of the exposure do not matter to the tracking.)

    Args:
        source: folder with FITS files, at any depth and of any name.
        destination: the archive to write.
        size: rows and columns of a frame, one number for a square.
        wavelengths: channels in ångström, in the archive's order; None takes all there are.
        start: first time wanted, UTC.
        end: last time wanted, UTC.
        cadence: seconds between frames; None keeps all frames.
        tolerance: seconds between channels, and from whole multiples of the cadence, that count as the same time.
        pixel: side of an output pixel in arcsec; None is 4.8 (see `View`).
        field_of_view: instead of ``pixel``: the width of the frame in arcsec.
        angle: largest heliocentric angle of a region's middle, in degrees.
        longitude: largest distance of a region's middle from the central meridian, in degrees.
        latitude: largest distance from the equator, in degrees.
        spacing: distance of neighbouring regions, in degrees on the surface. The default of 12° follows about forty
            regions at a time, each overlapping its neighbours by about a third of its width at 64 pixels.
        regions: a table of the regions to follow, instead of the grid (see `framecast.domains.solar.region_tables`).
        tracks: the regions to follow, instead of the grid.
        exclude: a table of times whose images are left out (see `framecast.domains.solar.exclusions`).
        minimum_frames: regions seen in fewer frames are left out.
        rotation: rotation law: howard, snodgrass, allen or rigid.
        off_limb: mask the pixels beyond the limb, or keep them.
        radiometry: what is done to the pixels beside dividing by the exposure.
        accept_quality: bits of the quality word that do not make a frame doubtful.
        strict: whether a file that cannot be used is an error.
        workers: processes that read files: 1 is this one alone, None as many as there are cores, 8 at most (and this
            one alone for fewer than `FEW_FILES`).
        scheduler: instead of local processes, the address of a dask scheduler whose workers read the files.
        overwrite: whether an existing archive may be replaced.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        ConfigError: an option is out of range.
        DataError: nothing usable is in the folder, or (``strict``) something unusable is.
        FramecastError: the destination exists or cannot be written, or the cluster is gone.
    """
    height, width = (size, size) if isinstance(size, int) else size
    view = View(height=height, width=width, pixel=_pixel(pixel, field_of_view, width), off_limb=off_limb)
    if minimum_frames < 1 or (workers is not None and workers < 1):
        raise ConfigError(f"minimum_frames is {minimum_frames} and workers {workers}; both must be at least 1")
    if regions is not None and tracks is not None:
        raise ConfigError("regions and tracks are given: give one of them")
    refuse_existing(Path(destination), overwrite=overwrite, kind=ARCHIVE)
    exclusions = Exclusions.read(exclude) if exclude is not None else None
    with worker_pool(_count(source) if workers is None else workers, scheduler) as pool:
        observations = scan(
            source, progress=progress and (lambda done, total: progress("headers", done, total)), pool=pool
        )
        excluded = exclusions.apply(observations.frames) if exclusions is not None else []
        series = match(
            [frame for frame in observations.frames if frame not in excluded] if excluded else observations.frames,
            _channels(observations, wavelengths),
            cadence=cadence,
            tolerance=tolerance,
            start=_moment("start", start),
            end=_moment("end", end),
        )
        summary = _summarise(observations, series, accept_quality)
        summary.excluded = len(excluded)
        if strict and summary.rejected:
            raise DataError(f"{len(summary.rejected)} files cannot be used; the first: {summary.rejected[0].reason}")
        leaders = [next(frame for frame in slot.frames if frame is not None) for slot in series.slots]
        if regions is not None:
            tracks = read_regions(regions, leaders)
        elif tracks is None:
            tracks = grid(leaders, angle=angle, spacing=spacing)
        passages = follow(tracks, leaders, angle=angle, longitude=longitude, latitude=latitude, rotation=rotation)
        kept = [passage for passage in passages if len(passage.indices) >= minimum_frames]
        summary.short = len(passages) - len(kept)
        if not kept:
            longest = max((len(passage.indices) for passage in passages), default=0)
            raise DataError(
                f"no region within {angle:g}° of the middle of the disk is in {minimum_frames} frames or more (the "
                f"longest is in {longest} of {len(series.slots)}): give more files, or change --angle or --min-frames"
            )
        summary.sequences, summary.region_frames = len(kept), sum(len(passage.indices) for passage in kept)
        attrs = provenance(
            source,
            series,
            view,
            radiometry,
            angle=angle,
            longitude=longitude,
            latitude=latitude,
            places=Path(regions).name if regions is not None else spacing,
            rotation=rotation,
            accepted=accept_quality,
            excluded=len(excluded),
        )
        with ResumableArchiveWriter(
            destination,
            job=_job(Path(source), series, kept, view, attrs),
            channels=[str(channel) for channel in series.channels],
            unit="DN/s",
            cadence=series.cadence,
            height=height,
            width=width,
            attrs=attrs,
            overwrite=overwrite,
        ) as writer:
            _fill(
                writer,
                kept,
                series,
                view,
                radiometry,
                summary,
                accept_quality,
                strict=strict,
                pool=pool,
                progress=progress,
            )
    return summary


def _fill(
    writer: ResumableArchiveWriter,
    passages: Sequence[Passage],
    series: Series,
    view: View,
    radiometry: Radiometry,
    summary: Summary,
    accepted: Sequence[int],
    *,
    strict: bool,
    pool: WorkerPool,
    progress: ProgressCallback | None,
) -> None:
    """Cut every region out of every frame it is seen in, but for those that an interrupted process has cut."""
    missing: list[list[tuple[int, int]]] = [[] for _ in series.slots]
    everywhere = set()
    for number, passage in enumerate(passages):
        done = writer.done(passage.track.name)
        everywhere.update(passage.indices.tolist())
        for position, index in enumerate(passage.indices):
            if done is None or not done[position]:
                missing[index].append((number, position))
    busy = [index for index, members in enumerate(missing) if members]
    jobs = (
        Job(
            series.slots[index],
            np.array([passages[number].x[position] for number, position in missing[index]]),
            np.array([passages[number].y[position] for number, position in missing[index]]),
            view,
            radiometry,
        )
        for index in busy
    )
    before = summary.resumed = len(everywhere) - len(busy)
    for count, (index, result) in enumerate(zip(busy, pool(extract, jobs), strict=True), start=1):
        slot = series.slots[index]
        if result.failed and strict:
            raise DataError(result.failed[0].reason)
        writer.remember(f"moment {index}", [result.missing, [[str(f.path), f.reason] for f in result.failed]])
        quality = _quality(slot, {item.path for item in result.failed}, accepted)
        for intensity, (number, position) in zip(result.intensity, missing[index], strict=True):
            name = passages[number].track.name
            if writer.done(name) is None:
                announce(writer, passages[number], series, view, radiometry)
            if result.missing:
                writer.write(name, position, intensity, quality=quality)
            else:
                writer.skip(name, position)
        if progress:
            progress("frames", before + count, len(everywhere))
    _tell_of_pixels(summary, writer.remembered, sorted(everywhere))


def _tell_of_pixels(summary: Summary, remembered: Mapping[str, Any], moments: Sequence[int]) -> None:
    """Add to ``summary`` what was found when the pixels were read, by whichever process."""
    for index in moments:
        missing, failed = remembered[f"moment {index}"]
        summary.rejected.extend(Rejected(Path(path), reason) for path, reason in failed)
        summary.missing_pixels += sum(missing)
        summary.files_with_missing_pixels += sum(count > 0 for count in missing)


def _job(
    source: Path, series: Series, passages: Sequence[Passage], view: View, attrs: Mapping[str, Any]
) -> ResumableJob:
    """Return what is written, and from which files."""
    arrays = hashlib.sha256()
    for passage in passages:
        for values in (passage.indices, passage.x, passage.y, passage.mu, passage.longitude):
            arrays.update(np.ascontiguousarray(values).tobytes())
    names = [passage.track.name for passage in passages]
    files = sorted({frame.path for slot in series.slots for frame in slot.frames if frame is not None})
    return ResumableJob(
        kind="archive",
        options=digest(attrs, repr(view), list(map(repr, series.slots)), names, arrays.hexdigest()),
        inputs={"set of images": fingerprint_files(files, source)},
    )


def _count(source: str | Path) -> int:
    """Return how many processes are worth their start for the files below ``source``."""
    files = sum(1 for path in Path(source).rglob("*") if path.is_file())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if files < FEW_FILES else min(8, cores)


def _quality(slot: Slot, failed: set[Path], accepted: Sequence[int]) -> int:
    """Return the doubts about any channel of ``slot`` together: 0 if all are good."""
    word = 0
    for frame in slot.frames:
        lost = frame is None or frame.path in failed
        word |= 1 << NO_IMAGE if lost else doubts(frame.quality, accepted=accepted)  # type: ignore[union-attr]
    return word


def _summarise(observations: Observations, series: Series, accepted: Sequence[int]) -> Summary:
    used = [frame for slot in series.slots for frame in slot.frames if frame is not None]
    suspects = [(frame, doubts(frame.quality, accepted=accepted)) for frame in used]
    return Summary(
        frames=len(series.slots),
        cadence=series.cadence,
        channels=series.channels,
        start=series.slots[0].time,
        end=series.slots[-1].time,
        gaps=series.gaps,
        rejected=list(observations.rejected),
        other_wavelengths=Counter({w: n for w, n in observations.wavelengths.items() if w not in series.channels}),
        unmatched=series.unmatched,
        doubtful=[Rejected(frame.path, "; ".join(explain(word))) for frame, word in suspects if word],
        notes=Counter(note for frame in used for note in frame.notes),
    )


def _channels(observations: Observations, wavelengths: Sequence[int] | None) -> tuple[int, ...]:
    channels = tuple(wavelengths) if wavelengths is not None else tuple(sorted(observations.wavelengths))
    if not channels or len(set(channels)) != len(channels):
        raise ConfigError(f"wavelengths are {list(channels)}; name at least one, each once")
    return channels


def _pixel(pixel: float | None, field_of_view: float | None, width: int) -> float:
    if pixel is not None and field_of_view is not None:
        raise ConfigError("pixel and field_of_view are given; one follows from the other: give one of them")
    if field_of_view is not None:
        return field_of_view / max(width, 1)
    return View.pixel if pixel is None else pixel


def _moment(name: str, text: str | np.datetime64 | None) -> np.datetime64 | None:
    if text is None or isinstance(text, np.datetime64):
        return text
    try:
        return nanoseconds(np.datetime64(text.strip().replace(" ", "T").removesuffix("Z")))
    except ValueError:
        raise ConfigError(f"--{name} is {text!r}; write a time such as 2017-08-08 or 2017-08-08T06:00") from None
