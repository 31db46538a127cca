"""Where catalogues say that something was."""

import numpy as np
import pytest

from framecast.core.errors import DataError
from framecast.data.tables import Record
from framecast.domains.solar.places import Arcsec, Stonyhurst
from framecast.domains.solar.tables import read_place, seen_from_earth


def test_a_line_may_say_it_in_three_ways() -> None:
    assert read_place(Record("t", {"x": "-12.5", "y": "3"})) == Arcsec(-12.5, 3.0)
    assert read_place(Record("t", {"stonyhurst": "34", "latitude": "-9"})) == Stonyhurst(34.0, -9.0)
    assert read_place(Record("t", {"location": "S09W34"})) == Stonyhurst(34.0, -9.0)
    assert read_place(Record("t", {"x": "1"})) is None
    with pytest.raises(DataError, match="it must be from -90 to 90"):
        read_place(Record("t", {"stonyhurst": "0", "latitude": "91"}))
    with pytest.raises(DataError, match="write a position such as N12W34"):
        read_place(Record("t", {"location": "here"}))


def test_degrees_are_seen_where_sunpy_sees_them() -> None:
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from sunpy.coordinates import HeliographicStonyhurst, Helioprojective, get_earth

    from framecast.domains.solar.offline import offline

    times = np.array(["2017-09-06T12:00", "2024-03-01T06:30"], "datetime64[ns]")
    places = [Stonyhurst(34.0, -9.0), Arcsec(1.0, 2.0)]
    seen = seen_from_earth([*places, Stonyhurst(120.0, 0.0)], np.array([*times, times[0]]))
    with offline():
        frame = HeliographicStonyhurst(obstime=str(times[0]))
        point = SkyCoord(34 * u.deg, -9 * u.deg, 695_700 * u.km, frame=frame)
        there = point.transform_to(Helioprojective(observer=get_earth(str(times[0])), obstime=str(times[0])))
    assert seen[0] == pytest.approx([there.Tx.to_value("arcsec"), there.Ty.to_value("arcsec")], abs=0.1)
    assert seen[1].tolist() == [1.0, 2.0]
    assert np.isnan(seen[2]).all()  # behind the limb
    assert seen_from_earth([], times[:0]).shape == (0, 2)
