"""Options for solar data. Without heavy imports, so that the command line starts quickly."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from framecast.core.errors import ConfigError
from framecast.core.options import Seconds, WholeNumbers, Written

OffLimb = Literal["mask", "keep"]
Rotation = Literal["howard", "snodgrass", "allen", "rigid"]
Server = Literal["jsoc", "helioviewer"]
Origin = Literal["lower", "upper"]
Pointing = Literal["tracked", "fixed"]

CLASSES = ("quiet", "C", "M", "X")
"""The classes of Francisco et al. (2024, arXiv 2410.20843); the first is "less than the second"."""

HORIZON = 12 * 3600.0
"""Seconds after a frame within which a flare must start, as in that paper."""


def _moment(text: str) -> Any:
    from framecast.domains.solar.times import moment

    return moment(text)


def _sides(text: str) -> tuple[int, int]:
    rows, _, columns = text.lower().partition("x")
    return int(rows), int(columns or rows)


def _place(text: str) -> Any:
    from framecast.domains.solar.places import Arcsec, Stonyhurst, parse_location

    if "," not in text:
        return Stonyhurst(*parse_location(text))
    x, y = map(float, text.split(","))
    return Arcsec(x, y)


def _when(text: str) -> Any:
    from framecast.domains.solar.times import moment_or_latest

    return moment_or_latest(text)


def _numbers(count: int) -> Callable[[str], Any]:
    """Return the function that reads so many numbers separated by commas."""

    def read(text: str) -> tuple[float, ...]:
        numbers = tuple(map(float, text.split(",")))
        if len(numbers) != count:
            raise ValueError(text)
        return numbers

    return read


def _covered(text: str) -> tuple[Any, Any]:
    first, last = (_moment(part) if part.strip() else None for part in text.split(".."))
    if first is not None and last is not None and last < first:
        raise ConfigError(f"--covers is {text!r}: its end is before its start; swap them")
    return first, last


def _saturations(text: str) -> dict[int, float]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    values = {int(channel): float(value) for channel, _, value in pairs}
    if not all(value > 0 for value in values.values()):
        raise ConfigError(f"--saturation is {text!r}; values must be positive")
    return values


Moment = Annotated[Any, Written(_moment, "a time such as 2017-09-06T11:53 (UTC)")]
"""A ``numpy.datetime64``, UTC."""
When = Annotated[Any, Written(_when, "a time such as 2017-09-06T11:53 (UTC), latest, or latest-6h")]
"""A ``numpy.datetime64``, or a ``framecast.domains.solar.times.Latest``."""
Center = Annotated[
    Any, Written(_place, "x,y in arcsec such as 32,112 or -420.5,88, or a position such as N13W08", "PLACE")
]
"""A place of ``framecast.domains.solar.tables``; a pair of numbers is arcsec."""
Offset = Annotated[tuple[float, float], Written(lambda text: _place(text), "x,y in arcsec such as 20,-35", "X,Y")]
Size = Annotated[
    tuple[int, int],
    Written(_sides, "64, or rows x columns as in 64x96", write=lambda sides: "x".join(map(str, dict.fromkeys(sides)))),
]
Names = Annotated[
    tuple[str, ...], Written(lambda text: tuple(name.strip() for name in text.split(",")), write=",".join)
]


@dataclass(frozen=True, kw_only=True)
class RadiometryOptions:
    """Processing of pixels besides the division by the exposure.

    Attributes:
        despike: replace pixels hit by particles.
        degradation: correct the degradation of AIA with a table: a file, or jsoc or ssw to fetch one.
        saturation: DN of a file above which a pixel is saturated, and masked; 0 keeps all. [default: 15000 for AIA,
            where JSOC counts NSATPIX, the largest number for EIT and for files of 8 bits, none for others]
        bleeding: arcsec around a saturated pixel that are masked with it: its charge spills over.
        accept_quality: QUALITY bits that do not reject a frame; 30 marks quick-look calibration, 24 saturated pixels.
    """

    despike: bool = False
    degradation: str | None = field(default=None, metadata={"metavar": "TABLE"})
    saturation: float | None = field(default=None, metadata={"metavar": "DN"})
    bleeding: float = 1.8
    accept_quality: WholeNumbers = (24, 30)

    def __post_init__(self) -> None:
        if self.bleeding < 0 or (self.saturation is not None and self.saturation < 0):
            raise ConfigError(
                f"saturation is {self.saturation} and bleeding {self.bleeding:g}; neither may be negative"
            )


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Description of pictures without a header; see `framecast.domains.solar.disk_pictures`.

    Attributes:
        column: of the middle of the disk, from 0 for the middle of the first pixel.
        row: of it, from 0 for the uppermost.
        radius: of the disk, in pixels.
        zero: value of the file that means 0.
        step: physical unit of one step of the file's values.
        unit: physical unit.
        wavelength: the channel, in ångström.
        pattern: of the time in names, as for `datetime.strptime`; None detects it.
    """

    column: float
    row: float
    radius: float
    zero: float
    step: float
    unit: str
    wavelength: int
    pattern: str | None = None

    def __post_init__(self) -> None:
        if not (self.radius >= 8 and all(map(isfinite, (self.column, self.row, self.radius, self.zero)))):
            raise ConfigError(f"--disk has a radius of {self.radius:g} pixels; it must be a number of 8 or more")
        if self.step == 0 or not isfinite(self.step):
            raise ConfigError(f"--levels has a step of {self.step:g}; it must be a number other than 0")


@dataclass(frozen=True, kw_only=True)
class PictureOptions(RadiometryOptions):
    """Description of pictures of the Sun without a header.

    Attributes:
        disk: the files are grey pictures without a header (JPEG, PNG, TIFF), north up, that show the full disk of
            the Sun with its centre in this column and row (from 0, the top row first) and this radius, in pixels.
        levels: value of such a picture that means 0, and the physical unit of one step.
        unit: physical unit of such pictures, such as G; level is a step of the picture.
        time_pattern: pattern of the time in the names of such pictures, such as HMI.m%Y.%m.%d_%H.%M.%S.
            [default: found in the names]
    """

    disk: (
        Annotated[
            tuple[float, float, float],
            Written(_numbers(3), "column, row and radius in pixels such as 255.5,255.5,202.5", "X,Y,RADIUS"),
        ]
        | None
    ) = None
    levels: Annotated[
        tuple[float, float],
        Written(_numbers(2), "a value and a step such as 128,1", "ZERO,STEP", write="{0[0]:g},{0[1]:g}".format),
    ] = (0.0, 1.0)
    unit: str = "level"
    time_pattern: str | None = field(default=None, metadata={"metavar": "PATTERN"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.disk is None and (self.levels != (0.0, 1.0) or self.unit != "level" or self.time_pattern is not None):
            raise ConfigError("levels, unit and time_pattern apply to pictures without a header: also give --disk")

    def disk_of(self, wavelength: int) -> Disk | None:
        """Return the description of pictures of a wavelength without a header."""
        if self.disk is None:
            return None
        numbers = dict(zip(("column", "row", "radius", "zero", "step"), (*self.disk, *self.levels), strict=True))
        return Disk(**numbers, unit=self.unit, wavelength=wavelength, pattern=self.time_pattern)


@dataclass(frozen=True, kw_only=True)
class PrepareOptions(PictureOptions):
    """Options of the preparation of an archive of regions.

    Attributes:
        size: pixels of a frame: 64, or rows x columns as in 64x96.
        wavelengths: channels in ångström, such as 171 or 193,211,94. [default: all]
        start: first time (UTC); a date alone means midnight.
        end: last time (UTC), such as 2017-08-14T12:00.
        cadence: time between two frames: 12s, 30min, 2h. [default: every frame]
        pixel: side of a pixel in arcsec. [default: 4.8, two pixels of AIA's synoptic images]
        field_of_view: instead of --pixel: width of a frame, its field of view, in arcsec.
        angle: follow a region while its centre is within this many degrees of disk centre.
        longitude: also limit the distance of the centre from the central meridian, in degrees.
        latitude: also limit the distance of the centre from the equator, in degrees.
        regions: follow the regions of this table, not a grid: id, NOAA or HARPNUM; time; x and y in arcsec,
            carrington_longitude or stonyhurst_longitude and latitude in degrees, or location as N12W34.
        pointing: follow the surface, or stay fixed at x and y of --regions, also above the limb (with --off-limb keep).
        spacing: distance of neighbouring regions, in degrees on the surface. 12 follows about forty regions at a time,
            each overlapping its neighbours by about a third of its width at 64 pixels.
        minimum_frames: exclude regions seen in fewer frames.
        tolerance: largest difference between times that count as the same. [default: 1min, or half the cadence if less]
        rotation: rotation law of the surface.
        off_limb: mask the pixels beyond the limb, or keep them.
        exclude: exclude the images of these times: start and end, or one column of dates.
        strict: stop at a file that cannot be used.
        workers: processes that read files. [default: one for each core, at most 8]
        scheduler: use the workers of this dask cluster instead: tcp://HOST:8786.
    """

    size: Size = (64, 64)
    wavelengths: WholeNumbers | None = None
    start: Moment | None = None
    end: Moment | None = None
    cadence: Seconds | None = None
    pixel: float | None = None
    field_of_view: float | None = field(default=None, metadata={"flag": "--fov"})
    angle: float = 45.0
    longitude: float | None = field(default=None, metadata={"flag": "--max-longitude"})
    latitude: float | None = field(default=None, metadata={"flag": "--max-latitude"})
    regions: Path | None = field(default=None, metadata={"metavar": "CSV"})
    pointing: Pointing = "tracked"
    spacing: float = 12.0
    minimum_frames: int = field(default=12, metadata={"flag": "--min-frames", "min": 1})
    tolerance: Seconds | None = None
    rotation: Rotation = "howard"
    off_limb: OffLimb = "mask"
    exclude: Path | None = field(default=None, metadata={"metavar": "CSV"})
    strict: bool = False
    workers: int | None = field(default=None, metadata={"min": 1})
    scheduler: str | None = field(default=None, metadata={"metavar": "ADDRESS"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.size, int):
            object.__setattr__(self, "size", (self.size, self.size))
        if self.minimum_frames < 1 or (self.workers is not None and self.workers < 1):
            raise ConfigError(
                f"minimum_frames is {self.minimum_frames} and workers {self.workers}; both must be at least 1"
            )
        if self.pixel is not None and self.field_of_view is not None:
            raise ConfigError("pixel and field_of_view are given; one follows from the other: give one of them")
        if self.pointing == "fixed" and self.regions is None:
            raise ConfigError("a fixed pointing needs a position: name a table with x and y in arcsec (--regions)")
        self.view, self.picture_disk  # noqa: B018 (checks them)

    @property
    def picture_disk(self) -> Disk | None:
        """Description of pictures without a header."""
        if self.disk is not None and (self.wavelengths is None or len(self.wavelengths) != 1):
            raise ConfigError("pictures without a header do not name their channel: give one with --wavelengths, 6173")
        return self.disk_of(self.wavelengths[0] if self.wavelengths else 0)

    @property
    def view(self) -> "View":
        """The field of view of every region."""
        height, width = self.size
        pixel = self.pixel if self.field_of_view is None else self.field_of_view / max(width, 1)
        return View(height, width, 4.8 if pixel is None else pixel, self.off_limb)


@dataclass(frozen=True)
class View:
    """The frame of a region: rows, columns, the side of a pixel in arcsec, and the treatment of pixels beyond the limb.

    4.8 arcsec is the resolution at which Francisco et al. (2024, arXiv 2410.20843) train: 64 pixels span 307 arcsec, an
    active region and its surroundings, and lie entirely on the disk up to 45° from its centre.
    """

    height: int
    width: int
    pixel: float
    off_limb: OffLimb

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ConfigError(f"size is {self.height}x{self.width}; it must be at least one row and one column")
        if not 0.1 <= self.pixel <= 120:
            raise ConfigError(f"pixels of {self.pixel:g} arcsec; they must be from 0.1 to 120 arcsec")
        if self.off_limb not in ("mask", "keep"):
            raise ConfigError(f"off_limb is {self.off_limb!r}; it can be mask or keep")


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Limits of the transfer of images.

    Attributes:
        connections: parallel downloads, from 1 to 16.
        tries: attempts for each file, with growing pauses between.
        timeout: time limit of an attempt for a file.
        pause: seconds before the second attempt; doubled before each further one, up to a minute.
        silence: seconds without a byte after which an attempt ends.
        patience: longest ``Retry-After`` to wait for, in seconds.
    """

    connections: int = 4
    tries: int = 5
    timeout: Seconds = 180.0
    pause: float = 1.0
    silence: float = 30.0
    patience: float = 600.0

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= 16:
            raise ConfigError(f"connections is {self.connections}; it must be from 1 to 16")
        if self.tries < 1:
            raise ConfigError(f"tries is {self.tries}; it must be at least 1")
        for name in ("pause", "silence", "timeout", "patience"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name):g} s; it must be positive")


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Location of images on a server.

    Attributes:
        nrt: Use JSOC's near-real-time branch, which has the most recent days.
        base_url: another server of the same layout. Without it $FRAMECAST_JSOC_URL or $FRAMECAST_HELIOVIEWER_URL
            decides, else it is the observatory's own.
    """

    nrt: bool = False
    base_url: str = field(default="", metadata={"metavar": "URL"})


@dataclass(frozen=True, kw_only=True)
class FetchOptions(ServerOptions):
    """Which images are fetched, and from which server.

    Attributes:
        start: first time (UTC); a date alone means midnight.
        end: last time (UTC), such as 2017-08-14T12:00.
        wavelengths: channels in ångström, such as 171 or 193,211,94.
        cadence: time between two frames: 12min, 2h.
        source: JSOC's synoptic archive (FITS, 1024²) or Helioviewer (JPEG 2000, 4096², 8 bits).
    """

    start: Moment
    end: Moment
    wavelengths: WholeNumbers
    cadence: Seconds = 7200.0
    source: Server = "jsoc"


@dataclass(frozen=True, kw_only=True)
class PredictOptions(PictureOptions, ServerOptions):
    """Which region is predicted, and from which images.

    Attributes:
        time: time of the last past frame (UTC), such as 2024-10-08T23:57, or latest for the newest image; either
            with an offset as in latest-6h.
        center: centre of the region then: helioprojective x,y in arcsec, or N13W08 as seen from the Earth.
        region: instead of --center: the NOAA or HARP number of a region in the table --regions. With --center: its
            name.
        regions: table of regions, as for framecast solar prepare.
        offset: move the centre by this many arcsec to the west and to the north.
        pointing: follow the surface, or stay fixed at the centre, for structures above the limb.
        source: folder with the images; nothing is downloaded.
        server: server to download images from.
        future: also fetch the frames that followed, to show them with the members.
        pixel: side of a pixel in arcsec. [default: as in the model's training, else 4.8]
    """

    time: When
    center: Center | None = None
    region: str = ""
    regions: Path | None = field(default=None, metadata={"metavar": "CSV"})
    offset: Offset | None = None
    pointing: Pointing = "tracked"
    source: Path | None = field(default=None, metadata={"metavar": "DIR"})
    server: Server = "jsoc"
    future: bool = True
    pixel: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.center is None and (not self.region or self.regions is None):
            raise ConfigError(
                "no position is given: use --center x,y in arcsec, --center N13W08, or --region AR13848 with "
                "--regions TABLE"
            )
        if self.center is not None and self.regions is not None:
            raise ConfigError("--center and --regions are given; both give the position of the region: use one of them")
        if self.disk is not None and self.source is None:
            raise ConfigError("--disk applies to pictures in a folder: name it with --source")


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """Meaning of the labels of frames.

    Attributes:
        horizon: a flare counts that starts less than this time after a frame.
        classes: class names in increasing order; the first means "no such flare".
    """

    horizon: Seconds = HORIZON
    classes: Names = CLASSES


@dataclass(frozen=True, kw_only=True)
class EventOptions:
    """Source of labels.

    Attributes:
        events: list of flares, complete: columns start, peak, class and region.
        samples: instead: table of samples with HARPNUM, T and label or nextC_t2f_h, nextM_t2f_h, nextX_t2f_h.
        covers: period for which --events is complete; frames outside it get no label. [default: all time]
    """

    events: Path | None = field(default=None, metadata={"metavar": "CSV"})
    samples: Path | None = field(default=None, metadata={"metavar": "CSV"})
    covers: (
        Annotated[tuple[Any, Any], Written(_covered, "two times, such as 2012-01-01..2018-01-01", "START..END")] | None
    ) = None


@dataclass(frozen=True, kw_only=True)
class PngImportOptions:
    """Conversion of 8-bit pictures to an archive.

    Attributes:
        saturation: DN/s of the byte 255, if not that of the paper: 193=81139,211=8179,94=6099.
        origin: orientation of the pictures: lower for south in row 0, upper for north in row 0. [default: as stated in
            the pictures or the folder, else lower, as in the folders of the paper]
        cadence: time between two frames. [default: the most frequent step]
        exclude: exclude the images of these times: start and end, or one column of dates.
    """

    saturation: Annotated[dict[int, float], Written(_saturations, "such as 193=81139,211=8179")] | None = None
    origin: Origin | None = None
    cadence: Seconds | None = None
    exclude: Path | None = field(default=None, metadata={"metavar": "CSV"})
