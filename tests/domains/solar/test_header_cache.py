"""Headers are read once, and anew when a file or the code has changed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from framecast.domains.solar import header_cache
from framecast.domains.solar.observations import scan

pytestmark = pytest.mark.thorough


@pytest.fixture
def folder(tmp_path: Path, write_sun: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five images and one file of no use, and a cache of their own that is always worth it."""
    write_sun(tmp_path / "src", hours=[0.0, 1.0, 2.0, 3.0, 4.0], size=64, scale=38.4, roll=12.0)
    (tmp_path / "src" / "page.html").write_text("404")
    monkeypatch.setenv("FRAMECAST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(header_cache, "WORTH_KEEPING", 1)
    return tmp_path / "src"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose headers were really read."""
    seen: list[Path] = []
    real = header_cache.read_header

    def read(path: Path):
        seen.append(path)
        return real(path)

    monkeypatch.setattr(header_cache, "read_header", read)
    return seen


def test_a_second_look_reads_nothing_and_finds_the_same(folder: Path, reads: list[Path]) -> None:
    first = scan(folder)
    assert len(reads) == 6
    second = scan(folder)
    assert len(reads) == 6
    assert (first.frames, first.rejected) == (second.frames, second.rejected)
    assert len(first.rejected) == 1


def test_a_changed_file_is_read_again(folder: Path, reads: list[Path], edit_cards: Callable[..., None]) -> None:
    scan(folder)
    changed = sorted(folder.rglob("*.fits"))[2]
    edit_cards(changed, EXPTIME=7.0)
    again = scan(folder)
    assert reads[6:] == [changed]
    assert sorted(frame.exposure for frame in again.frames) == [2, 2, 2, 2, 7]


def test_other_code_does_not_believe_it(folder: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    scan(folder)
    monkeypatch.setattr(header_cache, "source_checksum", lambda: "another version")
    scan(folder)
    assert len(reads) == 12


@pytest.mark.parametrize("content", ["", "[1]", '{"a": 1}', "garbage"])
def test_a_damaged_cache_does_no_harm(folder: Path, reads: list[Path], tmp_path: Path, content: str) -> None:
    scan(folder)
    (file,) = (tmp_path / "cache").rglob("*.json")
    entries = json.loads(file.read_text())
    assert len(entries) == 6
    file.write_text(content or json.dumps({name: [1] for name in entries}))
    assert len(scan(folder).frames) == 5
    assert len(reads) == 12


def test_few_headers_are_not_worth_a_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_cache, "WORTH_KEEPING", 200)
    scan(folder)
    assert not (tmp_path / "cache").exists()
