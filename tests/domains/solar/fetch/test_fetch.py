"""Fetching from a real server on loopback that misbehaves in every way servers do."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.core.files import held
from framecast.domains.solar.fetch import FILE_NAME, fetch, regular_times
from framecast.domains.solar.observations import scan
from framecast.domains.solar.options import Transfer
from framecast.domains.solar.sources import HelioviewerSource, SynopticSource

Times = list[np.datetime64]

SLOW = ("silent", "drip")
"""Troubles that only a clock can tell from a server that is busy."""


def heeding(trouble: str, transfer: Transfer) -> Transfer:
    """Return ``transfer``, impatient where ``trouble`` is that nothing comes, so that a test of patience is short."""
    return replace(transfer, silence=1.0, timeout=2.0) if trouble.removeprefix("*") in SLOW else transfer


def contents(folder: Path) -> dict[str, str]:
    """Every file of ``folder``, hidden ones too, by its checksum."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.thorough
def test_what_is_fetched_is_the_archive_in_its_own_layout(
    server: Any, archive: Path, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    report = fetch(times, [193, 171], tmp_path / "out", source=SynopticSource(base_url=server.url), transfer=quick)
    fetched = contents(tmp_path / "out")
    del fetched[FILE_NAME]
    assert fetched == contents(archive)
    assert (report.fetched, report.kept, report.missing) == (12, 0, ())
    assert report.bytes == sum(path.stat().st_size for path in archive.rglob("*.fits"))
    assert server.most <= quick.connections
    assert [(frame.time, frame.wavelength) for frame in report.frames][:3] == [
        ("2017-08-08T00:00:00", 171),
        ("2017-08-08T00:00:00", 193),
        ("2017-08-08T02:00:00", 171),
    ]
    record = json.loads((tmp_path / "out" / FILE_NAME).read_text())
    assert record["frames"][0]["observed"] == "2017-08-08T00:00:09.350"
    assert len(scan(tmp_path / "out").frames) == 12
    assert scan(tmp_path / "out").rejected == []  # the record is no image, and nobody takes it for one


@pytest.mark.skipif(os.name != "posix", reason="has no such locks")
def test_one_process_at_a_time_fetches_into_a_folder(
    server: Any, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    source = SynopticSource(base_url=server.url)
    with held(tmp_path, doing="fetching"), pytest.raises(FramecastError, match="another process is fetching into"):
        fetch(times[:1], [171], tmp_path, source=source, transfer=quick)
    assert not list(tmp_path.iterdir())
    assert fetch(times[:1], [171], tmp_path, source=source, transfer=quick).fetched == 1


def test_a_second_run_asks_for_nothing_it_has(server: Any, times: Times, quick: Transfer, tmp_path: Path) -> None:
    source = SynopticSource(base_url=server.url)
    fetch(times[:3], [171], tmp_path, source=source, transfer=quick)
    before, asked = contents(tmp_path), server.files
    again = fetch(times[:3], [171], tmp_path, source=source, transfer=quick)
    assert (again.kept, again.fetched, server.files) == (3, 0, asked)
    assert contents(tmp_path) == before
    more = fetch(times[:4], [171], tmp_path, source=source, transfer=quick)
    assert (more.kept, more.fetched, server.files) == (3, 1, asked + 1)
    (tmp_path / FILE_NAME).unlink()  # without a record the files are opened and checked
    without = fetch(times[:4], [171], tmp_path, source=source, transfer=quick)
    assert (without.kept, without.fetched, server.files) == (4, 0, asked + 1)


def test_what_was_damaged_meanwhile_is_fetched_again(
    server: Any, archive: Path, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    source = SynopticSource(base_url=server.url)
    fetch(times[:2], [171], tmp_path, source=source, transfer=quick)
    first, _ = sorted(tmp_path.rglob("*.fits"))
    first.write_bytes(first.read_bytes()[:-2880])
    report = fetch(times[:2], [171], tmp_path, source=source, transfer=quick)
    assert (report.kept, report.fetched) == (1, 1)
    assert first.read_bytes() == (archive / first.relative_to(tmp_path)).read_bytes()


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", ["503", "429 retry=0", "html", "reset", "truncated", "silent", "drip"])
def test_passing_trouble_passes(
    trouble: str, server: Any, archive: Path, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    server.moods = {"0200_0171": [trouble, trouble]}
    transfer = heeding(trouble, quick)
    report = fetch(times[:2], [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=transfer)
    assert report.missing == ()
    assert server.files == 4
    path = next(tmp_path.rglob("*0200_0171.fits"))
    assert path.read_bytes() == (archive / path.relative_to(tmp_path)).read_bytes()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("trouble", "tries", "reason"),
    [
        ("*404", 1, "404 Not Found"),
        ("*503", 3, "503 Service Unavailable (tried 3 times)"),
        ("*503 retry=3600", 1, "503"),  # longer than anyone waits
        ("*html", 3, "web page"),
        ("*reset", 3, "(tried 3 times)"),
        ("*truncated", 3, "truncated"),
        ("*silent", 3, "took too long"),
        ("*drip", 3, "took too long"),
        ("*other 2017/08/08/H0200/AIA20170808_0200_0193.fits", 1, "its header says 193 Å"),
        ("*other 2017/08/08/H0600/AIA20170808_0600_0171.fits", 1, "14409 s from the requested time"),
    ],
)
def test_lasting_trouble_is_a_missing_frame_with_its_reason(
    trouble: str, tries: int, reason: str, server: Any, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    server.moods = {"0200_0171": [trouble]}
    transfer = heeding(trouble, quick)
    report = fetch(times[:3], [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=transfer)
    (missing,) = report.missing
    assert reason in missing.missing
    assert "\n" not in missing.missing
    assert server.requests["/2017/08/08/H0200/AIA20170808_0200_0171.fits"] == tries
    assert report.fetched == 2
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(names) == ["AIA20170808_0000_0171.fits", "AIA20170808_0400_0171.fits", FILE_NAME]
    server.moods = {}
    later = fetch(times[:3], [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=quick)
    assert (later.kept, later.fetched, later.missing) == (2, 1, ())  # what has come since is taken


@pytest.mark.thorough
def test_retry_after_is_honoured_by_all_connections(server: Any, times: Times, quick: Transfer, tmp_path: Path) -> None:
    server.moods = {"0000_0171": ["503 retry=1"]}
    transfer = replace(quick, connections=1)
    fetch(times[:2], [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=transfer)
    first, again = server.times["/2017/08/08/H0000/AIA20170808_0000_0171.fits"]
    assert again - first >= 0.99


@pytest.mark.thorough
def test_pauses_grow(server: Any, times: Times, quick: Transfer, tmp_path: Path) -> None:
    server.moods = {"0000_0171": ["503"] * 4}
    transfer = replace(quick, tries=5, pause=0.1)
    assert fetch(times[:1], [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=transfer).fetched
    pauses = np.diff(server.times["/2017/08/08/H0000/AIA20170808_0000_0171.fits"])
    for pause, longest in zip(pauses, (0.1, 0.2, 0.4, 0.8), strict=True):
        assert pause >= 0.5 * longest


def test_where_nothing_can_be_written_the_system_says_why(
    server: Any, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    (tmp_path / "2017").write_text("a file where a folder should be")
    with pytest.raises(NotADirectoryError):
        fetch(times, [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=quick)


@pytest.mark.parametrize("frames", [1, 300])
def test_a_server_that_is_not_there_is_an_error_at_once(
    frames: int, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="cannot be reached"):
        fetch(
            (times * 100)[:frames],
            [171],
            tmp_path,
            source=SynopticSource(base_url="http://127.0.0.1:9"),
            transfer=quick,
        )


def test_a_server_that_dies_midway_leaves_whole_files_and_the_rest_is_fetched_later(
    archive: Path, serve_archive: Callable[..., AbstractContextManager], times: Times, quick: Transfer, tmp_path: Path
) -> None:
    transfer = replace(quick, connections=1, tries=2)
    with serve_archive(archive) as server:

        def die(done: int, _: int) -> None:
            if done == 2:
                server.__exit__()

        with pytest.raises(DataError, match="the same command resumes"):
            fetch(times, [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=transfer, progress=die)
        server.__exit__ = lambda *error: None
    with serve_archive(archive) as server:
        report = fetch(times, [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=quick)
        assert (report.kept, report.fetched) == (2, 4)


def test_it_works_within_a_running_loop_as_notebooks_have(
    server: Any, times: Times, quick: Transfer, tmp_path: Path
) -> None:
    async def cell() -> int:
        return fetch(times[:2], [171], tmp_path, source=SynopticSource(base_url=server.url), transfer=quick).fetched

    assert asyncio.run(cell()) == 2


def test_near_real_time_names(server: Any, times: Times, quick: Transfer, tmp_path: Path) -> None:
    source = SynopticSource(base_url=server.url, near_real_time=True)
    report = fetch(times[:1], [171], tmp_path, source=source, transfer=quick)
    assert report.frames[0].url == f"{server.url}nrt/2017/08/08/H0000/AIA20170808_000000_0171.fits"
    assert (tmp_path / "2017/08/08/H0000/AIA20170808_000000_0171.fits").is_file()


def test_times_are_those_of_the_server(start: np.datetime64) -> None:
    source = SynopticSource(base_url="http://127.0.0.1/")
    plan = source.plan([start + np.timedelta64(3599, "s"), start + np.timedelta64(3481, "s")], [171])
    (name,) = (Path(item.path).name for item in plan)
    assert name == "AIA20170808_0058_0171.fits"  # both are 00:58, and it is asked once
    assert [str(t)[11:16] for t in regular_times(start, start + np.timedelta64(5, "h"), 7200)] == [
        "00:00",
        "02:00",
        "04:00",
    ]


def test_the_server_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SynopticSource().base_url.startswith("https://jsoc1.stanford.edu/")
    monkeypatch.setenv("FRAMECAST_JSOC_URL", "http://mirror.example/aia")
    assert SynopticSource().base_url == "http://mirror.example/aia/"
    assert SynopticSource(base_url="http://127.0.0.1:1").base_url == "http://127.0.0.1:1/"
    with pytest.raises(ConfigError, match="begins with https"):
        SynopticSource(base_url="ftp://mirror")


def test_mistakes_are_told(times: Times, start: np.datetime64) -> None:
    source = SynopticSource(base_url="http://127.0.0.1/")
    with pytest.raises(ConfigError, match="has no 195 Å; it has 94, 131"):
        source.plan(times, [195])
    with pytest.raises(ConfigError, match="each once"):
        source.plan(times, [171, 171])
    with pytest.raises(ConfigError, match="before --start"):
        regular_times(start, start - np.timedelta64(1, "h"), 60)
    with pytest.raises(ConfigError, match="from 1 to 16"):
        Transfer(connections=100)


@pytest.mark.thorough
def test_sunpys_client_finds_the_same_files_at_the_same_addresses(
    server: Any, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    import astropy.units as u
    from sunpy.net import attrs
    from sunpy.net.dataretriever.sources.aia_synopsis import AIASynopsisClient

    default = SynopticSource.default_url
    assert default in AIASynopsisClient.pattern
    monkeypatch.setattr(AIASynopsisClient, "pattern", AIASynopsisClient.pattern.replace(default, server.url))
    query = attrs.Time("2017-08-08T00:00", "2017-08-08T11:00"), attrs.Instrument.aia, attrs.Level("1.5s")
    found = AIASynopsisClient().search(*query, attrs.Wavelength(171 * u.angstrom))
    ours = SynopticSource(base_url=server.url).plan(times, [171])
    assert sorted(found["url"]) == [item.url for item in ours]


def test_helioviewers_calls() -> None:
    source = HelioviewerSource(base_url="http://127.0.0.1/v2")
    (item,) = source.plan([np.datetime64("2014-01-01T23:59:59")], [335])
    assert item.url == "http://127.0.0.1/v2/getJP2Image/?date=2014-01-01T23:59:00Z&sourceId=14"
    assert str(item.path) == "2014/01/01/H2300/AIA20140101_2359_0335.jp2"


@pytest.mark.slow
def test_helioviewers_images_are_fetched_and_those_too_far_away_are_missing(
    real_data: Path, serve_archive: Callable[..., AbstractContextManager], tmp_path: Path
) -> None:
    times = [np.datetime64("2017-08-08T00:00"), np.datetime64("2017-08-08T12:00")]
    with serve_archive(jp2=real_data / "aia171-jp2") as server:
        source = HelioviewerSource(base_url=f"{server.url}v2/")
        report = fetch(times, [171], tmp_path, source=source)
        assert report.fetched == 1
        assert "s from the requested time" in report.missing[0].missing
        again = fetch(times[:1], [171], tmp_path, source=source)
        assert (again.kept, again.fetched) == (1, 0)
    (path,) = tmp_path.rglob("*.jp2")
    assert path.read_bytes() == (real_data / "aia171-jp2" / "aia_171_20170807T235945.jp2").read_bytes()
    assert scan(tmp_path).frames[0].wavelength == 171
