"""Which windows are learnt from, which are looked at while learning, and which are kept for the end.

Two windows that share a frame, or that see the same place at the same time, tell each other's answer. Each way of
dividing states what it relies on; windows that would straddle two sides are dropped, and returned as such. No two
sides ever share a frame.

A side may be empty: an archive of later observations has windows for the test of a model and none for its training.
"""

import difflib
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator

from framecast.core.configuration import OneOf
from framecast.core.errors import ConfigError, DataError
from framecast.core.options import parse_duration
from framecast.data.split_table import DROPPED, SIDES, Division, Split, TableSplit
from framecast.data.windows import Window, WindowList
from framecast.videos.frames import nanoseconds

IsoDate = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, date) else value)]
"""A date as text; YAML reads ``2017-08-12`` as a date before anyone asks."""


@dataclass(frozen=True, kw_only=True)
class TimeSplit(Split):
    """By time: the future is forecast with what was learnt from the past. Right where sequences may overlap in space.

    Dates are ISO 8601, UTC. A window is on a side if all its frames are.

    Attributes:
        train_end: training frames are earlier than this.
        validation_start: validation frames are not earlier than this.
        validation_end: and earlier than this; by default ``test_start``, or no limit.
        test_start: test frames are not earlier than this; without it there is no test side.
        kind: tells the ways of dividing apart in a configuration.
    """

    train_end: IsoDate
    validation_start: IsoDate
    validation_end: IsoDate | None = None
    test_start: IsoDate | None = None
    kind: Literal["time"] = "time"

    def __post_init__(self) -> None:
        names = ("train_end", "validation_start", "validation_end", "test_start")
        given = [(name, parse_date(value, name)) for name in names if (value := getattr(self, name)) is not None]
        for (earlier, first), (later, second) in pairwise(given):
            if second < first:
                raise ConfigError(f"{later} {second} is before {earlier} {first}: put the dates in order")

    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side."""
        train_end = parse_date(self.train_end, "train_end")
        start = parse_date(self.validation_start, "validation_start")
        test = None if self.test_start is None else parse_date(self.test_start, "test_start")
        end = test if self.validation_end is None else parse_date(self.validation_end, "validation_end")

        def side(window: Window) -> str:
            if window.end_time < train_end:
                return "train"
            if window.start_time >= start and (end is None or window.end_time < end):
                return "validation"
            if test is not None and window.start_time >= test:
                return "test"
            return DROPPED

        return _divide(windows, side)


@dataclass(frozen=True, kw_only=True)
class RegionSplit(Split):
    """By sequence: what was learnt on some is tried on others. Right where no two sequences show the same thing.

    Attributes:
        validation: fraction of the sequences, or their names.
        test: fraction of the sequences, or their names.
        seed: which sequences make up a fraction; a sequence added to the archive moves hardly any other.
        kind: tells the ways of dividing apart in a configuration.
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
                    raise DataError(f"{side} names sequence {name}, which has no window{hint}")
                sides[name] = side
        # A name's place in the order depends on the seed and the name alone.
        free = sorted((name for name in names if name not in sides), key=lambda name: _lot(self.seed, name))
        for side, value in (("validation", self.validation), ("test", self.test)):
            if not isinstance(value, tuple) and value > 0:
                count = max(1, round(value * len(names)))
                sides |= dict.fromkeys(free[:count], side)
                free = free[count:]
        return _divide(windows, lambda window: sides.get(window.sequence, "train"))


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
        kind: tells the ways of dividing apart in a configuration.
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
        block = 4 * length if self.block is None else np.timedelta64(round(parse_duration(self.block) * 1e9), "ns")
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

        return _divide(windows, choose)


@dataclass(frozen=True, kw_only=True)
class AutoSplit(Split):
    """What is right when nothing is said.

    By sequence when the archive states that its sequences are independent and there are at least ten; else by time,
    70 % to train, 15 % to validate and 15 % to test, with gaps as long as a window (shorter where the archive is).

    Attributes:
        seed: of the division by sequence.
        kind: tells the ways of dividing apart in a configuration.
    """

    seed: int = 0
    kind: Literal["auto"] = "auto"

    def resolve(self, windows: WindowList) -> TimeSplit | RegionSplit:
        """Return the way of dividing that suits ``windows`` and gives each side some.

        Raises:
            DataError: the windows span too little time for three sides.
        """
        if windows.independent and len(windows.sequences) >= 10:
            return RegionSplit(seed=self.seed)
        first, last = _extent(windows)
        span = int((last - first).astype("m8[ns]").astype(np.int64))
        window = max(int((w.end_time - w.start_time).astype("m8[ns]").astype(np.int64)) for w in windows)
        # Each side needs one window; of what is left, gaps take at most half and the sides share the rest.
        left = span - 3 * window
        gap = max(0, min(window, left // 4))
        spare = left - 2 * gap
        train_end = window + int(0.7 * spare)
        validation_start = train_end + gap
        validation_end = validation_start + window + int(0.15 * spare)
        second = 10**9
        split = TimeSplit(
            train_end=_after(first, train_end + second),
            validation_start=_after(first, max(validation_start, train_end + second)),
            validation_end=_after(first, validation_end + second),
            test_start=_after(first, max(validation_end + gap, validation_end + second)),
        )
        division = split.divide(windows) if left > 0 else {}
        if not all(division.get(side) for side in SIDES):
            raise DataError(
                f"the windows span {span / 3.6e12:g} h, too little to split by time into three parts of at least one "
                f"window ({window / 3.6e12:g} h) each: give more data, or set data.split.kind to region or random"
            )
        return split

    def divide(self, windows: WindowList) -> Division:
        """Return the windows of each side. Raises what the resolved way of dividing raises."""
        return self.resolve(windows).divide(windows)


AnySplit = Annotated[Split, OneOf(TimeSplit, RegionSplit, RandomSplit, TableSplit, AutoSplit)]


def parse_date(text: str, name: str) -> np.datetime64:
    """Return the time that ISO 8601 ``text`` names, in UTC: ``2017-08-12``, or with time of day and offset.

    Raises:
        ConfigError: it is none; the message calls it ``name``.
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


def _divide(windows: WindowList, side: Callable[[Window], str]) -> Division:
    chosen: dict[str, list[Window]] = {name: [] for name in (*SIDES, DROPPED)}
    for window in windows:
        chosen[side(window)].append(window)
    return {name: replace(windows, windows=tuple(part)) for name, part in chosen.items()}


def _extent(windows: Sequence[Window]) -> tuple[np.datetime64, np.datetime64]:
    if not windows:
        raise DataError("there is no window to split")
    return min(window.start_time for window in windows), max(window.end_time for window in windows)


def _after(first: np.datetime64, nanoseconds: int) -> str:
    # Whole seconds, rounded up, keep the dates readable.
    return str((first + np.timedelta64(nanoseconds + 10**9 - 1, "ns")).astype("datetime64[s]"))


def _check_fractions(fractions: Sequence[float]) -> None:
    if any(not 0 <= value < 1 for value in fractions) or not math.fsum(fractions) < 1:
        raise ConfigError(f"fractions {list(fractions)} must lie in [0, 1) and leave something for training")


def _lot(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()
