"""Options that several ``framecast solar`` commands have, and how they are read."""

from typing import TYPE_CHECKING, Annotated

import typer

from framecast.core.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from framecast.domains.solar.radiometry import Radiometry

Despike = Annotated[bool, typer.Option("--despike", help="Replace hits of particles on the detector.")]
Degradation = Annotated[
    str | None,
    typer.Option(
        metavar="TABLE", help="Undo the ageing of AIA by a correction table: a file, or jsoc or ssw to fetch one."
    ),
]


def whole_numbers(option: str, text: str) -> list[int]:
    """Return whole numbers from ``193,211,94``.

    Args:
        option: the option's name, for the message.
        text: what was given.

    Raises:
        ConfigError: it is something else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{option} is {text!r}; write whole numbers with commas between, such as 193,211,94")
    return [int(part) for part in parts]


def choose_radiometry(*, despike: bool, degradation: str | None) -> "Radiometry":
    """Return the radiometry that the options ask for.

    Args:
        despike: whether hits of particles are replaced.
        degradation: the correction table, a file or a server's name; None corrects no ageing.

    Raises:
        DataError: the table cannot be read or fetched.
    """
    from framecast.domains.solar.degradation import CorrectionTable
    from framecast.domains.solar.despike import Despiking
    from framecast.domains.solar.radiometry import Radiometry

    return Radiometry(
        despiking=Despiking() if despike else None,
        degradation=None if degradation is None else CorrectionTable.read(degradation),
    )


def moment(option: str, text: str) -> "np.datetime64":
    """Return the time (UTC) that an option gives, such as ``2017-08-08`` or ``2017-08-08T06:00``.

    Args:
        option: the option's name, for the message.
        text: what was given.

    Raises:
        ConfigError: it is no time.
    """
    from framecast.domains.solar import times

    try:
        return times.moment(text)
    except ValueError:
        raise ConfigError(f"{option} is {text!r}; write {times.EXPECTED}") from None
