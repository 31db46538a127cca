"""Plain spherical geometry against sunpy's coordinate frames."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from sunpy.coordinates import (
    HeliographicCarrington,
    HeliographicStonyhurst,
    Helioprojective,
    propagate_with_solar_surface,
)

from framecast.domains.solar.offline import offline
from framecast.domains.solar.projection import (
    ARCSEC,
    SOLAR_RADIUS,
    Observer,
    from_centre,
    project,
    unproject,
)
from framecast.domains.solar.tracks import days_between, drift_rate


def test_project_agrees_with_sunpy_for_any_observer() -> None:
    random = np.random.default_rng(0)
    for stonyhurst, b, distance in [(0.0, 6.3, 1.0137), (0.01, -7.2, 0.9833), (110.0, 2.0, 0.96), (-60.0, -30.0, 0.3)]:
        with offline():
            observer = HeliographicStonyhurst(
                stonyhurst * u.deg, b * u.deg, distance * u.AU, obstime="2017-08-10T12:00:00"
            )
            own = SkyCoord(observer).transform_to(HeliographicCarrington(observer="self"))
            longitude = own.lon.to_value(u.deg) + random.uniform(-85, 85, 200)
            latitude = random.uniform(-80, 80, 200)
            points = SkyCoord(
                longitude * u.deg,
                latitude * u.deg,
                SOLAR_RADIUS * u.m,
                frame=HeliographicCarrington(observer=observer, obstime=observer.obstime),
            ).transform_to(Helioprojective(observer=observer, obstime=observer.obstime))
        place = Observer(longitude=own.lon.to_value(u.deg), latitude=b, distance=distance * 149_597_870_700.0)
        x, y, mu = project(longitude, latitude, place)
        assert np.abs(x - points.Tx.to_value(u.arcsec)).max() < 1e-3
        assert np.abs(y - points.Ty.to_value(u.arcsec)).max() < 1e-3
        depth = distance * 149_597_870_700.0 - points.distance.to_value(u.m) * np.cos(from_centre(x, y) / ARCSEC)
        assert np.abs(mu - depth / SOLAR_RADIUS).max() < 1e-6


def test_following_a_point_for_a_day_agrees_with_sunpys_solar_surface() -> None:
    times = np.array(["2017-08-10T00:00", "2017-08-11T00:00"], dtype="datetime64[ns]")
    random = np.random.default_rng(1)
    latitude = random.uniform(-60, 60, 100)
    with offline():
        observers = [HeliographicStonyhurst(0 * u.deg, 6.4 * u.deg, 1.0135 * u.AU, obstime=str(time)) for time in times]
        middles = [
            SkyCoord(observer).transform_to(HeliographicCarrington(observer="self")).lon.to_value(u.deg)
            for observer in observers
        ]
        longitude = middles[0] + random.uniform(-50, 30, 100)
        start = SkyCoord(
            longitude * u.deg,
            latitude * u.deg,
            SOLAR_RADIUS * u.m,
            frame=HeliographicCarrington(observer=observers[0], obstime=observers[0].obstime),
        )
        with propagate_with_solar_surface():
            later = start.transform_to(Helioprojective(observer=observers[1], obstime=observers[1].obstime))
    drifted = longitude + drift_rate(latitude) * days_between(times[0], times)[1]
    x, y, _ = project(
        drifted, latitude, Observer(longitude=middles[1], latitude=6.4, distance=1.0135 * 149_597_870_700.0)
    )
    away = np.hypot(x - later.Tx.to_value(u.arcsec), y - later.Ty.to_value(u.arcsec))
    assert away.max() < 0.02  # arcsec: less than a hundredth of a pixel of AIA's synoptic images


def test_carrington_rate_is_the_drifts_zero() -> None:
    assert drift_rate([0.0, 45.0, -45.0], rotation="rigid") == pytest.approx(0.0, abs=1e-9)
    equator, middle, south = drift_rate([0.0, 45.0, -45.0])
    assert equator > 0 > middle == south
    assert equator == pytest.approx(np.degrees(2.894e-6) * 86400 - 14.1844)


def test_limb_is_seen_where_the_line_of_sight_is_tangent() -> None:
    observer = Observer(longitude=0.0, latitude=0.0, distance=150e9)
    angle = np.degrees(np.arccos(SOLAR_RADIUS / 150e9))  # heliocentric angle of the tangent point
    x, y, _ = project(angle, 0.0, observer)
    assert from_centre(x, y) == pytest.approx(observer.limb, abs=1e-6)


def test_unproject_is_the_inverse_of_project() -> None:
    random = np.random.default_rng(1)
    for longitude, latitude, distance in [(112.1, 6.26, 1.5167e11), (0.2, -30.0, 4.5e10)]:
        observer = Observer(longitude=longitude, latitude=latitude, distance=distance)
        radius = 0.999 * observer.limb * np.sqrt(random.random(500))
        angle = random.uniform(0, 2 * np.pi, 500)
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        there = unproject(x, y, observer)
        back = project(*there, observer)
        assert np.abs(back[0] - x).max() < 1e-6
        assert np.abs(back[1] - y).max() < 1e-6
        assert (back[2] > 0).all()  # the near side of the sphere, not the far one
    assert np.isnan(unproject(1000.0, 0.0, Observer(longitude=0.0, latitude=0.0, distance=1.5e11))).all()
