"""How values of options are written where their type does not determine it: durations, lists of numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar

from framecast.core.errors import ConfigError

_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Written:
    """A mark in the annotation of a field: ``Annotated[float, Written(parse_duration, "a duration such as 2h")]``.

    Attributes:
        read: returns the value of a text; it raises ``ValueError`` for an invalid text.
        expected: what to write, for messages.
        metavar: how a value is shown in the help.
        write: returns the text of a value, for the help.
        repeated: whether the option is given once for each part; ``read`` is given all the texts.
    """

    read: Callable[[Any], Any]
    expected: str = ""
    metavar: str | None = None
    write: Callable[[Any], str] = str
    repeated: bool = False


T = TypeVar("T")


def options_of(kind: type[T], given: Mapping[str, Any]) -> T:
    """Return the dataclass of options ``kind`` with the fields ``given``.

    Raises:
        ConfigError: it has no such field, or a value is not possible.
    """
    known = sorted(field.name for field in fields(kind))  # type: ignore[arg-type]
    if unknown := sorted(set(given) - set(known)):
        raise ConfigError(f"{', '.join(unknown)} cannot be set: known are {', '.join(known)}")
    return kind(**given)


def parse_duration(text: str | float) -> float:
    """Return seconds from ``"12s"``, ``"5min"``, ``"2h"``, ``"1.5d"`` or a number of seconds.

    Raises:
        ConfigError: the text is none of these, or not positive.
    """
    number, unit = str(text).strip(), "s"
    for name in sorted(_UNITS, key=len, reverse=True):
        if number.endswith(name):
            number, unit = number[: -len(name)], name
            break
    try:
        seconds = float(number) * _UNITS[unit]
    except ValueError:
        seconds = float("nan")
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"{text!r} is not a duration: write a number and s, min, h or d, such as 12s, 5min or 2h")
    return seconds


def parse_offset(text: str | float) -> float:
    """Return seconds from a signed duration: ``"-12h"``, ``"+30min"``, ``"0h"``.

    Raises:
        ConfigError: it is invalid.
    """
    plain = str(text).strip()
    size = plain.lstrip("+-")
    if size.rstrip("smindh").strip("0.") == "" and any(digit == "0" for digit in size):
        return 0.0
    return parse_duration(size) * (-1.0 if plain.startswith("-") else 1.0)


def format_duration(seconds: float) -> str:
    """Return the shortest exact way to write ``seconds``: ``7200`` is ``"2h"``. The inverse of `parse_duration`."""
    for unit in ("d", "h", "min"):
        count = seconds / _UNITS[unit]
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds:g}s"


def format_offset(seconds: float) -> str:
    """Return the shortest exact way to write signed ``seconds``: ``-12h``, ``0h``. The inverse of `parse_offset`."""
    return "0h" if seconds == 0 else f"{'-' if seconds < 0 else ''}{format_duration(abs(seconds))}"


def whole_numbers(text: str) -> tuple[int, ...]:
    """Return whole numbers from ``193,211,94``.

    Raises:
        ValueError: it is invalid.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(text)
    return tuple(map(int, parts))


WholeNumbers = Annotated[
    tuple[int, ...],
    Written(
        whole_numbers,
        "whole numbers separated by commas, such as 193,211,94",
        "A,B,...",
        lambda numbers: ",".join(map(str, numbers)),
    ),
]

Seconds = Annotated[float, Written(parse_duration, write=format_duration)]
"""A duration, written as in ``2h``."""
