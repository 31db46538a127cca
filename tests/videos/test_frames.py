import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framecast.core.configuration import from_plain, to_plain
from framecast.core.errors import ConfigError, DataError
from framecast.core.options import format_duration, parse_duration
from framecast.videos.frames import FrameSpec, as_float32, nanoseconds

SPEC = FrameSpec(
    past_channels=("193", "211", "94"),
    future_channels=("94",),
    past=6,
    future=4,
    cadence=7200.0,
    height=96,
    width=128,
)


class TestFrameSpec:
    def test_shapes_and_lead_times(self):
        assert SPEC.past_shape == (3, 6, 96, 128)
        assert SPEC.future_shape == (1, 4, 96, 128)
        assert SPEC.lead_times == (7200.0, 14400.0, 21600.0, 28800.0)

    @pytest.mark.parametrize("name", ["past", "future", "cadence", "height", "width"])
    @pytest.mark.parametrize("value", [0, -1, float("nan")])
    def test_what_must_be_positive(self, name, value):
        with pytest.raises(ConfigError, match=f"{name} is {value}; .*positive"):
            dataclasses.replace(SPEC, **{name: value})

    @pytest.mark.parametrize("name", ["past_channels", "future_channels"])
    @pytest.mark.parametrize("channels", [(), ("94", "94")])
    def test_channels_are_named_once(self, name, channels):
        with pytest.raises(ConfigError, match=name):
            dataclasses.replace(SPEC, **{name: channels})

    def test_its_json_is_its_arguments(self):
        assert from_plain(FrameSpec, to_plain(SPEC), where="frames") == SPEC
        with pytest.raises(ConfigError, match="cadance"):
            from_plain(FrameSpec, dataclasses.asdict(SPEC) | {"cadance": 1}, where="frames")


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("12s", 12),
            ("12 sec", 12),
            ("5min", 300),
            ("5 m", 300),
            ("2h", 7200),
            ("1.5d", 129600),
            ("90", 90),
            (90, 90),
            (0.5, 0.5),
            (" 2 h ", 7200),
            ("1e3s", 1000),
        ],
    )
    def test_known_ones(self, text, seconds):
        assert parse_duration(text) == seconds

    @pytest.mark.parametrize("text", ["", "h", "2 weeks", "-2h", "0", "0min", "nan", "inf", "1h30", "2hh", "two hours"])
    def test_what_is_none_is_told_with_an_example(self, text):
        with pytest.raises(ConfigError) as error:
            parse_duration(text)
        assert repr(text) in str(error.value) and "such as 12s, 5min or 2h" in str(error.value)

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(7200, "2h"), (86400, "1d"), (129600, "36h"), (300, "5min"), (45, "45s"), (0.5, "0.5s"), (12.25, "12.25s")],
    )
    def test_written_in_the_longest_unit_that_is_exact(self, seconds, text):
        assert format_duration(seconds) == text

    @settings(deadline=None)
    @given(
        st.one_of(st.integers(1, 999_999), st.integers(1, 10**6).map(lambda n: n * 60), st.sampled_from([0.5, 12.24]))
    )
    def test_reading_undoes_writing(self, seconds):
        assert parse_duration(format_duration(seconds)) == seconds

    @settings(deadline=None)
    @given(st.floats(1e-3, 1e9))
    def test_reading_undoes_writing_of_any_number(self, seconds):
        assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-5)


class TestNanoseconds:
    def test_times_of_any_unit_keep_their_moment(self):
        for unit in ("D", "s", "us", "ns"):
            times = np.array(["1678-01-01", "2017-08-08", "2261-12-31", "NaT"], f"datetime64[{unit}]")
            kept = nanoseconds(times)
            assert kept.dtype == "datetime64[ns]"
            assert np.array_equal(kept[:3], times[:3])
            assert np.isnat(kept[3])
            assert nanoseconds(times[1]) == times[1]

    @pytest.mark.parametrize("year", ["0850", "1677", "2263", "9999"])
    def test_others_are_refused(self, year):
        """NumPy makes another year of them and says nothing."""
        time = np.datetime64(f"{year}-01-01", "s")
        with pytest.raises(ValueError, match=f"{year}-01-01.* from 1678 to 2261"):
            nanoseconds(time)
        with pytest.raises(ValueError, match=f"{year}-01-01"):
            nanoseconds(np.array([np.datetime64("2017-08-08", "s"), time]))


class TestUnevenTimes:
    CHANNELS = {"past_channels": ("a",), "future_channels": ("a",), "height": 8, "width": 8}

    def at(self, lags, leads):
        return FrameSpec.at([3600.0 * lag for lag in lags], [3600.0 * lead for lead in leads], **self.CHANNELS)

    def test_the_cadence_is_the_step_that_divides_them_all(self):
        spec = self.at([-12, -8, -4, -2, 0], [2, 4, 8, 12])
        assert (spec.past, spec.future, spec.cadence, spec.even) == (5, 4, 7200.0, False)
        assert spec.past_times[0] == -43200.0
        assert spec.lead_times == (7200.0, 14400.0, 28800.0, 43200.0)
        assert from_plain(FrameSpec, to_plain(spec), where="spec") == spec

    def test_even_times_need_no_list(self):
        assert self.at([-4, -2, 0], [2, 4]) == FrameSpec(past=3, future=2, cadence=7200.0, **self.CHANNELS)

    @pytest.mark.parametrize(
        ("lags", "leads"), [([-2, -1], [1, 3]), ([0, -2], [1, 3]), ([-2, 0], [0, 1]), ([], [1]), ([0], [])]
    )
    def test_times_must_rise_through_the_last_frame_seen(self, lags, leads):
        with pytest.raises(ConfigError, match="must increase"):
            self.at(lags, leads)

    def test_the_next_past_is_found_among_the_frames(self):
        assert self.at([-4, -1, 0], [1, 3, 4]).rolled == (2, 4, 5)
        assert FrameSpec(past=3, future=2, cadence=60.0, **self.CHANNELS).rolled == (2, 3, 4)
        assert FrameSpec(past=1, future=3, cadence=60.0, **self.CHANNELS).rolled == (3,)
        with pytest.raises(ConfigError, match="10h, 11h"):
            _ = self.at([-12, -2, -1, 0], [1, 6, 12]).rolled

    @given(past=st.integers(1, 5), future=st.integers(1, 5), count=st.integers(1, 17))
    def test_the_horizon_of_even_frames_is_any_number_of_them(self, past, future, count):
        spec = FrameSpec(past=past, future=future, cadence=600.0, **self.CHANNELS)
        assert spec.extended(600.0 * count) == dataclasses.replace(spec, future=count)


def test_masked_numbers_are_nan_and_complex_ones_refused():
    masked = np.ma.array([1, -9999, 3], mask=[False, True, False])
    for values in (masked, masked.astype(">f8"), np.array([1, np.nan, 3]), [1, np.nan, 3]):
        found = as_float32(values)
        assert found.dtype == np.float32
        assert not np.ma.isMaskedArray(found)
        np.testing.assert_array_equal(found, [1, np.nan, 3])
    with pytest.raises(DataError, match="complex: give their magnitude"):
        as_float32([1 + 1j])
