"""Keep astropy from the network, for as long as framecast asks it something.

astropy fetches tables of the Earth's rotation and of leap seconds when the ones it brought along are old, and fails
where there is no network. Nothing framecast computes needs them to better than a millisecond, so within `offline` the
tables at hand are used whatever their age; afterwards the user's own settings hold again.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def offline() -> Iterator[None]:
    """Within the block, astropy uses the tables it has and asks no server."""
    from astropy.utils import iers
    from erfa import ErfaWarning

    with (
        warnings.catch_warnings(),
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("auto_max_age", None),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        warnings.filterwarnings("ignore", "(?s).*dubious year", ErfaWarning)  # leap seconds of years to come
        yield
