"""Labels from lists of events."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from framecast.cli import run
from framecast.core.errors import DataError
from framecast.data.archive.reader import Archive, ArchiveWriter
from framecast.domains.solar.flares import assign_flares, labels_from_flares, read_flares

START = np.datetime64("2017-09-06T00:00", "ns")
HOUR = np.timedelta64(1, "h")
EVENTS = """start,peak,class,region
2017-09-06T08:57,2017-09-06T09:10,X2.2,12673
2017-09-06 11:53,2017-09-06 12:02,X9.3,12673
2017/09/06 15:51,2017/09/06 15:56,M2.5,AR 12673
2017-09-06T03:00,,C1.0,12674
2017-09-06T04:00,,B9.9,12674
2017-09-06T05:00,,C8.0,
"""


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(EVENTS)
    return path


def test_labels_are_those_of_each_regions_own_flares(hourly_regions: Archive, events: Path) -> None:
    labels = labels_from_flares(hourly_regions, assign_flares(hourly_regions, read_flares(events))[0], horizon=2 * 3600)
    # Frames are exposed at 9 s before the hour. X2.2 at 8:57, X9.3 at 11:53, M2.5 at 15:51.
    assert labels["AR12673"].tolist() == [0] * 7 + [3, 3, 0, 3, 3, 0, 0, 2, 2] + [0] * 8
    assert labels["second"].tolist() == [0, 0, 1, 1] + [0] * 20  # 3:00 is 2 h 9 s after the frame of 1:00


def test_outside_of_what_the_list_covers_nothing_is_known(hourly_regions: Archive, events: Path) -> None:
    limits = START + 2 * HOUR, START + 18 * HOUR
    labels = labels_from_flares(
        hourly_regions, assign_flares(hourly_regions, read_flares(events))[0], horizon=2 * 3600, covered=limits
    )["AR12673"]
    assert labels.tolist()[:4] == [-1, -1, -1, 0]
    assert labels.tolist()[15:18] == [2, 0, -1]
    assert (labels[17:] == -1).all()


def test_events_of_other_regions_are_an_error(hourly_regions: Archive, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("start,class,region\n2017-09-06T08:57,X2.2,11111\n")
    with pytest.raises(DataError, match=r"no event .* 12673, 12674,"):
        assign_flares(hourly_regions, read_flares(tmp_path / "other.csv"))


@pytest.fixture
def grid(tmp_path: Path) -> Archive:
    """Two overlapping frames of 200 arcsec that drift west by 10 arcsec an hour; no numbers."""
    times = START + np.arange(6) * HOUR
    data = {"intensity": (("time", "channel", "y", "x"), np.ones((6, 1, 4, 8), np.float32))}
    with ArchiveWriter(tmp_path / "grid.zarr", channels=["94"], unit="DN/s", cadence=3600, height=4, width=8) as writer:
        for name, west in (("lon100.0_lat+10.0", 0.0), ("lon110.0_lat+10.0", 150.0)):
            coords = {
                "time": times,
                "x": ("x", (np.arange(8) - 3.5) * 25),
                "y": ("y", (np.arange(4) - 1.5) * 25),
                "hpc_x": ("time", west + 10.0 * np.arange(6)),
                "hpc_y": ("time", np.full(6, 60.0)),
            }
            writer.add(name, xr.Dataset(data, coords=coords))
    return Archive.open(tmp_path / "grid.zarr")


def test_a_flare_without_a_number_is_of_every_region_that_shows_it(grid: Archive, tmp_path: Path) -> None:
    (tmp_path / "hek.csv").write_text(
        "event_starttime,fl_goescls,ar_noaanum,hpc_x,hpc_y\n"
        "2017-09-06T02:30,C3.0,12673,-70,60\n"  # in the first alone, whose middle is then at 25
        "2017-09-06T03:30,M1.0,,115,60\n"  # in both
        "2017-09-06T04:30,X1.0,0,100,200\n"  # north of both
        "2017-09-06T07:59,M9.0,,320,60\n"  # in the second as it moves on after its last frame
        "2017-09-08T08:00,X9.0,,200,60\n"
    )
    labels = labels_from_flares(grid, assign_flares(grid, read_flares(tmp_path / "hek.csv"))[0], horizon=3 * 3600)
    assert labels["lon100.0_lat+10.0"].tolist() == [1, 2, 2, 2, 0, 0]
    assert labels["lon110.0_lat+10.0"].tolist() == [0, 2, 2, 2, 0, 2]


def test_a_number_of_the_archive_goes_before_a_position(hourly_regions: Archive, tmp_path: Path) -> None:
    (tmp_path / "goes.csv").write_text("start,class,region,location\n2017-09-06T02:00,M1,12674,N90W90\n")
    labels = labels_from_flares(
        hourly_regions, assign_flares(hourly_regions, read_flares(tmp_path / "goes.csv"))[0], horizon=3600
    )
    assert labels["second"].tolist()[:4] == [0, 0, 2, 0]
    assert not labels["AR12673"].any()


def test_positions_are_of_no_use_where_the_archive_has_none(hourly_regions: Archive, tmp_path: Path) -> None:
    (tmp_path / "goes.csv").write_text("start,class,region,location\n2017-09-06T02:00,M1,,N10W10\n")
    with pytest.raises(DataError, match=r"belongs to a region"):
        assign_flares(hourly_regions, read_flares(tmp_path / "goes.csv"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("soon,,M1,12673", "line 2 has start 'soon'; write a time such as"),
        ("2017-09-06T08:57,,big,12673", r"line 2 has class 'big'; write a class such as C4.2"),
        ("2017-09-06T08:57,2017-09-06T08:00,M1,12673", "line 2 has its peak before its start"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "e.csv").write_text(f"start,peak,class,region\n{line}\n")
    with pytest.raises(DataError, match=complaint):
        read_flares(tmp_path / "e.csv")


@pytest.mark.thorough
def test_the_command_labels_an_archive(
    hourly_regions: Archive, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--horizon", "2h", "--covers", "2017-09-06..2017-09-06T18:00"]
    assert run(["solar", "label", str(hourly_regions.path), "--events", str(events), *options]) == 0
    captured = capsys.readouterr()
    said = captured.out
    assert "1 of 6 events were left out: they have no position and no region number" in captured.err
    assert said.splitlines()[-1] == str(hourly_regions.path)
    assert "that start within 2h" in said
    labelled = Archive.open(hourly_regions.path)
    assert labelled.classes == ("quiet", "C", "M", "X")
    assert labelled.labels("AR12673").tolist()[7:17] == [3, 3, 0, 3, 3, 0, 0, 2, 2, 0]
    assert "starts within 2h" in labelled.sequence("AR12673")["label"].attrs["long_name"]
    (tmp_path / "s.csv").write_text("id,HARPNUM,T,label\n0,12674,2017-09-06T02:00,X\n")
    assert run(["solar", "label", str(hourly_regions.path), "--samples", str(tmp_path / "s.csv")]) == 0
    assert Archive.open(hourly_regions.path).labels("second").tolist()[:4] == [-1, -1, 3, -1]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "give either --events or --samples"),
        (["--events", "e.csv", "--samples", "s.csv"], "give either --events or --samples"),
        (["--events", "absent.csv"], "absent.csv cannot be read as a table"),
        (["--events", "EVENTS", "--covers", "2017"], "--covers is '2017'"),
        (["--events", "EVENTS", "--covers", "2018-01-01..2017-01-01"], "end is before its start"),
        (["--events", "EVENTS", "--classes", "quiet,big"], "'big' is not a flare class"),
        (["--events", "EVENTS", "--horizon", "soon"], "'soon' is not a duration"),
    ],
)
def test_every_mistake_is_one_line(
    hourly_regions: Archive, events: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    given = [str(events) if option == "EVENTS" else option for option in options]
    assert run(["solar", "label", str(hourly_regions.path), *given]) == 2
    *first, line = capsys.readouterr().err.splitlines()
    assert len(first) <= 1  # what the command is about to do
    assert line.startswith("framecast: ")
    assert complaint in line
    assert Archive.open(hourly_regions.path).classes == ()
