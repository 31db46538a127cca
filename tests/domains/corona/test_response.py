import numpy as np
import pytest

from framecast.core.errors import ConfigError
from framecast.domains.corona.response import check_channels, dn_per_photon, expose, response


def test_hotter_plasma_moves_from_193_to_211_to_94():
    temperature = np.linspace(5.5, 7.1, 200)
    peaks = [temperature[response(name, temperature).argmax()] for name in ("171", "193", "211", "335", "94")]
    assert peaks == sorted(peaks)
    assert response("193", np.array(6.19)) == pytest.approx(1000, rel=1e-3)


def test_one_photon_of_193_is_worth_about_one_dn():
    # Boerner et al. (2012), table 2 and section 2.4: 193 Å frees 17.6 electrons, read at 18.3 electrons per DN.
    assert dn_per_photon("193") == pytest.approx(0.97, abs=0.03)
    assert dn_per_photon("94") == pytest.approx(2.01, abs=0.06)


def test_photon_noise_has_the_mean_and_variance_of_counted_photons():
    expected = np.full((1, 200, 200), 50.0)
    seen = expose(expected, ("193",), 2.0, np.random.default_rng(0))
    assert seen.dtype == np.float32
    assert seen.mean() == pytest.approx(50.0, rel=0.002)
    assert seen.var() == pytest.approx(50.0 * dn_per_photon("193") / 2.0, rel=0.03)


@pytest.mark.parametrize("channels", [(), ("193", "193"), ("193", "195")])
def test_channels_must_be_known_and_each_once(channels):
    with pytest.raises(ConfigError, match="name at least one of 94, 131, 171"):
        check_channels(channels)
