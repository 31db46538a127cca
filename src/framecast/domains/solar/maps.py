"""sunpy in and out: a sequence of Maps as the past of a forecast, and forecasts as Maps and FITS files.

Output maps have a full world coordinate system: helioprojective, for the observer at the valid time.
``DATE-OBS`` is that valid time. The positions of future frames follow from solar rotation and from
the motion of the observer (`framecast.domains.solar.positions`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import Kind, new_folder
from framecast.core.options import format_duration
from framecast.data.archive.guard import undamaged
from framecast.data.forecasts import issue_clock, open_forecast
from framecast.domains.solar.cut import cut, cut_mask, offsets
from framecast.domains.solar.fits_header import interpret
from framecast.domains.solar.image import FrameHeader, SolarImage
from framecast.domains.solar.offline import offline
from framecast.domains.solar.options import PredictOptions, View
from framecast.domains.solar.places import Arcsec, Stonyhurst, parse_location
from framecast.domains.solar.positions import along_time, check_positions, coordinates, observed_from
from framecast.domains.solar.predict.region import find_region
from framecast.domains.solar.projection import SOLAR_RADIUS
from framecast.domains.solar.radiometry import Radiometry
from framecast.domains.solar.reader import saturation_level
from framecast.domains.solar.times import minute
from framecast.domains.solar.tracks import follow
from framecast.models.forecaster import Forecaster
from framecast.videos.frames import moments

STATISTICS = ("mean", "spread")
"""Statistics of `to_maps`, besides ``members`` and quantiles such as ``0.9``."""

_FURTHEST = 85.0
_FOLDER = Kind("folder of maps", "maps.json")


def from_map(image: Any) -> SolarImage:
    """Return a sunpy ``GenericMap`` as an observation, its pixels as float32.

    Raises:
        DataError: its metadata lack date, wavelength or pointing.
    """
    name = Path(f"<map of {image.date.isot[:19]}>")
    cards = {str(key).upper(): value for key, value in image.meta.items() if str(key).lower() not in _TEXTS}
    header = interpret(name, cards, image.data.shape, str(image.meta.get("comment", "")))
    data = np.array(image.data, np.float32)
    data[~np.isfinite(data)] = np.nan
    if image.mask is not None:
        data[np.asarray(image.mask, bool)] = np.nan
    return SolarImage(header=header, data=data, saturation=saturation_level(header, cards))


_TEXTS = ("comment", "history", "keycomments")


def past_of_maps(
    model: Forecaster,
    maps: Sequence[Any],
    *,
    center: Any,
    time: np.datetime64 | None = None,
    pixel: float | None = None,
    radiometry: Radiometry | None = None,
    pointing: str = "tracked",
) -> xr.Dataset:
    """Return the past that ``model`` needs from full-disk or partial sunpy Maps, one region followed through them.

    Args:
        model: the model, which determines channels, cadence and size.
        maps: in any order; for each frame the nearest within a tenth of the cadence is taken.
        center: middle of the region at the last frame: helioprojective x and y in arcsec, ``"N13W08"``, or a
            ``SkyCoord``.
        time: of the last frame; the newest map of the first channel by default.
        pixel: side of a pixel in arcsec; that of the model's training by default.
        radiometry: what is done to the pixels; by default saturated ones are treated as in the model's training.
        pointing: ``tracked`` or ``fixed``.

    Returns:
        ``past(time, channel, y, x)`` with ``time``, ``x``, ``y``, ``hpc_x``, ``hpc_y`` and the observer's position.

    Raises:
        DataError: a frame is missing, or a map cannot be used.
        ConfigError: the position is beyond the limb.
    """
    frames = model.frames
    images = [from_map(each) for each in maps]
    by_header = {id(image.header): image for image in images}
    lead = int(frames.past_channels[0])
    own = [image.header for image in images if image.header.wavelength == lead]
    if not own:
        raise DataError(f"no map has the wavelength {lead} Å, the model's first channel: give maps of its channels")
    last = max(own, key=lambda h: h.time) if time is None else min(own, key=lambda h: abs(h.time - time))
    slots = [
        [_nearest([i.header for i in images], int(name), moment, frames.cadence) for name in frames.past_channels]
        for moment in moments(last.time, frames.past_times)
    ]
    leaders = [slot[0] for slot in slots]
    place = _place(center, last)
    options = PredictOptions(time=last.time, center=place, pointing="fixed" if pointing == "fixed" else "tracked")
    track = find_region(last, options)
    (passage,) = follow([track], leaders, angle=_FURTHEST) or (None,)
    if passage is None or len(passage.indices) < len(leaders):
        raise DataError("the region is not within all maps of the past: choose another center, or larger maps")
    trained = model.config.training.get("images", {})
    radiometry = radiometry or Radiometry().as_in_training(trained)
    view = View(
        frames.height,
        frames.width,
        float(pixel or trained.get("pixel_arcsec") or 4.8),
        "keep" if trained.get("off_limb") == "keep" or pointing == "fixed" else "mask",
    )
    video = np.stack(
        [
            np.stack([_cut(by_header[id(header)], x, y, view, radiometry) for header in slot])
            for slot, x, y in zip(slots, passage.x, passage.y, strict=True)
        ]
    )
    arcsec = {"units": "arcsec"}
    return xr.Dataset(
        {"past": (("time", "channel", "y", "x"), video, {"units": leaders[0].final_unit})},
        coords={
            "time": np.array([header.time for header in leaders]),
            "channel": list(frames.past_channels),
            "y": ("y", offsets(view.height, view.pixel), arcsec),
            "x": ("x", offsets(view.width, view.pixel), arcsec),
            **along_time(hpc_x=passage.x, hpc_y=passage.y),
            **observed_from(leaders),
        },
        attrs={"pointing_arcsec": list(track.pointing)} if track.pointing is not None else {},
    )


def _place(center: Any, header: FrameHeader) -> Any:
    """Return a ``SkyCoord``, a position such as ``N13W08`` or a pair of arcsec as `find_region` takes it."""
    if isinstance(center, str):
        try:
            return Stonyhurst(*parse_location(center))
        except ValueError:
            raise ConfigError(f"center is {center!r}; write x and y in arcsec, or a position such as N13W08") from None
    if not hasattr(center, "transform_to"):
        return Arcsec(*map(float, center))
    import astropy.units as u
    from sunpy.coordinates import HeliographicCarrington, Helioprojective

    with offline():
        place, when = header.observer, str(header.time)
        observer = HeliographicCarrington(
            place.longitude * u.deg, place.latitude * u.deg, place.distance * u.m, obstime=when, observer="self"
        )
        seen = center.transform_to(Helioprojective(obstime=when, observer=observer))
        return Arcsec(float(seen.Tx.to_value(u.arcsec)), float(seen.Ty.to_value(u.arcsec)))


def _nearest(headers: Sequence[FrameHeader], wavelength: int, moment: np.datetime64, cadence: float) -> FrameHeader:
    """Return the header of ``wavelength`` nearest to ``moment``, if it is within a tenth of the cadence (seconds)."""
    own = [header for header in headers if header.wavelength == wavelength]
    near = min(own, key=lambda header: abs(header.time - moment), default=None)
    if near is None or abs(near.time - moment) > np.timedelta64(round(1e8 * cadence), "ns"):
        raise DataError(
            f"there is no map of {wavelength} Å at {minute(moment)}: the model sees a frame every "
            f"{format_duration(cadence)}; give a map near each of these times"
        )
    return near


def _cut(image: SolarImage, x: float, y: float, view: View, radiometry: Radiometry) -> npt.NDArray[np.float32]:
    """Return the field of view around ``x`` and ``y`` (arcsec), ``[y, x]``, saturated pixels masked."""
    pointing = image.header.pointing
    limb = image.header.observer.limb if view.off_limb == "mask" else None
    seen = cut(
        radiometry.rate(image), pointing, x, y, pixel=view.pixel, height=view.height, width=view.width, limb=limb
    )[0]
    seen[cut_mask(radiometry.spoilt(image), pointing, x, y, view)[0]] = np.nan
    return seen


def forecast_maps(model: Forecaster, maps: Sequence[Any], *, center: Any, **options: Any) -> xr.Dataset:
    """Return the ensemble that ``model`` draws from a sequence of sunpy Maps; `to_maps` makes Maps of it again.

    The options are ``time``, ``pixel``, ``radiometry`` and ``pointing`` of `past_of_maps`, and those of
    `framecast.models.forecaster.Forecaster.forecast`, such as ``members`` and ``seed``.

    Returns:
        A Dataset like a forecast file of one sample, without the sample axis: ``forecast(member, lead_time, channel,
        y, x)`` and ``past(past_time, past_channel, y, x)``.

    Raises:
        DataError: as `past_of_maps`.
    """
    own = {name: options.pop(name) for name in ("time", "pixel", "radiometry", "pointing") if name in options}
    known = past_of_maps(model, maps, center=center, **own)
    issue = known["time"].values[-1]
    exact = np.array(moments(issue, model.frames.past_times))
    ensemble = model.forecast(known["past"].assign_coords(time=exact).transpose("channel", "time", "y", "x"), **options)
    ahead = coordinates(known, issue + ensemble["lead_time"].values)
    past = known["past"].rename(time="past_time", channel="past_channel")
    found = xr.Dataset({"forecast": ensemble.drop_vars("valid_time", errors="ignore")}, attrs=ensemble.attrs)
    found["past"] = past.assign_coords(past_time=known["time"].values - issue).drop_vars(list(_MOVING), errors="ignore")
    coords: dict[str, Any] = {"issue_time": issue, "y": known["y"], "x": known["x"]}
    coords |= {name: ("lead_time", values, attrs) for name, (values, attrs) in ahead.items()}
    coords |= {f"past_{name}": ("past_time", known[name].values, known[name].attrs) for name in _MOVING}
    return found.assign_coords(coords)


_MOVING = ("hpc_x", "hpc_y", "observer_longitude", "observer_latitude", "observer_distance")


def to_maps(forecast: xr.Dataset | str | Path, *statistics: str | float, sample: int = -1) -> dict[str, list[Any]]:
    """Return a forecast as sunpy Maps, one for each frame of the future and channel, by name.

    Args:
        forecast: a forecast file of the Sun or its path, or what `forecast_maps` returns.
        statistics: ``mean``, ``spread`` (standard deviation of the members), ``members`` (each separately),
            ``observed`` (the observations, if known), or quantiles from 0 to 1. Mean and spread by default.
        sample: which window of a file; the last by default.

    Returns:
        Name (``mean``, ``spread``, ``q0.9``, ``member00`` …) -> Maps in order of channel and time.

    Raises:
        DataError: the forecast has no positions of its frames.
        ConfigError: there is no such statistic.
    """
    return {name: list(maps) for name, maps in _maps(_one(forecast, sample), statistics or STATISTICS)}


def write_maps(
    forecast: xr.Dataset | str | Path,
    out: str | Path,
    *statistics: str | float,
    sample: int = -1,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Write a forecast as FITS files that sunpy opens: one for each statistic, channel and frame of the future.

    The arguments are those of `to_maps`; ``progress`` is called with the number of files written, and of all.

    Raises:
        DataError: as `to_maps`.
        FramecastError: the folder ``out`` exists.
    """
    made = to_maps(forecast, *statistics, sample=sample)
    every, written = [(name, each) for name, maps in made.items() for each in maps], []
    with new_folder(out, overwrite=overwrite, kind=_FOLDER) as folder:
        for name, each in every:
            stamp = each.date.isot[:19].replace("-", "").replace(":", "")
            path = folder / f"{each.meta['channel']}_{name}_{stamp}.fits"
            each.save(path)
            written.append(Path(out) / path.name)
            if progress is not None:
                progress(len(written), len(every))
        (folder / _FOLDER.marker).write_text(json.dumps([path.name for path in written], indent=1) + "\n")
    return written


def _one(forecast: xr.Dataset | str | Path, sample: int) -> xr.Dataset:
    """Return one window of a forecast in memory."""
    whole = forecast if isinstance(forecast, xr.Dataset) else open_forecast(forecast)
    check_positions(whole, "the forecast" if isinstance(forecast, xr.Dataset) else str(forecast))
    if "sample" not in whole.dims:
        return whole
    clock, _ = issue_clock(whole)
    with undamaged(Path(str(forecast)) if not isinstance(forecast, xr.Dataset) else Path()):
        return whole.isel(sample=sample).load().assign_coords(issue_time=clock[sample])


def _maps(forecast: xr.Dataset, statistics: Sequence[str | float]) -> Iterator[tuple[str, Iterator[Any]]]:
    members = forecast["forecast"]
    one = members.sizes["member"] == 1
    of_members: dict[str | float, Callable[[], tuple[str, xr.DataArray]]] = {
        "mean": lambda: ("mean", members.mean("member", skipna=False)),
        "spread": lambda: ("standard deviation", members.std("member", ddof=0 if one else 1, skipna=False)),
    }
    if "truth" in forecast:
        known = forecast["truth"].notnull().any(("channel", "y", "x"))
        of_members["observed"] = lambda: ("observed", forecast["truth"].isel(lead_time=known))
    for statistic in statistics:
        if statistic == "members":
            for number in members["member"].values:
                yield f"member{int(number):02d}", _of(forecast, members.sel(member=number), f"member {int(number)}")
        elif statistic in of_members:
            name, values = of_members[statistic]()
            yield str(statistic), _of(forecast, values, name)
        else:
            level = _quantile(statistic)
            yield f"q{level:g}", _of(forecast, members.quantile(level, "member", skipna=False), f"quantile {level:g}")


def _quantile(statistic: str | float) -> float:
    try:
        level = float(statistic)
    except ValueError:
        level = float("nan")
    if not 0 <= level <= 1:
        raise ConfigError(
            f"{statistic!r} is not a statistic; it can be {', '.join(STATISTICS)}, members, observed (if the "
            "forecast file contains observations), or a quantile from 0 to 1"
        )
    return level


def _of(forecast: xr.Dataset, values: xr.DataArray, statistic: str) -> Iterator[Any]:
    """Yield the Maps of ``values`` ``(lead_time, channel, y, x)``."""
    from sunpy.map import Map

    unit = str(forecast.attrs.get("unit", ""))
    for channel in map(str, values["channel"].values):
        for lead in values["lead_time"].values:
            at = forecast.sel(lead_time=lead)
            frame = values.sel(channel=channel, lead_time=lead).transpose("y", "x")
            hours = float(lead / np.timedelta64(1, "s")) / 3600
            header = _header(at, channel, unit) | {"stat": statistic, "lead_h": hours}
            with offline():
                yield Map(frame.values.astype(np.float32), header)


def _header(at: xr.Dataset, channel: str, unit: str) -> dict[str, Any]:
    """Return the cards of one frame of the future, ``at`` its lead time."""
    x, y = (at[name].values for name in ("x", "y"))
    valid = at["issue_time"].values.astype("datetime64[ns]") + at["lead_time"].values
    cards: dict[str, Any] = {
        "ctype1": "HPLN-TAN",
        "ctype2": "HPLT-TAN",
        "cunit1": "arcsec",
        "cunit2": "arcsec",
        "crpix1": (len(x) + 1) / 2,
        "crpix2": (len(y) + 1) / 2,
        "crval1": float(at["hpc_x"]) + float(x.mean()),
        "crval2": float(at["hpc_y"]) + float(y.mean()),
        "cdelt1": float(x[1] - x[0]),
        "cdelt2": float(y[1] - y[0]),
        "date-obs": str(valid.astype("datetime64[ms]")),
        "timesys": "UTC",
        "crln_obs": float(at["observer_longitude"]) % 360,
        "crlt_obs": float(at["observer_latitude"]),
        "dsun_obs": float(at["observer_distance"]),
        "rsun_ref": SOLAR_RADIUS,
        "bunit": unit,
        "telescop": "framecast",
        "creator": f"framecast {__version__}",
        "channel": channel,
        "date-iss": str(at["issue_time"].values.astype("datetime64[s]")),
    }
    if channel.isdecimal():
        cards |= {"wavelnth": int(channel), "waveunit": "angstrom"}
    return cards | {name: at.attrs[name] for name in ("model", "created", "seed") if name in at.attrs}
