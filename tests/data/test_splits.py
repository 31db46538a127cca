from collections import Counter
from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from framecast.core.errors import ConfigError, DataError
from framecast.data.splits import AnySplit, AutoSplit, RandomSplit, RegionSplit, TimeSplit, few, parse_date
from framecast.data.windows import Window, WindowList

START = np.datetime64("2017-08-08T00:00", "ns")
HOUR = np.timedelta64(3600 * 10**9, "ns")
SIDES = ("train", "validation", "test")


def series(
    regions: int = 3, frames: int = 157, length: int = 12, step: int = 1, *, independent: bool = False
) -> WindowList:
    """All windows of ``length`` frames, ``step`` hours apart, in gapless hourly sequences."""
    windows = []
    for region in range(regions):
        for first in range(frames - (length - 1) * step):
            indices = tuple(range(first, first + length * step, step))
            times = [START + k * HOUR for k in indices]
            windows.append(Window(f"region-{region:02}", indices, times[length // 2 - 1], times[0], times[-1]))
    return WindowList(tuple(windows), Counter({"missing frame": 2}), independent)


def used(windows) -> set[tuple[str, int]]:
    return {(window.sequence, index) for window in windows for index in window.indices}


def moments(windows) -> set[int]:
    return {index for window in windows for index in window.indices}


def check_apart(division, original: WindowList, frames_of=used) -> None:
    """No two sides share a frame, and no window is lost or doubled."""
    for k, one in enumerate(SIDES):
        for other in SIDES[k + 1 :]:
            assert not frames_of(division[one]) & frames_of(division[other])
    everything = [w for side in (*SIDES, "dropped") for w in division[side]]
    assert len(everything) == len(original)
    assert set(everything) == set(original)


def size_of(division) -> dict[str, int]:
    return {side: len(windows) for side, windows in division.items()}


class TestTime:
    def test_windows_lie_within_their_side_and_the_gap_is_dropped(self):
        windows = series(step=2, length=12)
        split = TimeSplit(train_end="2017-08-12T00:00", validation_start="2017-08-13")
        division = split.divide(windows)
        check_apart(division, windows, moments)
        # 96 hours before the end, 120 hours before the start; a window spans 22 hours.
        assert max(moments(division["train"])) == 95
        assert min(moments(division["validation"])) == 120
        assert size_of(division) == {
            "train": 3 * (96 - 22),
            "validation": 3 * (157 - 120 - 22),
            "test": 0,
            "dropped": 3 * (135 - (96 - 22) - (157 - 120 - 22)),
        }
        assert division["train"].rejected == {"missing frame": 2}

    @pytest.mark.thorough
    @settings(deadline=None, max_examples=40)
    @given(
        hours=st.lists(st.integers(0, 160), min_size=4, max_size=4).map(sorted),
        length=st.integers(2, 12),
        step=st.integers(1, 3),
        given_end=st.booleans(),
        given_test=st.booleans(),
    )
    def test_no_two_sides_share_a_moment(self, hours, length, step, given_end, given_test):
        a, b, c, d = (str(START + h * HOUR) for h in hours)
        split = TimeSplit(
            train_end=a[:19],
            validation_start=b[:19],
            validation_end=c[:19] if given_end else None,
            test_start=d[:19] if given_test else None,
        )
        windows = series(2, 157, length, step)
        division = split.divide(windows)
        check_apart(division, windows, moments)
        end = c if given_end else d if given_test else "2999"
        limits = {"train": ("", a), "validation": (b, end), "test": (d if given_test else "2999", "2999")}
        for side, (low, high) in limits.items():
            expected = [w for w in windows if str(w.start_time) >= low and str(w.end_time) < high]
            assert list(division[side]) == expected

    def test_dates_in_disorder(self):
        with pytest.raises(ConfigError, match=r"validation_start .* before train_end") as error:
            TimeSplit(train_end="2017-08-13", validation_start="2017-08-12")
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        "typo",
        ["2017-13-01", "12.08.2017", "yesterday", "", "NaT", "1600-01-01", "9999-12-31", "0001-01-01T00:00+02:00"],
    )
    def test_a_date_with_a_typo(self, typo):
        with pytest.raises(ConfigError) as error:
            TimeSplit(train_end=typo, validation_start="2017-08-13")
        text = str(error.value)
        assert "train_end" in text and repr(typo) in text and "ISO" in text and "\n" not in text

    def test_offsets_from_utc_are_applied(self):
        assert parse_date("2017-08-12T06:00+02:00", "train_end") == np.datetime64("2017-08-12T04:00")
        assert parse_date("2017-08-12T06:00Z", "train_end") == np.datetime64("2017-08-12T06:00")
        assert parse_date("2017-08-12", "train_end") == np.datetime64("2017-08-12")

    def test_an_archive_of_later_observations_has_no_training_side(self):
        split = TimeSplit(train_end="2017-01-01", validation_start="2017-01-02", test_start="2017-02-01")
        windows = series()
        assert size_of(split.divide(windows)) == {"train": 0, "validation": 0, "test": len(windows), "dropped": 0}


class TestRegion:
    @pytest.mark.thorough
    @settings(deadline=None)
    @given(regions=st.integers(3, 30), seed=st.integers(0, 5), validation=st.floats(0, 0.4), test=st.floats(0, 0.4))
    def test_fractions(self, regions, seed, validation, test):
        windows = series(regions, frames=14)
        wanted = {
            side: max(1, round(fraction * regions)) if fraction else 0
            for side, fraction in (("validation", validation), ("test", test))
        }
        split = RegionSplit(validation=validation, test=test, seed=seed)
        assume(sum(wanted.values()) <= regions)
        division = split.divide(windows)
        check_apart(division, windows)
        counts = {side: len(division[side].sequences) for side in SIDES}
        assert counts == {"train": regions - sum(wanted.values()), **wanted}
        assert not division["dropped"]

    def test_the_seed_decides_and_new_sequences_move_few(self):
        def sides(regions, seed):
            division = RegionSplit(seed=seed).divide(series(regions, frames=12))
            return {name: side for side in SIDES for name in division[side].sequences}

        assert sides(40, 0) == sides(40, 0)
        assert sides(40, 0) != sides(40, 1)
        before, after = sides(40, 0), sides(41, 0)
        assert sum(before[name] != after[name] for name in before) <= 2

    def test_names(self):
        windows = series(5)
        division = RegionSplit(validation=("region-03",), test=("region-00", "region-04")).divide(windows)
        assert {side: division[side].sequences for side in SIDES} == {
            "train": ("region-01", "region-02"),
            "validation": ("region-03",),
            "test": ("region-00", "region-04"),
        }
        check_apart(division, windows)

    def test_a_misspelt_name_is_told_with_the_nearest(self):
        with pytest.raises(DataError, match=r"region-3, .* region-03"):
            RegionSplit(validation=("region-3",)).divide(series(5))

    def test_a_sequence_named_twice(self):
        with pytest.raises(ConfigError, match="a would be in validation and in test"):
            RegionSplit(validation=("a", "b"), test=("a",))

    @pytest.mark.parametrize("fractions", [(-0.1, 0.1), (0.5, 0.5), (1.0, 0.0), (float("nan"), 0.1)])
    def test_impossible_fractions(self, fractions):
        with pytest.raises(ConfigError, match="something for training"):
            RegionSplit(validation=fractions[0], test=fractions[1])


class TestRandom:
    @pytest.mark.thorough
    @settings(deadline=None, max_examples=40)
    @given(
        seed=st.integers(0, 20),
        length=st.integers(2, 8),
        step=st.integers(1, 2),
        block=st.sampled_from([None, "16h", "1d", "31h"]),
        validation=st.floats(0.05, 0.4),
        test=st.floats(0, 0.4),
    )
    def test_no_two_sides_share_a_moment_in_any_sequence(self, seed, length, step, block, validation, test):
        windows = series(2, 157, length, step)
        division = RandomSplit(validation=validation, test=test, block=block, seed=seed).divide(windows)
        check_apart(division, windows, moments)

    def test_every_block_is_on_one_side_and_fractions_are_met(self):
        windows = series(1, frames=2400, length=4)
        division = RandomSplit(validation=0.2, test=0.1, block="1d", seed=3).divide(windows)
        days = {side: {k // 24 for k in moments(division[side])} for side in SIDES}
        assert (len(days["validation"]), len(days["test"]), len(days["train"])) == (20, 10, 70)

    def test_the_seed_decides(self):
        windows = series(1, frames=600, length=4)
        assert RandomSplit(seed=1).divide(windows) == RandomSplit(seed=1).divide(windows)
        assert RandomSplit(seed=1).divide(windows) != RandomSplit(seed=2).divide(windows)

    def test_blocks_that_cannot_work(self):
        with pytest.raises(ConfigError, match="block 10h is shorter than a window"):
            RandomSplit(block="10h").divide(series())
        with pytest.raises(ConfigError, match="not a duration"):
            RandomSplit(block="often")


class TestAuto:
    def test_independent_sequences_are_told_apart(self):
        windows = series(10, frames=20, independent=True)
        assert AutoSplit(seed=4).resolve(windows) == RegionSplit(seed=4)
        assert AutoSplit(seed=4).divide(windows) == RegionSplit(seed=4).divide(windows)

    @pytest.mark.parametrize(("regions", "independent"), [(9, True), (10, False)])
    def test_all_others_are_split_by_time(self, regions, independent):
        assert isinstance(AutoSplit().resolve(series(regions, independent=independent)), TimeSplit)

    def test_sides_and_gaps_of_a_long_series(self):
        windows = series(1, frames=1000)
        split = AutoSplit().resolve(windows)
        division = split.divide(windows)
        gap = parse_date(split.validation_start, "") - parse_date(split.train_end, "")
        assert abs(gap - 11 * HOUR) <= np.timedelta64(2, "s")
        share = {side: len(division[side]) / sum(len(division[s]) for s in SIDES) for side in SIDES}
        assert share == pytest.approx({"train": 0.7, "validation": 0.15, "test": 0.15}, abs=0.01)

    @pytest.mark.thorough
    @settings(deadline=None)
    @given(frames=st.integers(20, 300), length=st.integers(2, 12), step=st.integers(1, 2))
    def test_sides_never_share_a_moment_and_a_short_series_is_an_error(self, frames, length, step):
        window = (length - 1) * step
        assume(frames - 1 >= window)
        windows = series(1, frames, length, step)
        try:
            division = AutoSplit().divide(windows)
        except DataError as error:
            assert "\n" not in str(error)
            assert frames - 1 <= 3 * window + 40  # it needs three windows and something to move them in
        else:
            check_apart(division, windows, moments)
            assert all(division[side] for side in SIDES)

    def test_too_short(self):
        with pytest.raises(DataError, match="too little to split by time"):
            AutoSplit().divide(series(1, frames=30))


class TestConfiguration:
    adapter = TypeAdapter(AnySplit)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ({"kind": "auto"}, AutoSplit()),
            ({"kind": "region", "validation": ["a"], "test": 0}, RegionSplit(validation=("a",), test=0.0)),
            ({"kind": "random", "block": "2d"}, RandomSplit(block="2d")),
            (
                {"kind": "time", "train_end": date(2017, 8, 12), "validation_start": datetime(2017, 8, 13, 6)},
                TimeSplit(train_end="2017-08-12", validation_start="2017-08-13 06:00:00"),
            ),
        ],
    )
    def test_read_from_yaml_and_back(self, text, expected):
        split = self.adapter.validate_python(text)
        assert split == expected
        assert self.adapter.validate_json(self.adapter.dump_json(split)) == split

    def test_a_misspelt_key(self):
        with pytest.raises(ValidationError, match="train_stop"):
            self.adapter.validate_python({"kind": "time", "train_stop": "2017-08-12"})


def test_few_training_windows_are_told_with_what_was_dropped():
    split = AutoSplit()
    short = split.divide(series(regions=1, frames=40))
    assert (len(short["train"]), len(short["dropped"])) == (3, 24)
    assert "only 3 of 29 windows" in few(short, split) and "; 24 that touch two sides" in few(short, split)
    assert few(split.divide(series(regions=1)), split) == ""
    many = split.divide(series(regions=28, frames=64))
    assert len(many["train"]) == 308 and "1008 that touch" in few(many, split)  # more dropped than kept
