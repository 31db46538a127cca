"""Bad dates are left out, and counted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from framecast.core.errors import DataError
from framecast.data.archive.reader import Archive
from framecast.domains.solar.observations import scan
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.tables import read_exclusions

pytestmark = pytest.mark.thorough

HOURS = [0.0, 6.0, 12.0, 18.0, 24.0, 30.0]


def excluded(tmp_path: Path, text: str, folder: Path) -> list[float]:
    (tmp_path / "bad.csv").write_text(text)
    frames = scan(folder).frames
    spans = read_exclusions(tmp_path / "bad.csv")
    times = zip(HOURS, (frame.time for frame in frames), strict=True)
    return [hour for hour, time in times if any(start <= time <= end for start, end in spans)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_sun: Callable[..., list[Path]]) -> Path:
    path = tmp_path_factory.mktemp("sun")
    write_sun(path, hours=HOURS, size=64, scale=38.4)
    return path


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2017-08-09\n", [24.0, 30.0]),
        ("date\n2017-08-08T06:00\n2017-08-08 12:01\n", [6.0, 12.0]),
        ("start,end\n2017-08-08T05:00,2017-08-08T12:00\n", [6.0, 12.0]),
        ("start,end\n2017-08-08T13:00,2017-08-09\n", [18.0, 24.0, 30.0]),
        ("start,end,reason\n2017-08-08T18:30,,eclipse\n", []),
    ],
)
def test_days_times_and_stretches(tmp_path: Path, folder: Path, text: str, hours: list[float]) -> None:
    assert excluded(tmp_path, text, folder) == hours


def test_an_archive_has_gaps_there(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "bad.csv").write_text("2017-08-08T12:00\n")
    summary = prepare(
        folder, tmp_path / "a.zarr", size=8, pixel=38.4, spacing=30.0, minimum_frames=2, exclude=tmp_path / "bad.csv"
    )
    assert (summary.excluded, len(summary.series.slots)) == (1, 5)
    assert [gap.frames for gap in summary.series.gaps] == [1]
    assert Archive.open(tmp_path / "a.zarr").attrs["excluded_images"] == 1


@pytest.mark.parametrize("text", ["start\nsometime\n", "start,end\n2017-08-09T12:00,2017-08-08\n", "", "a,b\n1,2\n"])
def test_lists_of_no_use(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=r"bad\.csv"):
        read_exclusions(tmp_path / "bad.csv")
