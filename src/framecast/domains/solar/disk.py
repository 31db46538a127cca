"""The whole disk out of forecasts of many regions: tiles blended where they overlap, members matched between them.

The members of two regions are drawn independently: member 3 of one may flare while member 3 of its neighbour stays
quiet, and where they overlap they contradict each other. So tiles are added one after the other, from the disk centre
outwards, and the members of each are assigned one to one to the existing ones, so that the squared differences in the
overlap are smallest (the assignment problem; Kuhn 1955, Naval Research Logistics Quarterly 2, 83). Every member stays a
possible future of each region; only their combination is chosen. Across overlaps tiles are blended with weights that
fall to zero at their edges (a raised cosine).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from framecast.core.errors import DataError
from framecast.data.archive.guard import undamaged
from framecast.data.forecasts import issue_clock, open_forecast
from framecast.domains.solar.positions import check_positions

Values = npt.NDArray[np.float32]

_MOST_BYTES = 4 * 2**30
_MINUTE = np.timedelta64(60, "s")


@dataclass(frozen=True)
class _Tile:
    """A forecast on the pixels of the disk: ``values[member, lead_time, channel, y, x]`` from row and column on."""

    row: int
    column: int
    values: Values
    weight: Values


def whole_disk(forecast: str | Path) -> xr.Dataset:
    """Return the newest forecasts of all regions in a file as one of the disk.

    Prepare a grid of regions that overlap (the default of ``framecast solar prepare``), forecast all of them from one
    time (``framecast forecast … --latest``), and give the file. `framecast.domains.solar.maps.to_maps` takes what is
    returned.

    Returns:
        ``forecast(member, lead_time, channel, y, x)`` like the file's, ``x`` and ``y`` in arcsec from the middle of the
        disk, NaN outside all regions.

    Raises:
        DataError: the file has no positions of its frames, or the disk exceeds 4 GiB.
    """
    whole = open_forecast(forecast)
    check_positions(whole, str(forecast))
    clock, _ = issue_clock(whole)
    chosen = np.flatnonzero(np.abs(clock - clock.max()) <= _MINUTE)
    pixel = float(whole["x"][1] - whole["x"][0])
    places = np.stack([whole["hpc_x"].values[chosen], whole["hpc_y"].values[chosen]], axis=-1)  # [tile, lead, axis]
    reach = np.abs(places).max() + pixel * max(whole.sizes["x"], whole.sizes["y"]) / 2
    side = 2 * int(np.ceil(reach / pixel) + 1)
    names = ("member", "lead_time", "channel")
    shape = (*(whole.sizes[name] for name in names), side, side)
    if 8 * np.prod(shape) > _MOST_BYTES:
        raise DataError(
            f"the disk would take {8 * np.prod(shape) / 2**30:.1f} GiB ({side}² pixels, {whole.sizes['member']} "
            "members): forecast fewer members, or prepare larger pixels"
        )
    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for k in np.argsort(np.hypot(*places[:, 0].T)):
        with undamaged(Path(forecast)):
            members = whole["forecast"].isel(sample=int(chosen[k])).transpose(*names, "y", "x").values
        _put(total, weight, [_placed(members[:, [lead]], place, pixel, side) for lead, place in enumerate(places[k])])
    values = np.divide(total, weight, out=np.full(shape, np.nan, np.float32), where=weight > 1e-3)
    offsets = (np.arange(side) - (side - 1) / 2) * pixel
    one = whole.isel(sample=int(chosen[-1]))
    observers = {name: one[name] for name in one.coords if str(name).startswith("observer_")}
    still = ("lead_time", np.zeros(whole.sizes["lead_time"]), {"units": "arcsec"})
    coords: dict[str, Any] = {name: whole[name] for name in names}
    coords |= {"x": ("x", offsets, {"units": "arcsec"}), "y": ("y", offsets, {"units": "arcsec"})}
    attrs = {**whole.attrs, "tiles": len(chosen)}
    found = xr.Dataset({"forecast": ((*names, "y", "x"), values)}, coords=coords, attrs=attrs)
    return found.assign_coords({"issue_time": clock.max(), "hpc_x": still, "hpc_y": still, **observers})


def _placed(members: Values, place: npt.NDArray[np.float64], pixel: float, side: int) -> _Tile:
    """Return ``members[member, 1, channel, y, x]`` around ``place`` (arcsec) on the pixels of the disk."""
    height, width = members.shape[-2:]
    # Where the first pixel of the tile is, in pixels of the disk; the rest of it, below 1, is interpolated away.
    corner = place[::-1] / pixel + (side - 1) / 2 - (np.array([height, width]) - 1) / 2
    start = np.ceil(corner).astype(int)
    rows, columns = np.mgrid[: height - 1, : width - 1] + (start - corner)[:, None, None]
    flat = members.reshape(-1, height, width)
    moved = np.stack([ndimage.map_coordinates(own, [rows, columns], order=1, mode="nearest") for own in flat])
    values = moved.reshape(*members.shape[:-2], height - 1, width - 1)
    taper = np.outer(*(np.sin(np.pi * (np.arange(count - 1) + 0.5) / (count - 1)) ** 2 for count in (height, width)))
    known = np.isfinite(values)
    weight = np.where(known, np.maximum(taper, 1e-2), 0.0).astype(np.float32)
    return _Tile(int(start[0]), int(start[1]), np.where(known, values, 0.0).astype(np.float32), weight)


def _put(total: Values, weight: Values, tiles: Sequence[_Tile]) -> None:
    """Add a region, one tile for each lead time, with its members in the order that matches the existing ones."""
    cost = np.zeros((len(total), len(total)))
    for lead, tile in enumerate(tiles):
        there, own = _window(total, lead, tile), _window(weight, lead, tile)
        both = (own > 0).all(axis=0) & (tile.weight[:, 0] > 0).all(axis=0)
        if both.any():
            placed, new = (there[:, both] / own[:, both]).astype(np.float64), tile.values[:, 0][:, both]
            cost += (placed**2).sum(1)[:, None] + (new.astype(np.float64) ** 2).sum(1)[None] - 2 * placed @ new.T
    _, order = linear_sum_assignment(cost)
    for lead, tile in enumerate(tiles):
        _window(total, lead, tile)[:] += (tile.values * tile.weight)[order, 0]
        _window(weight, lead, tile)[:] += tile.weight[order, 0]


def _window(values: Values, lead: int, tile: _Tile) -> Values:
    """Return the part of ``values[member, lead_time, channel, y, x]`` that a tile covers, as a view."""
    height, width = tile.values.shape[-2:]
    return values[:, lead, :, tile.row : tile.row + height, tile.column : tile.column + width]
