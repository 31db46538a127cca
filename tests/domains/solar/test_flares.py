"""Classes of flares, and the largest to come."""

import numpy as np
import pytest

from framecast.core.errors import ConfigError
from framecast.domains.solar.flares import Flare, largest_within, peak_flux, thresholds
from framecast.domains.solar.tables import region_number

START = np.datetime64("2017-09-06T00:00", "ns")
HOUR = np.timedelta64(1, "h")


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
    # A flare that starts with the frame is no longer to come; one that starts at the end of the horizon is beyond it.
    assert largest_within(times, flares, horizon=7200).tolist() == [0, 1, 2, 0, 0, 0]
    assert largest_within(times, flares, horizon=3601).tolist() == [0, 1, 2, 0, 0, 0]
    assert largest_within(times, flares, horizon=3600).tolist() == [0] * 6
    assert largest_within(times, flares, horizon=7200, classes=("no", "X")).tolist() == [0] * 6
    assert largest_within(times, [], horizon=7200).tolist() == [0] * 6
