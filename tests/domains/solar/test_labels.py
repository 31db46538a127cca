"""Labels from tables of samples."""

from pathlib import Path

import pytest

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive
from framecast.domains.solar.labels import labels_from_table, read_label_table


def test_samples_with_the_hours_to_the_next_flares(hourly_regions: Archive, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "id,HARPNUM,T,nextC_t2f_h,nextM_t2f_h,nextX_t2f_h\n"
        "0,12673,2017-09-06 01:00,3.0,,\n"
        "1,12673,2017-09-06 02:00,3.0,11.9,\n"
        "2,12673,2017-09-06 03:00,3.0,nan,2.5\n"
        "3,12673,2017-09-06 04:00,30,12.0,30\n"
        "4,99999,2017-09-06 04:00,1,1,1\n"
    )
    labels = labels_from_table(hourly_regions, read_label_table(tmp_path / "s.csv"))
    assert labels["AR12673"].tolist()[:6] == [-1, 1, 2, 3, 0, -1]
    assert (labels["second"] == -1).all()
    fewer = read_label_table(tmp_path / "s.csv", classes=("quiet", "M"))
    assert labels_from_table(hourly_regions, fewer)["AR12673"].tolist()[:6] == [-1, 0, 1, 0, 0, -1]


def test_samples_with_a_label_of_their_own(hourly_regions: Archive, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "id,HARPNUM,T,label\n0,12674,2017.09.06_01:00_UTC,M\n1,12674,2017-09-06T02:00,M7.1\n2,12674,2017-09-06T03:00,3\n"
        "3,12674,2017-09-06T04:00,quiet\n4,12674,2017-09-06T05:00,\n"
    )
    labels = labels_from_table(hourly_regions, read_label_table(tmp_path / "s.csv"))
    assert labels["second"].tolist()[:7] == [-1, 2, 2, 3, 0, -1, -1]


@pytest.mark.parametrize(
    ("text", "error", "complaint"),
    [
        ("HARPNUM,T\n1,2017-01-01\n", DataError, "has no label: it needs the column label, or nextC_t2f_h"),
        ("HARPNUM,T,label\n1,2017-01-01,7\n", DataError, "line 2 has label '7'; write one of quiet, C, M, X"),
        (
            "HARPNUM,T,label\n1,2017-01-01,C\n1,2017-01-01,M\n",
            DataError,
            "line 3 gives region 1 at 2017-01-01.* different label",
        ),
        ("HARPNUM,T,nextM_t2f_h\n1,2017-01-01,2\n", ConfigError, "hours to flares of class M, from which C cannot"),
        ("HARPNUM,T,nextM_t2f_h\n1,2017-01-01,soon\n", ConfigError, "from which C cannot"),
    ],
)
def test_samples_of_no_use(tmp_path: Path, text: str, error: type[Exception], complaint: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(error, match=complaint):
        read_label_table(tmp_path / "s.csv")
