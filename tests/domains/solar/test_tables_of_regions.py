"""Regions from tables: the same place however it is written, and paths through daily positions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive
from framecast.domains.solar.image import FrameHeader
from framecast.domains.solar.observations import scan
from framecast.domains.solar.places import parse_location
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.tables import Observers, read_regions
from framecast.domains.solar.tracks import Fix, Track, follow, grid

HOURS = [0.0, 12.0, 24.0, 36.0, 48.0]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory, write_sun: Callable[..., list[Path]]) -> list[FrameHeader]:
    folder = tmp_path_factory.mktemp("days")
    write_sun(folder, hours=HOURS, size=128, scale=19.2)
    return scan(folder).frames


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "regions.csv"
    path.write_text(text)
    return path


@pytest.mark.thorough
def test_the_same_place_in_every_notation(days: list[FrameHeader], tmp_path: Path) -> None:
    observer = days[2].observer
    middle = observer.longitude
    lines = {
        "x,y": ("x,y", None),
        "carrington": ("carrington_longitude,latitude", f"{(middle + 20) % 360},12"),
        "stonyhurst": ("stonyhurst_longitude,latitude", "20,12"),
        "location": ("location", "N12W20"),
    }
    tracks = {}
    for kind, (columns, cells) in lines.items():
        if cells is None:
            carrington = Track(name="c", longitude=(middle + 20) % 360, latitude=12, reference=days[2].time)
            (seen,) = follow([carrington], days, angle=60.0)
            cells = f"{seen.x[2]},{seen.y[2]}"
        (tracks[kind],) = read_regions(table(tmp_path, f"noaa,time,{columns}\n12673,{days[2].time},{cells}\n"), days)
    for track in tracks.values():
        assert (track.name, track.region) == ("AR12673", "12673")
        assert track.longitude == pytest.approx((middle + 20) % 360, abs=1e-6)
        assert track.latitude == pytest.approx(12, abs=1e-6)


def test_a_position_in_arcsec_is_exactly_there_in_the_image_of_that_time(
    days: list[FrameHeader], tmp_path: Path
) -> None:
    text = "id,time,x,y\n" + "".join(f"r{k},{days[k].time},{100 * k - 250},{60 * k}\n" for k in range(5))
    for k, passage in enumerate(follow(read_regions(table(tmp_path, text), days), days, angle=70.0)):
        at = list(passage.indices).index(k)
        assert (passage.x[at], passage.y[at]) == pytest.approx((100 * k - 250, 60 * k), abs=1e-6)


def test_daily_positions_are_met_and_joined_without_a_jump(days: list[FrameHeader], tmp_path: Path) -> None:
    """A region that drifts by a degree a day more than the rotation, and a little north."""
    day = np.datetime64("2017-08-08")
    text = "HARPNUM,T_REC,LAT_FWT,LON_FWT\n" + "".join(
        f"377,{str(day + k).replace('-', '.')}_00:00:00_UTC,{10 + k},{-20 + 14.2 * k}\n" for k in range(3)
    )
    (track,) = read_regions(table(tmp_path, text), days)
    assert (track.name, track.region, len(track.fixes)) == ("HARP377", "377", 3)
    (passage,) = follow([track], days, angle=80.0)
    assert list(passage.indices) == [0, 1, 2, 3, 4]
    west = passage.longitude - [frame.observer.longitude for frame in days]
    assert (west[::2] + 180) % 360 - 180 == pytest.approx([-20, -5.8, 8.4], abs=1e-6)
    steps = np.diff((west + 180) % 360 - 180)
    assert steps == pytest.approx(7.1, abs=0.1)
    assert passage.y[0] < passage.y[2] < passage.y[4]


def test_a_region_with_several_positions_is_followed_a_day_beyond_them(days: list[FrameHeader]) -> None:
    longitude = days[0].observer.longitude
    many = [days[0]] + [
        FrameHeader(**{**vars(days[0]), "time": days[0].time + np.timedelta64(6 * k, "h")}) for k in range(1, 60)
    ]
    first, last = many[20].time, many[28].time
    track = Track(
        name="a",
        longitude=longitude,
        latitude=0,
        reference=first,
        later=(Fix(time=last, longitude=longitude, latitude=0),),
    )
    (passage,) = follow([track], many, angle=80.0)
    assert (passage.indices[0], passage.indices[-1]) == (16, 31)


def test_a_point_at_the_limb_is_followed_across_the_whole_disk_once(days: list[FrameHeader]) -> None:
    one = days[0]
    month = [
        FrameHeader(
            **{
                **vars(one),
                "time": one.time + np.timedelta64(12 * k, "h"),
                "observer": type(one.observer)(
                    longitude=(one.observer.longitude - 6.6 * k) % 360, latitude=0.0, distance=one.observer.distance
                ),
            }
        )
        for k in range(100)
    ]
    rises = Track(name="east", longitude=month[40].observer.longitude - 70, latitude=5, reference=month[40].time)
    (passage,) = follow([rises], month, angle=75.0)
    assert (np.diff(passage.indices) == 1).all()
    assert passage.x[0] < -850 and passage.x[-1] > 850
    assert passage.indices[0] in (39, 40)


def test_limits_in_longitude_and_latitude(days: list[FrameHeader]) -> None:
    tracks = grid(days, angle=60.0, spacing=12.0)
    free = follow(tracks, days, angle=60.0)
    narrow = follow(tracks, days, angle=60.0, longitude=20.0, latitude=30.0)
    assert 0 < len(narrow) < len(free)
    for passage in narrow:
        west = (passage.longitude - [days[k].observer.longitude for k in passage.indices] + 180) % 360 - 180
        assert np.abs(west).max() <= 20
        assert abs(passage.track.latitude) <= 30
    with pytest.raises(ConfigError, match="longitude is limited to 0°"):
        follow(tracks, days, angle=60.0, longitude=0.0)


def test_observers_are_interpolated_over_gaps_and_beyond_the_images(days: list[FrameHeader]) -> None:
    observers = Observers.of([days[0], days[4]])
    assert observers.at(days[2].time).longitude == pytest.approx(days[2].observer.longitude, abs=0.02)
    assert observers.at(days[3].time).distance == pytest.approx(days[3].observer.distance, rel=1e-6)
    late = Observers.of(days[:2]).at(days[4].time).longitude
    assert late == pytest.approx(days[4].observer.longitude, abs=0.1)


@pytest.mark.thorough
def test_an_archive_of_a_table(tmp_path: Path, write_sun: Callable[..., list[Path]]) -> None:
    write_sun(tmp_path / "src", hours=[0.0, 12.0, 24.0], size=128, scale=19.2)
    regions = table(tmp_path, "noaa,time,location\n12671,2017-08-08,N10E05\n12672,2017-08-08T12:00,S08W20\n")
    prepare(tmp_path / "src", tmp_path / "a.zarr", size=16, pixel=19.2, regions=regions, minimum_frames=2)
    archive = Archive.open(tmp_path / "a.zarr")
    assert archive.sequences == ("AR12671", "AR12672")
    assert archive.sequence("AR12672").attrs["region"] == "12672"
    assert archive.attrs["regions"] == "regions.csv"


@pytest.mark.parametrize(("text", "place"), [("N12W34", (34, 12)), ("s08E110", (-110, -8)), ("N00W00", (0, 0))])
def test_locations(text: str, place: tuple[float, float]) -> None:
    assert parse_location(text) == place


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("time,x,y\n2017-08-08,0,0\n", r"it needs a column id, NOAA or HARPNUM"),
        ("id,x,y\na,0,0\n", r"it needs time \(or date"),
        ("id,time\na,2017-08-08\n", r"line 2 has no position: give x and y"),
        ("id,time,x,y\na,2017-08-08,2000,0\n", r"line 2 has x 2000, y 0 arcsec, which is off the disk"),
        ("id,time,x,y\na,then,0,0\n", r"line 2 has time 'then'"),
        ("id,time,location\na,2017-08-08,W12N3\n", r"line 2 has location 'W12N3'; write a position such as N12W34"),
        ("id,time,carrington,latitude\na,2017-08-08,10,95\n", r"has latitude 95"),
        ("id,time,x,y\na,2017-08-08,0,0\na,2017-08-08,1,0\n", r"line 3 puts a at a different position"),
        ("id,time,x,y\n,2017-08-08,0,0\n", r"line 2 has no id"),
    ],
)
def test_tables_of_no_use(days: list[FrameHeader], tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        read_regions(table(tmp_path, text), days)
