from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.format import MISSING
from framecast.data.windows import Window, WindowList, _runs, find_windows, manifest_hash
from framecast.videos.frames import FrameSpec

START = np.datetime64("2017-08-08T00:00", "ns")


def frame_spec(past=3, future=2, cadence=3600.0, **changes) -> FrameSpec:
    options = {"past_channels": ("193",), "future_channels": ("94",), "height": 3, "width": 4, **changes}
    return FrameSpec(past=past, future=future, cadence=cadence, **options)


def window(sequence: str, minute: float, indices=(0, 1, 2)) -> Window:
    time = START + np.timedelta64(round(minute * 60e9), "ns")
    return Window(sequence, indices, time, time, time)


class TestWhichRunsAreWindows:
    def test_all_of_a_gapless_sequence(self, make_archive):
        found = find_windows(make_archive(sequences=2, frames=20), frame_spec())
        assert len(found) == 2 * (20 - 4)
        assert found.rejected == Counter()
        assert found[0] == Window(
            "region-00",
            (0, 1, 2, 3, 4),
            START + np.timedelta64(2, "h"),
            START,
            START + np.timedelta64(4, "h"),
        )
        assert found[-1].sequence == "region-01"
        assert found.sequences == ("region-00", "region-01")

    def test_a_finer_archive_gives_every_phase(self, make_archive):
        found = find_windows(make_archive(sequences=1, frames=20), frame_spec(cadence=7200.0))
        assert [w.indices for w in found[:2]] == [(0, 2, 4, 6, 8), (1, 3, 5, 7, 9)]
        assert len(found) == 20 - 8

    def test_uneven_times(self, make_archive):
        hours = [-6, -2, -1, 0], [1, 4]
        lags, leads = ([3600.0 * hour for hour in each] for each in hours)
        spec = FrameSpec.at(lags, leads, past_channels=("193",), future_channels=("94",), height=3, width=4)
        found = find_windows(make_archive(sequences=1, frames=12), spec)
        assert [w.indices for w in found] == [(0, 4, 5, 6, 7, 10), (1, 5, 6, 7, 8, 11)]
        assert found[0].issue_time == START + np.timedelta64(6, "h")

    def test_stride(self, make_archive):
        found = find_windows(make_archive(sequences=1, frames=20), frame_spec(), stride=5)
        assert [w.indices[0] for w in found] == [0, 5, 10, 15]

    def test_times_may_be_off_by_the_tolerance_and_no_more(self, make_archive):
        def shake(name, dataset):
            times = dataset.time.values.copy()
            times[3] += np.timedelta64(300, "s")
            return dataset.assign_coords(time=times)

        archive = make_archive(sequences=1, frames=5, edit=shake)
        assert len(find_windows(archive, frame_spec(), tolerance=300 / 3600)) == 1
        with pytest.raises(DataError, match="1 frame off its time"):
            find_windows(archive, frame_spec(), tolerance=299 / 3600)

    @pytest.mark.thorough
    @settings(deadline=None)
    @given(
        minutes=st.lists(st.integers(0, 600), min_size=1, max_size=60, unique=True).map(sorted),
        past=st.integers(1, 3),
        future=st.integers(1, 3),
        cadence=st.integers(5, 60),
        tolerance=st.floats(0, 0.49),
        stride=st.integers(1, 3),
        data=st.data(),
    )
    def test_as_defined_for_any_times(self, minutes, past, future, cadence, tolerance, stride, data):
        """Compared with the definition, carried out frame by frame."""
        present = np.array(data.draw(st.lists(st.booleans(), min_size=len(minutes), max_size=len(minutes))))
        times = START + np.array(minutes) * np.timedelta64(60 * 10**9, "ns")
        spec = frame_spec(past, future, cadence * 60.0)
        indices, complete, _ = _runs(times, present, spec, tolerance, stride, past + future)
        expected = []
        count = past + future
        slack = round(tolerance * cadence * 60e9) / 60e9
        for first in range(0, len(minutes), stride):
            if minutes[first] + (count - 1) * cadence > minutes[-1] + slack:
                continue
            run = []
            for k in range(count):
                wanted = minutes[first] + k * cadence
                there = [i for i in range(len(minutes)) if present[i] and abs(minutes[i] - wanted) <= slack]
                run.append(min(there, key=lambda i: abs(minutes[i] - wanted), default=None))
            expected.append(None if run[0] != first or None in run else tuple(run))
        found = [tuple(row) if good else None for row, good in zip(indices.tolist(), complete, strict=True)]
        assert found == expected
        assert all(row is None or len(set(row)) == count for row in found)

    def test_one_window_for_each_issue_time(self, make_archive):
        def crowd(name, dataset):
            return dataset.assign_coords(time=START + np.array([0, 10, 3600, 7200, 7210]) * np.timedelta64(10**9, "ns"))

        found = find_windows(make_archive(sequences=1, frames=5, edit=crowd), frame_spec(2, 1))
        assert [w.indices for w in found] == [(0, 2, 3)]
        assert found.rejected == {"repeated issue time": 1}


class TestRejections:
    @pytest.mark.thorough
    def test_each_is_counted_by_its_reason(self, make_archive):
        def spoil(name, dataset):
            if name == "region-00":  # frame 2 is absent
                return dataset.isel(time=[0, 1, *range(3, 10)])
            quality = np.zeros(10, int)
            pixels = dataset["intensity"]
            match name:
                case "region-01":
                    quality[9] = 1024
                case "region-02":
                    pixels[0, 0, 0, :] = np.nan
                case "region-03":
                    pixels[9, 1, 0, 0] = np.inf
            return dataset.assign(quality=("time", quality))

        archive = make_archive(sequences=5, frames=10, edit=spoil)
        found = find_windows(archive, frame_spec())
        # Of 6 starts per sequence: 0 and 1 cross the gap (2 does not exist), 1 reaches the last frame, 1 has the first.
        assert found.rejected == {"missing frame": 2, "bad quality": 1, "off disk": 1, "not finite": 1}
        assert len(found) == (5 - 2) + 3 * 5 + 6
        assert found.describe() == "24 windows, rejected: 1 bad quality, 2 missing frame, 1 not finite, 1 off disk"

    def test_frames_of_bad_quality_and_missing_ones_are_told_apart(self, make_archive):
        def doubt(name, dataset):
            return dataset.assign(quality=("time", [0, 1, 0, 0, 0, 0, MISSING]))

        archive = make_archive(sequences=1, frames=7, edit=doubt)
        found = find_windows(archive, frame_spec(1, 1))
        assert (len(found), found.rejected) == (3, {"bad quality": 2, "missing frame": 1})

    def test_masked_fraction_is_a_limit_that_may_be_reached(self, make_archive):
        def mask(name, dataset):
            dataset["intensity"][:, 0, 0, :] = np.nan  # a third of every frame
            return dataset

        archive = make_archive(sequences=1, edit=mask)
        assert len(find_windows(archive, frame_spec(), max_masked=0.34)) == 16
        with pytest.raises(DataError, match=r"16 off disk; 33.3 % .*=0.33 .*=0.34"):
            find_windows(archive, frame_spec(), max_masked=0.33)

    def test_channels_and_times_that_are_not_used_do_not_count(self, make_archive):
        def mask(name, dataset):
            dataset["intensity"][:, 1] = np.nan
            dataset["intensity"][-1, 0] = np.inf
            return dataset

        archive = make_archive(sequences=1, edit=mask)
        with pytest.raises(DataError, match="off disk"):
            find_windows(archive, frame_spec())
        found = find_windows(archive, frame_spec(future_channels=("193",)))
        assert (len(found), found.rejected) == (15, {"not finite": 1})


class TestNoWindow:
    @pytest.mark.thorough
    @pytest.mark.parametrize(
        ("spec", "words"),
        [
            (frame_spec(15, 10), ("15 past and 10 future frames every 1h", "24 h", "19 h")),
            (frame_spec(cadence=5400.0), ("28 frame off its time", "every 1h", "multiple")),
            (frame_spec(past_channels=("193", "171"), future_channels=("335",)), ("171, 335", "193, 94")),
            (frame_spec(height=4), ("3×4", "4×4")),
        ],
    )
    def test_the_reason_is_told_in_one_line(self, make_archive, spec, words):
        with pytest.raises(DataError) as error:
            find_windows(make_archive(), spec)
        text = str(error.value)
        assert "\n" not in text
        for word in words:
            assert word in text

    @pytest.mark.thorough
    @pytest.mark.parametrize("options", [{"tolerance": 0.5}, {"tolerance": -0.1}, {"stride": 0}, {"max_masked": 1.1}])
    def test_options_out_of_range(self, make_archive, options):
        with pytest.raises(ConfigError, match=next(iter(options))):
            find_windows(make_archive(), frame_spec(), **options)


class TestNames:
    @pytest.mark.parametrize(
        ("minute", "expected"),
        [
            (360, "AR@2017-08-08T06:00"),
            (0.2, "AR@2017-08-08T00:00:12"),
            (0.2057, "AR@2017-08-08T00:00:12.342"),
        ],
    )
    def test_an_id_is_as_precise_as_it_must_be(self, minute, expected):
        assert window("AR", minute).id == expected

    def test_ids_are_unique(self, make_archive):
        found = find_windows(make_archive(cadence=0.5, sequences=2), frame_spec(cadence=0.5))
        assert len({w.id for w in found}) == len(found)

    def test_the_manifest_is_that_of_the_set_of_windows(self):
        windows = [window("a", 0), window("a", 60), window("b", 0)]
        assert manifest_hash(windows) == manifest_hash(windows[::-1])
        others = [windows[:2], [*windows[:2], window("b", 60)], [*windows[:2], window("b", 0, (0, 1, 3))]]
        assert len({manifest_hash(w) for w in (windows, *others)}) == 4
        # Computed elsewhere, as sha256 of the sorted lines "id indices".
        assert manifest_hash(windows[:1]) == "47e22981eebe183848710e8268ccad3159eeade78cafb2ad22487eae7ee62547"

    def test_a_slice_keeps_what_is_known_of_the_search(self):
        windows = WindowList((window("a", 0), window("a", 60)), Counter({"off disk": 3}), independent=True)
        assert windows[1:] == WindowList((window("a", 60),), Counter({"off disk": 3}), independent=True)
        assert list(windows) == [windows[0], windows[1]]


@pytest.mark.thorough
def test_independence_is_what_the_archive_states(make_archive):
    assert not find_windows(make_archive(), frame_spec()).independent
    assert find_windows(make_archive(attrs={"independent_sequences": True}), frame_spec()).independent
