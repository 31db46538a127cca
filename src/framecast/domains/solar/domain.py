"""The domains of the Sun: names, colours, recipes and commands.

This file imports nothing that may not be installed; what reads images of the Sun is imported when it is used.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framecast.core.domain import Domain
from framecast.domains.solar import GAUSS, MAGNETIC, NAME

if TYPE_CHECKING:
    import typer
    from matplotlib.colors import Colormap

    from framecast.data.archive.reader import Archive

_RECIPES = Path(__file__).parent / "recipes"


def _recognises(attrs: Mapping[str, Any], unit: str, channels: Sequence[str]) -> bool:
    """Files that name no domain have the unit ``DN/s`` and wavelengths for channels: ``171``, ``AIA 171``."""
    names = [channel.lower().removeprefix("aia").strip(" _-") for channel in channels]
    return unit == "DN/s" and all(name.isdecimal() for name in names)


def _magnetic(attrs: Mapping[str, Any], unit: str, channels: Sequence[str]) -> bool:
    """Files that name no domain are in Gauss, or in steps of a picture of HMI's line at 6173 Å."""
    return (unit in GAUSS and all(map(str.isdecimal, channels))) or (unit == "level" and list(channels) == ["6173"])


def _magnetic_quantities() -> tuple[Any, ...]:
    from framecast.domains.solar.magnetic import MAGNETIC_QUANTITIES

    return MAGNETIC_QUANTITIES


def _colours(channel: str) -> "Colormap | None":
    from framecast.domains.solar.colours import passband_colours

    return passband_colours(channel)


def _positions(sequence: Any, times: Any) -> Mapping[str, tuple[Any, Mapping[str, str]]]:
    if "hpc_x" not in sequence.coords:
        return {}
    from framecast.domains.solar.positions import coordinates

    return coordinates(sequence, times)


def _places(sample: Any) -> tuple[str, ...]:
    names = ("past_hpc_x", "past_hpc_y", "hpc_x", "hpc_y")
    if not set(names) <= set(sample.coords):
        return ()
    past_x, past_y, x, y = (sample[name].values for name in names)
    both = zip([*past_x, *x], [*past_y, *y], strict=True)
    return tuple(f"x {west:+.0f}″, y {north:+.0f}″".replace("-", "−") for west, north in both)


def _motion(archive: "Archive") -> Callable[..., Any] | None:
    from framecast.domains.solar.rotating import can_rotate, rotation_flow

    return partial(rotation_flow, archive) if can_rotate(archive) else None


def _add_commands(app: "typer.Typer") -> None:
    from framecast.domains.solar.commands import app as commands

    app.add_typer(commands)


SOLAR = Domain(
    name=NAME,
    recognises=_recognises,
    totals=True,
    labels={
        "total": "Flux",
        "peak": "Maximum flux",
        "integral": "Fluence",
        "time_of_peak": "Time of maximum",
    },
    reasons={"masked": "off disk"},
    colours=_colours,
    positions=_positions,
    places=_places,
    motion=_motion,
    # Archives of version 0.1 call the radiometry their calibration.
    image_attributes=("pixel_arcsec", "off_limb", "rotation", "radiometry", "calibration"),
    recipes={path.stem: path for path in sorted(_RECIPES.glob("*.yaml"), key=lambda path: path.stem)},
    add_commands=_add_commands,
    packages=("aiapy", "aiohttp", "astropy", "reproject", "sunpy"),
    install="pip install 'framecast[solar]'",
)

MAGNETOGRAMS = Domain(
    name=MAGNETIC,
    recognises=_magnetic,
    quantities=_magnetic_quantities,
    reasons=SOLAR.reasons,
    positions=_positions,
    places=_places,
    motion=_motion,
    image_attributes=SOLAR.image_attributes,
)
"""Magnetic fields of the Sun: signed, so that sums give the balance of polarities and not the amount of flux."""
