"""What is known in advance: clocks by their angle, channels as they are."""

import numpy as np
import pytest
import torch

from framecast.core.errors import ConfigError, DataError
from framecast.videos.forcings import assemble, clock, frame_times, planes
from framecast.videos.frames import FrameSpec

TIMES = np.array(["2020-01-01T00:00", "2020-01-01T06:00", "2020-07-02T12:00", "2021-12-31T23:59"], "datetime64[ns]")


def test_the_hour_turns_once_a_day_and_the_season_once_a_year():
    cos, sin = clock("hour", TIMES)
    np.testing.assert_allclose(cos, [1, 0, -1, 1], atol=1e-4)
    np.testing.assert_allclose(sin, [0, 1, 0, 0], atol=5e-3)
    cos, sin = clock("season", TIMES)
    np.testing.assert_allclose(cos, [1, 1, -1, 1], atol=1e-4)  # 2 July is the middle of a leap year
    np.testing.assert_allclose(sin, [0, 0, 0, 0], atol=1e-2)


def test_the_times_are_those_of_past_and_future():
    frames = FrameSpec(past_channels=("a",), future_channels=("a",), past=2, future=3, cadence=3600, height=4, width=4)
    times = frame_times(np.datetime64("2020-01-01T12:00"), frames)
    assert [str(time)[11:13] for time in times] == ["11", "12", "13", "14", "15"]


def test_planes_stand_in_the_order_of_the_names():
    height = torch.arange(12.0).reshape(1, 3, 4).expand(4, 3, 4)
    found = assemble(["season", "height", "mu"], TIMES, {"height": height, "mu": torch.arange(4.0)}, (3, 4))
    assert found.shape == (planes(["season", "height", "mu"]), 4, 3, 4) == (4, 4, 3, 4)
    torch.testing.assert_close(found[2], height)
    assert (found[3] == torch.arange(4.0)[:, None, None]).all()


def test_what_is_not_known_is_refused():
    with pytest.raises(ConfigError, match="dates"):
        assemble(["hour"], None, {}, (3, 4))
    with pytest.raises(ConfigError, match="mu"):
        assemble(["mu"], TIMES, {}, (3, 4))
    with pytest.raises(DataError, match="frame 2"):
        assemble(["mu"], TIMES, {"mu": torch.tensor([1, 2, torch.nan, 4])}, (3, 4))
    with pytest.raises(DataError, match="3 and 4"):
        assemble(["hour", "mu"], TIMES, {"mu": torch.ones(3)}, (3, 4))
