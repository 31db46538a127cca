"""Which windows are used for training, which for validation and which for the final test.

Two windows that share a frame, or that see the same place at the same time, leak information between sides. Each kind
of split states its assumptions; windows that cross a boundary are dropped, and returned as such. No two sides ever
share a frame.

A side may be empty: an archive of later observations has windows for the test of a model and none for its training.
"""

import difflib
import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError, DataError
from framecast.core.options import parse_duration
from framecast.data.split_table import DROPPED, SIDES, Division, Split, TableSplit, divided
from framecast.data.windows import Window, WindowList
from framecast.videos.calendar import Calendar
from framecast.videos.frames import nanoseconds, span

IsoDate = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, date) else value)]
"""A date as text; YAML converts ``2017-08-12`` to a date by itself."""

Stretch = tuple[np.datetime64, np.datetime64]

_OWN_TIME = re.compile(r"(?P<date>\S+) (?P<calendar>[a-z0-9]*[a-z_]\w*)|[\d.e+]+s")
"""A time of an archive with a non-standard calendar."""


@dataclass(frozen=True, kw_only=True)
class TimeSplit(Split):
    """By time: trained on earlier windows, tested on later ones. Appropriate if sequences may overlap in space.

    Dates are ISO 8601, UTC. Those of an archive with another calendar name it, such as ``2001-02-30 360_day``; where an
    archive has no dates, they are times elapsed in seconds, such as ``5400s``. A window is on a side if all its frames
    are.

    Attributes:
        train_end: training frames are earlier than this.
        validation_start: validation frames are not earlier than this.
        validation_end: and earlier than this; by default ``test_start``, or no limit.
        test_start: test frames are not earlier than this; without it there is no test side.
        kind: identifies this kind of split in configurations.
    """

    train_end: IsoDate
    validation_start: IsoDate
    validation_end: IsoDate | None = None
    test_start: IsoDate | None = None
    kind: Literal["time"] = "time"

    def __post_init__(self) -> None:
        names = ("train_end", "validation_start", "validation_end", "test_start")
        given = [(name, value) for name in names if (value := getattr(self, name)) is not None]
        dates = [(name, parse_date(value, name)) for name, value in given if not _OWN_TIME.fullmatch(value)]
        for (earlier, first), (later, second) in pairwise(dates):
            if second < first:
                raise ConfigError(f"{later} {second} is before {earlier} {first}: put the dates in order")

    def check(self, calendar: Calendar) -> None:
        """Raise `ConfigError` if a date that a person wrote can be read in two ways."""
        own = "" if calendar.name == "none" else f" {calendar.name}"
        if not calendar.ordinary and not _OWN_TIME.fullmatch(self.train_end):
            example = f"2001-02-28{own}" if own else "5400s"
            raise ConfigError(
                f"train_end is {self.train_end}, but the archive uses the calendar {calendar.name}: write all of "
                f"them like {example}"
            )

    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side."""
        calendar = windows.calendar
        train_end = _moment(self.train_end, "train_end", calendar)
        start = _moment(self.validation_start, "validation_start", calendar)
        test = None if self.test_start is None else _moment(self.test_start, "test_start", calendar)
        end = test if self.validation_end is None else _moment(self.validation_end, "validation_end", calendar)

        def side(window: Window) -> str:
            if window.end_time < train_end:
                return "train"
            if window.start_time >= start and (end is None or window.end_time < end):
                return "validation"
            if test is not None and window.start_time >= test:
                return "test"
            return DROPPED

        return divided(windows, side)


@dataclass(frozen=True, kw_only=True)
class RegionSplit(Split):
    """By sequence: trained on some, tested on others. Appropriate if the sequences are independent.

    Attributes:
        validation: fraction of the sequences, or their names.
        test: fraction of the sequences, or their names.
        seed: which sequences make up a fraction; a sequence added to the archive moves hardly any other.
        kind: identifies this kind of split in configurations.
    """

    validation: float | tuple[str, ...] = 0.15
    test: float | tuple[str, ...] = 0.15
    seed: int = 0
    kind: Literal["region"] = "region"

    def __post_init__(self) -> None:
        fractions = [value for value in (self.validation, self.test) if not isinstance(value, tuple)]
        _check_fractions(fractions)
        if isinstance(self.validation, tuple) and isinstance(self.test, tuple):
            both = sorted(set(self.validation) & set(self.test))
            if both:
                raise ConfigError(f"{', '.join(both)} would be in validation and in test: name each sequence once")

    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side.

        Raises:
            DataError: a named sequence has no window.
        """
        names = windows.sequences
        sides = {}
        for side, value in (("validation", self.validation), ("test", self.test)):
            for name in value if isinstance(value, tuple) else ():
                if name not in names:
                    near = difflib.get_close_matches(name, names, n=1)
                    hint = f": did you mean {near[0]}?" if near else f"; there are {len(names)} sequences with windows"
                    raise DataError(f"{side} contains sequence {name}, which has no window{hint}")
                sides[name] = side
        # A name's place in the order depends on the seed and the name alone.
        free = sorted((name for name in names if name not in sides), key=lambda name: _lot(self.seed, name))
        for side, value in (("validation", self.validation), ("test", self.test)):
            if not isinstance(value, tuple) and value > 0:
                count = max(1, round(value * len(names)))
                sides |= dict.fromkeys(free[:count], side)
                free = free[count:]
        return divided(windows, lambda window: sides.get(window.sequence, "train"))


@dataclass(frozen=True, kw_only=True)
class RandomSplit(Split):
    """At random in blocks of time, the same for all sequences; windows across blocks of two sides are dropped.

    Neighbouring blocks resemble each other more than past and future do: scores are a little better than they will be
    later.

    Attributes:
        validation: fraction of the blocks.
        test: fraction of the blocks.
        block: length of a block such as ``2d``; by default four times that of a window.
        seed: which blocks.
        kind: identifies this kind of split in configurations.
    """

    validation: float = 0.15
    test: float = 0.15
    block: str | None = None
    seed: int = 0
    kind: Literal["random"] = "random"

    def __post_init__(self) -> None:
        _check_fractions([self.validation, self.test])
        if self.block is not None:
            parse_duration(self.block)

    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side.

        Raises:
            ConfigError: a block is shorter than a window.
            DataError: there is no window.
        """
        _extent(windows)
        length = max(window.end_time - window.start_time for window in windows)
        block = 4 * length if self.block is None else span(parse_duration(self.block))
        if block < length:
            raise ConfigError(f"block {self.block} is shorter than a window ({length.astype('m8[s]')}): make it longer")

        # Blocks are counted from 1970, so that an archive that has grown keeps its blocks.
        def number(time: np.datetime64) -> int:
            return int((time - np.datetime64(0, "ns")) // block)

        blocks = sorted({number(window.start_time) for window in windows}, key=lambda k: _lot(self.seed, str(k)))
        sides: dict[int, str] = {}
        for side, fraction in (("validation", self.validation), ("test", self.test)):
            count = max(1, round(fraction * len(blocks))) if fraction > 0 else 0
            sides |= dict.fromkeys([k for k in blocks if k not in sides][:count], side)

        def choose(window: Window) -> str:
            covered = range(number(window.start_time), number(window.end_time) + 1)
            found = {sides.get(k, "train") for k in covered}
            return found.pop() if len(found) == 1 else DROPPED

        return divided(windows, choose)


@dataclass(frozen=True, kw_only=True)
class AutoSplit(Split):
    """The default.

    By sequence when the archive states that its sequences are independent and there are at least ten; else by time,
    70 % to train, 15 % to validate and 15 % to test, with gaps as long as a window (shorter where the archive is).

    Attributes:
        seed: of the division by sequence.
        kind: identifies this kind of split in configurations.
    """

    seed: int = 0
    kind: Literal["auto"] = "auto"

    def resolve(self, windows: WindowList) -> TimeSplit | RegionSplit:
        """Return the kind of split that suits ``windows`` and gives each side some.

        Raises:
            DataError: the windows span too little time for three sides.
        """
        if windows.independent and len(windows.sequences) >= 10:
            return RegionSplit(seed=self.seed)
        extent = _extent(windows)
        covered = _covered(windows)
        for stretches in ([extent], covered):
            split = _in_three(windows, stretches)
            if split is not None:
                return split
        whole, window = (int(length.astype(np.int64)) for length in (_lasting(covered), _longest(windows)))
        raise DataError(
            f"the windows cover {whole / 3.6e12:g} h, too little to split by time into three parts of at least one "
            f"window ({window / 3.6e12:g} h) each: give more data, or set data.split.kind to region or random"
        )

    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side. Raises what the resolved split raises."""
        return self.resolve(windows).divide(windows)


AnySplit = Annotated[Split, OneOf(TimeSplit, RegionSplit, RandomSplit, TableSplit, AutoSplit)]


FEW = 20
"""Training windows below which a warning is due."""


def few(sides: Division, split: Split) -> str:
    """Return one line where few windows are left to train on or most are dropped: how many, why, and what gives more.

    Empty otherwise; windows that a table does not list do not count as lost.
    """
    every, train, dropped = sum(map(len, sides.values())), len(sides["train"]), len(sides[DROPPED])
    chosen = isinstance(split, TableSplit)
    if train >= FEW and (chosen or 2 * dropped <= every):
        return ""
    why = f"; {dropped} that touch two sides or the gaps between them are dropped" if dropped and not chosen else ""
    return (
        f"only {train} of {every} windows are left to train on{why}: fewer frames (data.past, data.future) or more or "
        "longer sequences give more windows"
    )


def parse_date(text: str, name: str) -> np.datetime64:
    """Return the time that ISO 8601 ``text`` names, in UTC: ``2017-08-12``, or with time of day and offset.

    Raises:
        ConfigError: it is invalid; the message calls it ``name``.
    """
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            time = time.astimezone(UTC).replace(tzinfo=None)
        return nanoseconds(np.datetime64(time))
    except (ValueError, OverflowError):
        raise ConfigError(
            f"{name} is {text!r}; write an ISO date from 1678 to 2261, such as 2017-08-12 or 2017-08-12T06:00"
        ) from None


def _moment(text: str, name: str, calendar: Calendar) -> np.datetime64:
    """Return the time that ``text`` names, on the clock of ``calendar``."""
    own = _OWN_TIME.fullmatch(text)
    if own is None:
        return parse_date(text, name)
    if (own["calendar"] or "none") != calendar.name:
        raise ConfigError(f"{name} is {text!r}, but the archive uses the calendar {calendar.name}")
    return calendar.parse(own["date"] or text)


def _extent(windows: Sequence[Window]) -> tuple[np.datetime64, np.datetime64]:
    if not windows:
        raise DataError("there is no window to split")
    return min(window.start_time for window in windows), max(window.end_time for window in windows)


def _covered(windows: Sequence[Window]) -> list[Stretch]:
    """Return the stretches of time in which there are windows, one after another."""
    found: list[Stretch] = []
    for start, end in sorted((window.start_time, window.end_time) for window in windows):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def _lasting(stretches: Sequence[Stretch]) -> np.timedelta64:
    return np.sum([end - start for start, end in stretches]).astype("m8[ns]")


def _longest(windows: Sequence[Window]) -> np.timedelta64:
    return np.max([window.end_time - window.start_time for window in windows]).astype("m8[ns]")


def _in_three(windows: WindowList, stretches: Sequence[Stretch]) -> TimeSplit | None:
    """Return three parts of the time in ``stretches`` with gaps between them; None where a part would be empty."""
    span, window = (int(length.astype(np.int64)) for length in (_lasting(stretches), _longest(windows)))
    # Each side needs one window; of what is left, gaps take at most half and the sides share the rest.
    left = span - 3 * window
    if left <= 0:
        return None
    gap = min(window, left // 4)
    spare = left - 2 * gap
    train_end = window + int(0.7 * spare)
    validation_start = train_end + gap
    validation_end = validation_start + window + int(0.15 * spare)
    second = 10**9

    def after(passed: int) -> str:
        calendar = windows.calendar
        named = "" if calendar.ordinary or calendar.name == "none" else f" {calendar.name}"
        return calendar.iso(_place(stretches, passed)) + named

    split = TimeSplit(
        train_end=after(train_end + second),
        validation_start=after(max(validation_start, train_end + second)),
        validation_end=after(validation_end + second),
        test_start=after(max(validation_end + gap, validation_end + second)),
    )
    division = split.divide(windows)
    return split if all(division[side] for side in SIDES) else None


def _place(stretches: Sequence[Stretch], passed: int) -> np.datetime64:
    """Return when so many nanoseconds of ``stretches`` have passed, rounded up to a second to keep dates readable."""
    for start, end in stretches:
        length = int((end - start).astype("m8[ns]").astype(np.int64))
        if passed <= length:
            break
        passed -= length
    else:
        start, passed = stretches[-1][0], passed + length
    return (start + np.timedelta64(passed + 10**9 - 1, "ns")).astype("datetime64[s]")


def _check_fractions(fractions: Sequence[float]) -> None:
    if any(not 0 <= value < 1 for value in fractions) or not math.fsum(fractions) < 1:
        raise ConfigError(f"fractions {list(fractions)} must lie in [0, 1) and leave something for training")


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()
