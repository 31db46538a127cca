"""From a folder of observations to an archive of regions tracked through solar rotation.

Three steps, each a value that the next one takes: `scan` and `match` say which frames there are, `grid` and `follow`
where each region is in them, and then every file is read once and all its regions are cut (`extract`). The first two
steps decide everything that is written, and which frame of which region goes where, before the first pixel is read:
frames may be done in any order, on any number of processes.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from framecast._version import __version__
from framecast.data.writer import ArchiveWriter
from framecast.errors import ConfigError, DataError
from framecast.files import ARCHIVE, refuse_existing
from framecast.solar.calibration import Calibration
from framecast.solar.catalogue import Catalogue, Gap, Rejected, Series, Slot, match, scan
from framecast.solar.cut import cut, offsets
from framecast.solar.parallel import ordered_map
from framecast.solar.quality import HARMLESS, NO_IMAGE, doubts, explain
from framecast.solar.reader import read_image
from framecast.solar.rotation import Rotation
from framecast.solar.tracks import Passage, Track, follow, grid

OffLimb = Literal["mask", "keep"]
ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class View:
    """How every region is seen.

    Attributes:
        height: rows.
        width: columns.
        pixel: side of a pixel in arcsec. The default, 4.8 arcsec, is two pixels of AIA's synoptic images and the
            resolution at which Francisco et al. (2024, arXiv 2410.20843) train: 64 pixels span 307 arcsec, an active
            region and its surroundings, and 128 pixels the paper's 614 arcsec. Up to 45° from the middle of the disk
            a square of 64 pixels lies on the disk entirely.
        off_limb: ``mask`` the pixels beyond the limb, or ``keep`` the corona seen there.
    """

    height: int = 64
    width: int = 64
    pixel: float = 4.8
    off_limb: OffLimb = "mask"

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ConfigError(f"size is {self.height}x{self.width}; it must be at least one row and one column")
        if not 0.1 <= self.pixel <= 120:
            raise ConfigError(f"pixels of {self.pixel:g} arcsec; they must measure from 0.1 to 120 arcsec")
        if self.off_limb not in ("mask", "keep"):
            raise ConfigError(f"off_limb is {self.off_limb!r}; it can be mask or keep")


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


@dataclass(frozen=True)
class Job:
    """One moment to cut: the positions (arcsec) of all regions seen then, how to calibrate it and how to see them."""

    slot: Slot
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    view: View
    calibration: Calibration


@dataclass(frozen=True)
class Extract:
    """What came of a `Job`: ``[region, channel, row, column]`` in DN/s, missing pixels per file, and failures."""

    intensity: npt.NDArray[np.float32]
    missing: tuple[int, ...]
    failed: tuple[Rejected, ...]


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
    spacing: float = 12.0,
    tracks: Sequence[Track] | None = None,
    minimum_frames: int = 12,
    rotation: Rotation = "howard",
    off_limb: OffLimb = "mask",
    calibration: Calibration = Calibration(),
    accept_quality: Sequence[int] = tuple(sorted(HARMLESS)),
    strict: bool = False,
    workers: int = 1,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> Summary:
    """Write an archive of regions tracked through solar rotation.

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
        spacing: distance of neighbouring regions, in degrees on the surface. The default of 12° follows about forty
            regions at a time, each overlapping its neighbours by about a third of its width at 64 pixels.
        tracks: the regions to follow, instead of the grid.
        minimum_frames: regions seen in fewer frames are left out.
        rotation: rotation law: howard, snodgrass, allen or rigid.
        off_limb: mask the pixels beyond the limb, or keep them.
        calibration: what is done to the pixels beside dividing by the exposure.
        accept_quality: bits of the quality word that do not make a frame doubtful.
        strict: whether a file that cannot be used is an error.
        workers: processes that read files.
        overwrite: whether an existing archive may be replaced.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        ConfigError: an option is out of range.
        DataError: nothing usable is in the folder, or (``strict``) something unusable is.
        FramecastError: the destination exists or cannot be written.
    """
    height, width = (size, size) if isinstance(size, int) else size
    view = View(height=height, width=width, pixel=_pixel(pixel, field_of_view, width), off_limb=off_limb)
    if minimum_frames < 1 or workers < 1:
        raise ConfigError(f"minimum_frames is {minimum_frames} and workers {workers}; both must be at least 1")
    refuse_existing(Path(destination), overwrite=overwrite, kind=ARCHIVE)
    catalogue = scan(source, progress=progress and (lambda done, total: progress("headers", done, total)))
    series = match(
        catalogue.frames,
        _channels(catalogue, wavelengths),
        cadence=cadence,
        tolerance=tolerance,
        start=_moment("start", start),
        end=_moment("end", end),
    )
    summary = _summarise(catalogue, series, accept_quality)
    if strict and summary.rejected:
        raise DataError(f"{len(summary.rejected)} files cannot be used; the first: {summary.rejected[0].reason}")
    leaders = [next(frame for frame in slot.frames if frame is not None) for slot in series.slots]
    if tracks is None:
        tracks = grid(leaders, angle=angle, spacing=spacing)
    passages = follow(tracks, leaders, angle=angle, rotation=rotation)
    kept = [passage for passage in passages if len(passage.indices) >= minimum_frames]
    summary.short = len(passages) - len(kept)
    if not kept:
        longest = max((len(passage.indices) for passage in passages), default=0)
        raise DataError(
            f"no region within {angle:g}° of the middle of the disk is in {minimum_frames} frames or more "
            f"(the longest is in {longest} of {len(series.slots)}): give more files, or change --angle or --min-frames"
        )
    summary.sequences, summary.region_frames = len(kept), sum(len(passage.indices) for passage in kept)
    attrs = _provenance(
        source,
        series,
        view,
        calibration,
        angle=angle,
        spacing=spacing,
        rotation=rotation,
        accepted=accept_quality,
    )
    with ArchiveWriter(
        destination,
        channels=[str(channel) for channel in series.channels],
        unit="DN/s",
        cadence=series.cadence,
        height=height,
        width=width,
        attrs=attrs,
        overwrite=overwrite,
    ) as writer:
        for passage in kept:
            _announce(writer, passage, series, view, calibration)
        _fill(
            writer,
            kept,
            series,
            view,
            calibration,
            summary,
            accept_quality,
            strict=strict,
            workers=workers,
            progress=progress,
        )
    return summary


def extract(job: Job) -> Extract:
    """Read the files of one moment, once each, and cut all regions seen in them."""
    regions, view = len(job.x), job.view
    intensity = np.full((regions, len(job.slot.frames), view.height, view.width), np.nan, np.float32)
    missing, failed = [], []
    for channel, frame in enumerate(job.slot.frames):
        if frame is None:
            continue
        try:
            image = read_image(frame.path)
        except DataError as error:
            failed.append(Rejected(frame.path, str(error)))
            continue
        missing.append(int(np.isnan(image.data).sum()))
        intensity[:, channel] = cut(
            job.calibration.rate(image),
            frame.pointing,
            job.x,
            job.y,
            pixel=view.pixel,
            height=view.height,
            width=view.width,
            limb=frame.observer.limb if view.off_limb == "mask" else None,
        )
    return Extract(intensity, tuple(missing), tuple(failed))


def _fill(
    writer: ArchiveWriter,
    passages: Sequence[Passage],
    series: Series,
    view: View,
    calibration: Calibration,
    summary: Summary,
    accepted: Sequence[int],
    *,
    strict: bool,
    workers: int,
    progress: ProgressCallback | None,
) -> None:
    """Cut every region out of every frame it is seen in."""
    seen: list[list[tuple[int, int]]] = [[] for _ in series.slots]
    for number, passage in enumerate(passages):
        for position, index in enumerate(passage.indices):
            seen[index].append((number, position))
    busy = [index for index, members in enumerate(seen) if members]
    jobs = (
        Job(
            series.slots[index],
            np.array([passages[number].x[position] for number, position in seen[index]]),
            np.array([passages[number].y[position] for number, position in seen[index]]),
            view,
            calibration,
        )
        for index in busy
    )
    for done, (index, result) in enumerate(
        zip(busy, ordered_map(extract, jobs, workers=workers), strict=True), start=1
    ):
        slot = series.slots[index]
        if result.failed and strict:
            raise DataError(result.failed[0].reason)
        summary.rejected.extend(result.failed)
        summary.missing_pixels += sum(result.missing)
        summary.files_with_missing_pixels += sum(count > 0 for count in result.missing)
        quality = _quality(slot, {item.path for item in result.failed}, accepted)
        if result.missing:
            for intensity, (number, position) in zip(result.intensity, seen[index], strict=True):
                writer.write(passages[number].track.name, position, intensity, quality=quality)
        if progress:
            progress("frames", done, len(busy))


def _quality(slot: Slot, failed: set[Path], accepted: Sequence[int]) -> int:
    """Return the doubts about any channel of ``slot`` together: 0 if all are good."""
    word = 0
    for frame in slot.frames:
        lost = frame is None or frame.path in failed
        word |= 1 << NO_IMAGE if lost else doubts(frame.quality, accepted=accepted)  # type: ignore[union-attr]
    return word


def _announce(writer: ArchiveWriter, passage: Passage, series: Series, view: View, calibration: Calibration) -> None:
    """Create the sequence of a region, with all that is known of it before its pixels are."""
    slots = [series.slots[index] for index in passage.indices]
    frames = [slot.frames for slot in slots]
    not_a_time = np.datetime64("NaT", "ns")
    time_channel = ("time", "channel")
    writer.create(
        passage.track.name,
        np.array([slot.time for slot in slots]),
        coords={
            "y": ("y", offsets(view.height, view.pixel), {"units": "arcsec", "long_name": "north of the middle"}),
            "x": ("x", offsets(view.width, view.pixel), {"units": "arcsec", "long_name": "west of the middle"}),
            "hpc_x": ("time", passage.x, {"units": "arcsec", "long_name": "helioprojective x of the middle"}),
            "hpc_y": ("time", passage.y, {"units": "arcsec", "long_name": "helioprojective y of the middle"}),
            "mu": ("time", passage.mu, {"long_name": "cosine of the heliocentric angle of the middle"}),
            "carrington_longitude": (
                "time",
                passage.longitude,
                {"units": "degree", "long_name": "Carrington longitude of the middle"},
            ),
        },
        variables={
            "observed": (
                time_channel,
                np.array([[not_a_time if f is None else f.time for f in row] for row in frames]),
                {"long_name": "start of the exposure, UTC"},
            ),
            "exposure": (
                time_channel,
                np.array([[np.nan if f is None else f.exposure for f in row] for row in frames]),
                {"units": "s", "long_name": "exposure time that was divided out"},
            ),
            "degradation": (
                time_channel,
                np.array([[np.nan if f is None else calibration.factor(f) for f in row] for row in frames]),
                {"long_name": "share of the light still registered that was divided out; 1 where none was"},
            ),
            "quality_word": (
                time_channel,
                np.array([[1 << NO_IMAGE if f is None else f.quality for f in row] for row in frames], np.int64),
                {"long_name": "QUALITY of the file, bit 31 where there is none"},
            ),
            "source": (
                time_channel,
                np.array([["" if f is None else f.path.name for f in row] for row in frames], object),
                {"long_name": "name of the file"},
            ),
        },
        attrs={
            "carrington_longitude": passage.track.longitude,
            "latitude": passage.track.latitude,
            "reference_time": str(passage.track.reference),
        },
    )


def _provenance(
    source: str | Path,
    series: Series,
    view: View,
    calibration: Calibration,
    *,
    angle: float,
    spacing: float,
    rotation: Rotation,
    accepted: Sequence[int],
) -> dict[str, Any]:
    """Return what a reader of the archive needs to know of its making."""
    import sunpy

    present = [frame for slot in series.slots for frame in slot.frames if frame is not None]
    return {
        "title": "Regions tracked through solar rotation",
        "source": Path(source).absolute().name,
        "instrument": ", ".join(sorted({frame.instrument for frame in present})),
        "history": [
            "FITS read by their headers; blank pixels masked",
            *calibration.history(per_second=present[0].per_second),
            "cut with one cubic interpolation, averaged over each pixel, solar north up",
            "pixels beyond the limb masked" if view.off_limb == "mask" else "pixels beyond the limb kept",
        ],
        "calibration": calibration.provenance(),
        "rotation": f"{rotation} (sunpy {sunpy.__version__}, sidereal)",
        "pixel_arcsec": view.pixel,
        "off_limb": view.off_limb,
        "field_of_view_arcsec": [view.height * view.pixel, view.width * view.pixel],
        "largest_heliocentric_angle_degree": angle,
        "grid_spacing_degree": spacing,
        "accepted_quality_bits": sorted(accepted),
        "tolerance_seconds": series.tolerance,
        "independent_sequences": False,
        "created_by": f"framecast {__version__}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _summarise(catalogue: Catalogue, series: Series, accepted: Sequence[int]) -> Summary:
    used = [frame for slot in series.slots for frame in slot.frames if frame is not None]
    suspects = [(frame, doubts(frame.quality, accepted=accepted)) for frame in used]
    return Summary(
        frames=len(series.slots),
        cadence=series.cadence,
        channels=series.channels,
        start=series.slots[0].time,
        end=series.slots[-1].time,
        gaps=series.gaps,
        rejected=list(catalogue.rejected),
        other_wavelengths=Counter({w: n for w, n in catalogue.wavelengths.items() if w not in series.channels}),
        unmatched=series.unmatched,
        doubtful=[Rejected(frame.path, "; ".join(explain(word))) for frame, word in suspects if word],
        notes=Counter(note for frame in used for note in frame.notes),
    )


def _channels(catalogue: Catalogue, wavelengths: Sequence[int] | None) -> tuple[int, ...]:
    channels = tuple(wavelengths) if wavelengths is not None else tuple(sorted(catalogue.wavelengths))
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
        return np.datetime64(text.strip().replace(" ", "T").removesuffix("Z"), "ns")
    except ValueError:
        raise ConfigError(f"--{name} is {text!r}; write a time such as 2017-08-08 or 2017-08-08T06:00") from None
