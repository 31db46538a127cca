"""What the core learns of the Sun."""

from framecast.domains.solar.domain import SOLAR
from framecast.models.checkpoint import read_config
from framecast.models.released import released_models


def test_the_released_models_are_of_the_sun():
    """They were written before models named their domain."""
    assert read_config(released_models()["sun-171"]).domain is SOLAR
    assert read_config(released_models()["corona-synth"]).domain is SOLAR  # it looks like the Sun


def test_its_words_and_colours():
    assert SOLAR.labels["integral"] == "Fluence"
    assert SOLAR.reasons["masked"] == "off disk"
    assert SOLAR.colours("171").name == "aia171"
    assert SOLAR.colours("rain") is None
