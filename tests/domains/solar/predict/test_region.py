"""Places as people give them, against sunpy."""

import re
from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from sunpy.coordinates import (
    HeliographicCarrington,
    HeliographicStonyhurst,
    Helioprojective,
    RotatedSunFrame,
    get_earth,
)

from framecast.core.errors import ConfigError, DataError
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.offline import offline
from framecast.domains.solar.options import PredictOptions
from framecast.domains.solar.places import Stonyhurst
from framecast.domains.solar.predict.region import describe_place, find_region, region_label, seen_at
from framecast.domains.solar.projection import Observer
from framecast.domains.solar.reader import read_header
from framecast.domains.solar.times import Latest, moment_or_latest

FLARE = "2024-10-09T01:56"
"""Maximum of the X1.8 flare of AR 13848, which NOAA reports at N13W08."""

ISSUE = "2024-10-08T23:57"


def from_the_earth(header: FrameHeader, time: str) -> FrameHeader:
    """Return ``header`` as that of an image taken at ``time`` from the middle of the Earth."""
    with offline():
        earth = get_earth(time)
        below = SkyCoord(earth).transform_to(HeliographicCarrington(obstime=time, observer="self"))
        observer = Observer(
            longitude=below.lon.to_value(u.deg),
            latitude=earth.lat.to_value(u.deg),
            distance=earth.radius.to_value(u.m),
        )
    return replace(header, time=np.datetime64(time, "ns"), observer=observer)


def seen(longitude: float, latitude: float, at: str, to: str) -> tuple[float, float]:
    """Where a point of the surface, in Stonyhurst degrees at one time, is seen at another in arcsec, by sunpy."""
    with offline():
        point = SkyCoord(longitude * u.deg, latitude * u.deg, frame=HeliographicStonyhurst(obstime=at))
        turned = SkyCoord(RotatedSunFrame(base=point, rotated_time=to))
        place = turned.transform_to(Helioprojective(obstime=to, observer=get_earth(to)))
        return place.Tx.to_value(u.arcsec), place.Ty.to_value(u.arcsec)


@pytest.fixture(scope="module")
def header(jsoc: Path) -> FrameHeader:
    return from_the_earth(read_header(sorted(jsoc.rglob("*.fits"))[0]), ISSUE)


@pytest.mark.parametrize("page", ["README.md", "docs/predict.md"])
def test_the_example_of_the_docs_is_where_the_flare_was(page: str) -> None:
    text = (Path(__file__).parents[4] / page).read_text(encoding="utf-8")
    time, x, y = re.search(r"solar predict sun-171 --time (\S+) --center (-?\d+),(-?\d+)", text).groups()  # type: ignore[union-attr]
    assert time == ISSUE
    expected = seen(8.0, 13.0, FLARE, time)
    # NOAA gives whole degrees, 16 arcsec near the middle of the disk.
    assert np.hypot(float(x) - expected[0], float(y) - expected[1]) < 16


def test_a_place_as_the_earth_sees_it(header: FrameHeader) -> None:
    track = find_region(header, PredictOptions(time=header.time, center=Stonyhurst(7.0, 13.0)))
    place = seen_at(track, header)
    assert place == pytest.approx(seen(7.0, 13.0, ISSUE, ISSUE), abs=0.5)
    said = describe_place(*place, header)
    assert said.startswith("N13W07, x ")
    assert "Stonyhurst longitude +7.0°" in said
    assert "latitude +13.0°" in said
    with pytest.raises(ConfigError, match="behind the limb"):
        find_region(header, PredictOptions(time=header.time, center=Stonyhurst(120.0, 13.0)))


def test_a_region_of_a_table_is_carried_to_the_time(header: FrameHeader, tmp_path: Path) -> None:
    table = tmp_path / "regions.csv"
    table.write_text(f"noaa,time,location\n13848,{FLARE},N13W08\n13849,{FLARE},S20E30\n")
    options = PredictOptions(time=header.time, region="AR13848", regions=table)
    track = find_region(header, options)
    place = seen_at(track, header)
    assert place == pytest.approx(seen(8.0, 13.0, FLARE, ISSUE), abs=1.0)
    assert (region_label(track), track.region) == ("AR13848", "13848")
    moved = seen_at(find_region(header, replace(options, offset=(20.0, -35.0))), header)
    assert (moved[0] - place[0], moved[1] - place[1]) == pytest.approx((20, -35), abs=0.01)
    with pytest.raises(DataError, match="no region 13900; it contains AR13848, AR13849"):
        find_region(header, replace(options, region="13900"))
    with pytest.raises(ConfigError, match="no position is given"):
        PredictOptions(time=header.time)


def test_above_the_limb_only_a_fixed_pointing_has_a_place(header: FrameHeader) -> None:
    options = PredictOptions(time=header.time, center=(1000.0, 300.0))
    with pytest.raises(ConfigError, match="--pointing fixed"):
        find_region(header, options)
    track = find_region(header, replace(options, pointing="fixed"))
    assert track.pointing == (1000.0, 300.0)
    assert "above the limb" in describe_place(*seen_at(track, header), header)


def test_times_may_be_the_newest_and_have_an_offset() -> None:
    assert moment_or_latest("latest") == Latest(0.0)
    assert moment_or_latest("latest-6h") == Latest(-6 * 3600.0)
    assert moment_or_latest("2024-10-08T23:57+2h") == np.datetime64("2024-10-09T01:57")
    assert moment_or_latest("2024-10-08") == np.datetime64("2024-10-08")
    with pytest.raises(ValueError, match="yesterday"):
        moment_or_latest("yesterday")
