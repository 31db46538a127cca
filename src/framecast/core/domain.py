"""What the core needs to know of a kind of data: one `Domain` for each.

The core knows videos in physical units. What people in a field call the sum over a frame, in which colours they look at
a channel, why pixels are masked, whether a perfect forecast exists: all of that is stored in one object, which the
files of this package look up for an archive, forecast or model. `Domain()` itself is used for data without a domain.

The domains that come with framecast are listed in ``framecast.domains``. Those of other packages are entry points of
the group ``framecast.domains`` and are imported only if the environment variable ``FRAMECAST_DOMAINS`` names them:
a received file never decides which code runs.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from framecast.core.errors import ConfigError

ATTRIBUTE = "domain"
"""Attribute of archives and forecasts, and key of a model's record of its data, that names the domain."""

GROUP = "framecast.domains"
VARIABLE = "FRAMECAST_DOMAINS"


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Properties of one kind of data; every field has a default that suits any data.

    Attributes:
        name: what files carry as their ``domain``; empty for data without a domain.
        recognises: whether a file that names no domain is of this one, from its attributes, unit and channels.
        totals: whether the sum over a frame means something, as that of a brightness or a mass does; else quantities
            are made from the mean over the area.
        quantities: returns the derived quantities of this kind of data, entries as those of the catalogue
            (`framecast.verification.quantities`), which replace those of the catalogue; nothing keeps the catalogue.
        labels: names of derived quantities in this field, by their key in the catalogue of quantities.
        reasons: what this field calls the reasons for which windows are left out (`framecast.data.windows`).
        colours: matplotlib's colour map for a channel; None leaves the choice to the core.
        oracle: returns what draws the true distribution of an archive's windows, where that is known, else None. It
            is called as ``oracle(archive)(window, frames=..., members=..., seed=...)`` and returns
            ``[member, channel, time, y, x]``.
        positions: returns the position of a sequence of an archive, a Dataset, at any times ``[time]``, also after its
            last frame: name -> (values ``[time]``, attributes). Forecast files keep it for the frames seen and
            forecast.
        places: returns the position of each frame, past and future, of a sample of a forecast file, a Dataset, as
            text; nothing where it is not known.
        motion: returns a function that predicts the motion of the frames of an archive, else None. It is called as
            ``motion(archive)(window, frames=...)`` and returns the motion over the lead times in pixels per
            ``frames.cadence``, ``[2, y, x]`` along x and y, float32: an input of models that use it
            (`framecast.videos.motion.KnownMotion`); the last frame advected by it is a baseline.
        image_attributes: attributes of an archive that say how its images were made; a model remembers them.
        recipes: built-in training recipes, by name; YAML files.
        importers: functions ``(path, **options) -> Recording`` (`framecast.importers.base`) by the name that
            ``framecast import --importer`` takes.
        add_commands: adds commands to the command line, a ``typer.Typer``.
        packages: modules that only this domain needs and that may not be installed.
        install: the command that installs them.
    """

    name: str = ""
    recognises: Callable[[Mapping[str, Any], str, Sequence[str]], bool] = lambda attrs, unit, channels: False
    totals: bool = False
    quantities: Callable[[], tuple[Any, ...]] = tuple
    labels: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    colours: Callable[[str], Any] = lambda channel: None
    oracle: Callable[[Any], Callable[..., Any] | None] = lambda archive: None
    positions: Callable[[Any, Any], Mapping[str, tuple[Any, Mapping[str, str]]]] = lambda sequence, times: {}
    places: Callable[[Any], Sequence[str]] = lambda sample: ()
    motion: Callable[[Any], Callable[..., Any] | None] = lambda archive: None
    image_attributes: tuple[str, ...] = ()
    recipes: Mapping[str, Path] = field(default_factory=dict)
    importers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    add_commands: Callable[[Any], None] = lambda app: None
    packages: tuple[str, ...] = ()
    install: str = ""


def built_in_domains() -> tuple[Domain, ...]:
    """Return the domains of this package."""
    return import_module(GROUP).DOMAINS


def domains() -> tuple[Domain, ...]:
    """Return the domains of this package, then those of other packages that ``FRAMECAST_DOMAINS`` names.

    Raises:
        ConfigError: a domain is named that is not installed, cannot be imported, or is not a `Domain`.
    """
    wanted = os.environ.get(VARIABLE, "")
    return _load(tuple(name.strip() for name in wanted.split(",") if name.strip()))


def find_domain(attrs: object, *, unit: str, channels: Sequence[str]) -> Domain:
    """Return the domain of an archive, a forecast or a model; a `Domain` with its name where it is unknown.

    Args:
        attrs: its attributes, a mapping; anything else counts as none. ``domain`` names the domain; without it the
            rules of the domains decide, which recognise files written before domains were stored.
        unit: physical unit of the videos.
        channels: names of the channels.
    """
    attrs = attrs if isinstance(attrs, Mapping) else {}
    named = attrs.get(ATTRIBUTE)
    if isinstance(named, str) and named:
        return next((domain for domain in domains() if domain.name == named), Domain(name=named))
    return next((domain for domain in domains() if domain.recognises(attrs, unit, channels)), Domain())


@cache
def _load(plugins: tuple[str, ...]) -> tuple[Domain, ...]:
    return (*built_in_domains(), *(_plugin(name) for name in plugins))


def _plugin(name: str) -> Domain:
    from importlib.metadata import entry_points  # only needed for plug-ins

    found = entry_points(group=GROUP, name=name)
    if not found:
        known = ", ".join(sorted(entry.name for entry in entry_points(group=GROUP))) or "none"
        raise ConfigError(
            f"{VARIABLE} names the domain {name!r}, which is not installed (installed: {known}): install the package "
            "that provides it, or correct the variable"
        )
    try:
        domain = next(iter(found)).load()
    except Exception as error:  # third-party code may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"the domain {name!r} that {VARIABLE} names cannot be imported: {reason}") from error
    if not isinstance(domain, Domain):
        raise ConfigError(
            f"the domain {name!r} is a {type(domain).__name__}; it must be a framecast.core.domain.Domain"
        )
    return domain
