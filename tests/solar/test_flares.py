"""Labels from lists of events and from tables of samples."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from framecast.cli import run
from framecast.data.archive import Archive, ArchiveWriter
from framecast.errors import ConfigError, DataError
from framecast.solar.flares import (
    Flare,
    labels_from_events,
    labels_from_samples,
    largest_within,
    peak_flux,
    read_events,
    read_samples,
    region_number,
    thresholds,
)

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
def archive(tmp_path: Path) -> Archive:
    """Two regions of 24 hourly frames; one is known by its name, the other by an attribute."""
    path = tmp_path / "regions.zarr"
    times = START + np.arange(24) * HOUR - np.timedelta64(9, "s")
    frames = np.ones((24, 1, 4, 4), np.float32)
    with ArchiveWriter(path, channels=["94"], unit="DN/s", cadence=3600, height=4, width=4) as writer:
        for name, attrs in (("AR12673", {}), ("second", {"region": "12674"})):
            data = {"intensity": (("time", "channel", "y", "x"), frames)}
            writer.add(name, xr.Dataset(data, coords={"time": times}, attrs=attrs))
    return Archive.open(path)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.csv"
    path.write_text(EVENTS)
    return path


def test_classes_and_fluxes() -> None:
    assert [peak_flux(text) for text in ("C", "M1.5", "x10", "B 2")] == pytest.approx([1e-6, 1.5e-5, 1e-3, 2e-7])
    assert thresholds(("quiet", "M5", "X")) == pytest.approx([5e-5, 1e-4])
    for text in ("", "Q1", "1.5", "M-1"):
        with pytest.raises(ValueError):
            peak_flux(text)
    for classes in (("quiet",), ("quiet", "X", "M"), ("quiet", "big")):
        with pytest.raises(ConfigError):
            thresholds(classes)


@pytest.mark.parametrize("text", ["12673", "AR12673", "NOAA 12673", "noaa_ar_12673", "012673", "12673.0"])
def test_regions_are_known_by_their_numbers(text: str) -> None:
    assert region_number(text) == "12673"


def test_other_names_stay_as_they_are() -> None:
    assert region_number("lon123.5_lat-15.0_cr2193") == "lon123.5_lat-15.0_cr2193"
    assert region_number("0") == region_number("") == ""


def test_the_largest_flare_that_starts_within_the_horizon_counts() -> None:
    times = START + np.arange(6) * HOUR
    flares = [Flare(START + 2 * HOUR, 3e-6, ""), Flare(START + 3 * HOUR, 1e-5, ""), Flare(START + 3 * HOUR, 9e-8, "")]
    # A flare that starts with the frame is no longer to come; one that starts at the end of the horizon is.
    assert largest_within(times, flares, horizon=7200).tolist() == [1, 2, 2, 0, 0, 0]
    assert largest_within(times, flares, horizon=3600).tolist() == [0, 1, 2, 0, 0, 0]
    assert largest_within(times, flares, horizon=7200, classes=("no", "X")).tolist() == [0] * 6
    assert largest_within(times, [], horizon=7200).tolist() == [0] * 6


def test_labels_are_those_of_each_regions_own_flares(archive: Archive, events: Path) -> None:
    labels = labels_from_events(archive, read_events(events), horizon=2 * 3600)
    # Frames are exposed at 9 s before the hour. X2.2 at 8:57, X9.3 at 11:53, M2.5 at 15:51.
    assert labels["AR12673"].tolist() == [0] * 7 + [3, 3, 0, 3, 3, 0, 0, 2, 2] + [0] * 8
    assert labels["second"].tolist() == [0, 0, 1, 1] + [0] * 20  # 3:00 is 2 h 9 s after the frame of 1:00


def test_outside_of_what_the_list_covers_nothing_is_known(archive: Archive, events: Path) -> None:
    limits = START + 2 * HOUR, START + 18 * HOUR
    labels = labels_from_events(archive, read_events(events), horizon=2 * 3600, covered=limits)["AR12673"]
    assert labels.tolist()[:4] == [-1, -1, -1, 0]
    assert labels.tolist()[15:18] == [2, 0, -1]
    assert (labels[17:] == -1).all()


def test_events_of_other_regions_are_an_error(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("start,class,region\n2017-09-06T08:57,X2.2,11111\n")
    with pytest.raises(DataError, match=r"no event is of a region in .*its sequences are 12673, 12674, and the events"):
        labels_from_events(archive, read_events(tmp_path / "other.csv"))


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
        read_events(tmp_path / "e.csv")


def test_samples_with_the_hours_to_the_next_flares(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "id,HARPNUM,T,nextC_t2f_h,nextM_t2f_h,nextX_t2f_h\n"
        "0,12673,2017-09-06 01:00,3.0,,\n"
        "1,12673,2017-09-06 02:00,3.0,12.0,\n"
        "2,12673,2017-09-06 03:00,3.0,nan,2.5\n"
        "3,12673,2017-09-06 04:00,30,30,30\n"
        "4,99999,2017-09-06 04:00,1,1,1\n"
    )
    labels = labels_from_samples(archive, read_samples(tmp_path / "s.csv"))
    assert labels["AR12673"].tolist()[:6] == [-1, 1, 2, 3, 0, -1]
    assert (labels["second"] == -1).all()
    fewer = read_samples(tmp_path / "s.csv", classes=("quiet", "M"))
    assert labels_from_samples(archive, fewer)["AR12673"].tolist()[:6] == [-1, 0, 1, 0, 0, -1]


def test_samples_with_a_label_of_their_own(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "id,HARPNUM,T,label\n0,12674,2017.09.06_01:00_UTC,M\n1,12674,2017-09-06T02:00,M7.1\n2,12674,2017-09-06T03:00,3\n"
        "3,12674,2017-09-06T04:00,quiet\n4,12674,2017-09-06T05:00,\n"
    )
    labels = labels_from_samples(archive, read_samples(tmp_path / "s.csv"))
    assert labels["second"].tolist()[:7] == [-1, 2, 2, 3, 0, -1, -1]


@pytest.mark.parametrize(
    ("text", "error", "complaint"),
    [
        ("HARPNUM,T\n1,2017-01-01\n", DataError, "has no label: it needs the column label, or nextC_t2f_h"),
        ("HARPNUM,T,label\n1,2017-01-01,7\n", DataError, "line 2 has label '7'; write one of quiet, C, M, X"),
        (
            "HARPNUM,T,label\n1,2017-01-01,C\n1,2017-01-01,M\n",
            DataError,
            "line 3 gives region 1 at 2017-01-01.* another",
        ),
        ("HARPNUM,T,nextM_t2f_h\n1,2017-01-01,2\n", ConfigError, "hours to flares of class M, from which C does not"),
        ("HARPNUM,T,nextM_t2f_h\n1,2017-01-01,soon\n", ConfigError, "from which C does not"),
    ],
)
def test_samples_of_no_use(tmp_path: Path, text: str, error: type[Exception], complaint: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(error, match=complaint):
        read_samples(tmp_path / "s.csv")


def test_the_command_labels_an_archive(
    archive: Archive, events: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--horizon", "2h", "--covers", "2017-09-06..2017-09-06T18:00"]
    assert run(["solar", "label", str(archive.path), "--events", str(events), *options]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == str(archive.path)
    assert "that start within 2h" in said
    labelled = Archive.open(archive.path)
    assert labelled.classes == ("quiet", "C", "M", "X")
    assert labelled.labels("AR12673").tolist()[7:17] == [3, 3, 0, 3, 3, 0, 0, 2, 2, 0]
    assert "starts within 2h" in labelled.sequence("AR12673")["label"].attrs["long_name"]
    (tmp_path / "s.csv").write_text("id,HARPNUM,T,label\n0,12674,2017-09-06T02:00,X\n")
    assert run(["solar", "label", str(archive.path), "--samples", str(tmp_path / "s.csv")]) == 0
    assert Archive.open(archive.path).labels("second").tolist()[:4] == [-1, -1, 3, -1]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "give either --events or --samples"),
        (["--events", "e.csv", "--samples", "s.csv"], "give either --events or --samples"),
        (["--events", "absent.csv"], "absent.csv cannot be read as a table"),
        (["--events", "EVENTS", "--covers", "2017"], "--covers is '2017'"),
        (["--events", "EVENTS", "--covers", "2018-01-01..2017-01-01"], "end is before its start"),
        (["--events", "EVENTS", "--classes", "quiet,big"], "'big' is no class of flares"),
        (["--events", "EVENTS", "--horizon", "soon"], "'soon' is not a duration"),
    ],
)
def test_every_mistake_is_one_line(
    archive: Archive, events: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    given = [str(events) if option == "EVENTS" else option for option in options]
    assert run(["solar", "label", str(archive.path), *given]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
    assert Archive.open(archive.path).classes == ()
