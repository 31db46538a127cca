"""What the core learns of the Sun."""

import xarray as xr

from framecast.core.domain import Domain, find_domain
from framecast.domains.solar.domain import MAGNETOGRAMS, SOLAR
from framecast.models.checkpoint import read_config
from framecast.models.released import released_models
from framecast.verification.quantities import quantities_of


def test_the_released_models_are_of_the_sun():
    """They were written before models named their domain."""
    assert read_config(released_models()["sun-171"]).domain is SOLAR
    assert read_config(released_models()["corona-synth"]).domain is SOLAR  # it looks like the Sun


def test_it_says_where_frames_are():
    positions = {"past_hpc_x": ("past_time", [-10.0]), "past_hpc_y": ("past_time", [200.0])}
    positions |= {"hpc_x": ("lead_time", [0.4, 11]), "hpc_y": ("lead_time", [200.0, 201])}
    sample = xr.Dataset(coords=positions)
    for domain in (SOLAR, MAGNETOGRAMS):
        assert domain.places(sample) == ("x −10″, y +200″", "x +0″, y +200″", "x +11″, y +201″")
        assert domain.places(sample.drop_vars("hpc_x")) == ()
    assert Domain().places(sample) == ()


def test_its_words_and_colours():
    assert SOLAR.labels["integral"] == "Fluence"
    assert SOLAR.reasons["masked"] == "off disk"
    assert SOLAR.colours("171").name == "aia171"
    assert SOLAR.colours("rain") is None


def test_magnetic_fields_have_quantities_of_their_own():
    assert find_domain({}, unit="G", channels=["6173"]) is MAGNETOGRAMS
    assert find_domain({}, unit="level", channels=["6173"]) is MAGNETOGRAMS
    assert find_domain({"domain": "magnetograms"}, unit="level", channels=["5250"]) is MAGNETOGRAMS
    assert find_domain({}, unit="G", channels=["anomaly"]).name == ""
    assert [entry.name for entry in quantities_of(MAGNETOGRAMS) if entry.by_lead][:2] == ["unsigned_flux", "net_flux"]
