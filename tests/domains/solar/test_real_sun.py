"""Tracking on real observations: successive frames agree best when the Sun's rotation is followed."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from framecast.domains.solar.cut import cut
from framecast.domains.solar.observations import match, scan
from framecast.domains.solar.reader import read_header, read_image
from framecast.domains.solar.tracks import follow, grid

pytestmark = pytest.mark.thorough

STEP = 6  # hours


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Mean correlation of √intensity between the regions of two frames."""
    pairs = zip(np.sqrt(first.clip(0)), np.sqrt(second.clip(0)), strict=True)
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))


def test_correlation_falls_when_tracking_is_off_or_reversed(real_data: Path) -> None:
    paths = sorted((real_data / "aia171-fulldisk-2017").rglob("*.fits"))[20 : 20 + STEP + 1 : STEP]
    images = [read_image(path) for path in paths]
    frames = [image.header for image in images]
    seen = [p for p in follow(grid(frames, angle=45.0, spacing=12.0), frames, angle=45.0) if len(p.indices) == 2]
    assert len(seen) > 30
    x, y = np.array([p.x for p in seen]).T, np.array([p.y for p in seen]).T
    view = {"pixel": 4.8, "height": 64, "width": 64}
    before = cut(images[0].rate, frames[0].pointing, x[0], y[0], **view)

    def after(share: float) -> float:
        there = x[0] + share * (x[1] - x[0]), y[0] + share * (y[1] - y[0])
        return likeness(before, cut(images[1].rate, frames[1].pointing, *there, **view))

    followed, standing, reversed_ = after(1.0), after(0.0), after(-1.0)
    assert followed > 0.75
    assert standing < followed - 0.3
    assert reversed_ < standing - 0.1
    assert max(after(0.9), after(1.1)) < followed  # a tenth too slow or too fast is worse already


def test_headers_place_the_observer_where_sunpy_does(real_data: Path) -> None:
    """JSOC's CRLN_OBS leaves out the 8 minutes the light travels (0.08°): a constant, which no tracking sees."""
    import astropy.units as u
    from sunpy.coordinates.sun import B0, L0

    from framecast.domains.solar.offline import offline

    headers = [read_header(path) for path in sorted((real_data / "aia171-fulldisk-2017").rglob("*.fits"))[::20]]
    with offline():
        times = [str(header.time) for header in headers]
        east = np.array([h.observer.longitude - L0(t).to_value(u.deg) for h, t in zip(headers, times, strict=True)])
        north = np.array([h.observer.latitude - B0(t).to_value(u.deg) for h, t in zip(headers, times, strict=True)])
    per_degree = np.radians(1) * headers[0].observer.limb  # arcsec in the middle of the disk
    assert np.median(east) == pytest.approx(13.2 * 8.4 / 1440, abs=0.01)
    assert np.ptp(east) * per_degree < 0.48  # a tenth of a pixel of 4.8 arcsec: the orbit of SDO about the Earth
    assert np.abs(north).max() * per_degree < 0.48


def test_eit_is_rolled_by_half_a_turn_and_its_scale_is_eightfold(real_data: Path) -> None:
    observations = scan(real_data / "eit-2004-03-01")
    series = match(observations.frames, [195])
    frames = [slot.frames[0] for slot in series.slots]
    assert [gap.frames for gap in series.gaps] == [1, 1]
    seen = follow(grid(frames, angle=50.0, spacing=12.0), frames, angle=50.0)
    seen = [p for p in seen if 0 in p.indices and 6 in p.indices]
    images = [read_image(frames[k].path) for k in (0, 6)]
    x, y = np.array([p.x[[0, 6]] for p in seen]).T, np.array([p.y[[0, 6]] for p in seen]).T
    view = {"pixel": 21.04, "height": 15, "width": 15}
    before = cut(images[0].data, frames[0].pointing, x[0], y[0], **view)

    def after(share: float) -> float:
        there = x[0] + share * (x[1] - x[0]), y[0] + share * (y[1] - y[0])
        second = cut(images[1].data, frames[6].pointing, *there, **view)
        whole = np.isfinite(before + second).all(axis=(1, 2))
        return likeness(before[whole], second[whole])

    assert after(1.0) > 0.75
    assert max(after(-1.0), after(0.0), after(0.5), after(1.5)) < after(1.0) - 0.1


@pytest.mark.slow
@pytest.mark.parametrize(("hours", "agreement"), [(1, 0.995), (12, 0.93)])
def test_cut_is_the_one_reproject_makes_on_sunpys_moving_surface(
    real_data: Path, hours: int, agreement: float, record_property: Callable[[str, object], None]
) -> None:
    """reproject bends the later image back into the earlier perspective; a tracked cut moves a rigid frame along.

    What remains between the two is the foreshortening that changes meanwhile, and the kernels of interpolation.
    """
    import astropy.units as u
    import sunpy.map
    from astropy.coordinates import SkyCoord
    from sunpy.coordinates import Helioprojective, propagate_with_solar_surface

    from framecast.domains.solar.offline import offline

    paths = sorted((real_data / "aia171-fulldisk-2017").rglob("*.fits"))
    first, last = paths[20], paths[20 + hours]
    frames, image = [read_header(first), read_header(last)], read_image(last)
    passages = [p for p in follow(grid(frames, angle=25.0, spacing=12.0), frames, angle=25.0) if len(p.indices) == 2]
    size, pixel = 128, 2.4
    found = []
    with warnings.catch_warnings(), offline():
        warnings.simplefilter("ignore")
        start, end = sunpy.map.Map(first), sunpy.map.Map(last)
        for passage in passages:
            there = SkyCoord(passage.x[0] * u.arcsec, passage.y[0] * u.arcsec, frame=start.coordinate_frame)
            later = Helioprojective(observer=end.observer_coordinate, obstime=end.observer_coordinate.obstime)
            target = sunpy.map.make_fitswcs_header((size, size), there, scale=[pixel, pixel] * u.arcsec / u.pix)
            with propagate_with_solar_surface():
                moved = there.transform_to(later)
                theirs = end.reproject_to(target, order="bicubic").data / frames[1].exposure
            view = {"pixel": pixel, "height": size, "width": size}
            ours = cut(image.rate, frames[1].pointing, [passage.x[1]], [passage.y[1]], **view)[0]
            away = np.hypot(moved.Tx.to_value(u.arcsec) - passage.x[1], moved.Ty.to_value(u.arcsec) - passage.y[1])
            alike = np.corrcoef(np.sqrt(ours.clip(0)).ravel(), np.sqrt(theirs.clip(0)).ravel())[0, 1]
            found.append((float(away), float(alike), float(np.abs(ours - theirs).mean() / ours.mean())))
    away, alike, difference = np.array(found).T
    record_property(
        "arcsec, correlation, relative difference", f"{away.max():.3f} {alike.mean():.4f} {difference.mean():.4f}"
    )
    print(hours, away.max(), alike.min(), alike.mean(), difference.mean())
    assert away.max() < 0.24
    assert alike.mean() > agreement
