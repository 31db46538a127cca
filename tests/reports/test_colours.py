"""Which colours a channel is shown in."""

import matplotlib

from framecast.core.domain import Domain
from framecast.reports.colours import colour_map


def test_data_of_no_domain_is_shown_in_a_map_of_even_steps() -> None:
    assert colour_map("t2m", Domain()).name == colour_map("171", Domain()).name == "inferno"


def test_a_domain_chooses_the_colours_of_the_channels_it_knows() -> None:
    ocean = Domain(name="ocean", colours={"depth": matplotlib.colormaps["Blues"]}.get)
    assert colour_map("depth", ocean).name == "Blues"
    assert colour_map("salinity", ocean).name == "inferno"
