"""The quality word and its meaning."""

from pathlib import Path

from framecast.domains.solar.quality import MEANINGS, doubts, explain


def test_quick_look_alone_is_no_doubt() -> None:
    assert doubts(1 << 30) == 0
    assert doubts(0) == 0


def test_other_bits_are_doubts_and_are_explained() -> None:
    assert doubts(1 << 30 | 1 << 2) == 1 << 2
    assert explain(doubts(1 << 13 | 1 << 30)) == ["the spacecraft was in eclipse"]
    assert explain(1 << 9 | 1 << 8) == ["some pixels are missing", "over 1 % of the pixels are missing"]
    assert explain(1 << 25) == ["undocumented bit 25"]


def test_what_is_accepted_can_be_chosen() -> None:
    assert doubts(1 << 2 | 1 << 30, accepted=(2, 30)) == 0
    assert doubts(1 << 30, accepted=()) == 1 << 30


def test_the_documentation_explains_every_bit() -> None:
    page = (Path(__file__).parents[3] / "docs" / "solar-radiometry.md").read_text()
    for bit, meaning in MEANINGS.items():
        assert f"| {bit} | {meaning} |" in page
