"""The degradation of SDO/AIA: the sensitivity of a channel relative to launch.

The factor is that of `aiapy.calibrate.degradation` (Barnes et al. 2020, JOSS 5, 2801; Boerner et al. 2014, Solar
Physics 289, 2377): the effective area of the calibration epoch against that of the first one, times a polynomial
within the epoch. The table of epochs is revised every few years, and a table older than the observations
extrapolates to wrong values, even negative ones: such factors are refused.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import DataError
from framecast.core.text import one_line
from framecast.domains.solar.offline import offline

SERVERS = ("jsoc", "ssw")
"""Sources of tables for aiapy: the series aia.response at JSOC, or the file in SolarSoft's tree."""


@dataclass(frozen=True)
class CorrectionTable:
    """A table of calibration epochs.

    Attributes:
        name: the file's name, or the server it was fetched from.
        sha256: checksum of the file; empty for a fetched table.
        newest: when the newest row was made.
        rows: the table, as aiapy reads it.
    """

    name: str
    sha256: str
    newest: str
    rows: Any = field(repr=False, compare=False)
    _known: dict[tuple[int, np.datetime64], float] = field(init=False, repr=False, compare=False, default_factory=dict)

    @classmethod
    def read(cls, source: str | Path) -> "CorrectionTable":
        """Return the table in a file as SolarSoft has it (``aia_V*_response_table.txt``), or fetched from jsoc or ssw.

        Raises:
            DataError: there is no such file, it is not such a table, or the server has none.
        """
        from aiapy.calibrate.util import get_correction_table

        path, server = Path(source), str(source).lower()
        fetched = server in SERVERS
        if not fetched and not path.is_file():
            raise DataError(
                f"there is no correction table at {source}: give a file such as aia_V10_20201119_190000_response_table"
                ".txt from SolarSoft's sdo/aia/response, or jsoc to fetch the newest"
            )
        try:
            with offline():
                rows = get_correction_table(server if fetched else path)
                newest = str(max(str(date) for date in rows["DATE"]))
        except Exception as error:  # astropy's readers, drms and urllib raise many kinds
            reason = one_line(error, most=200) or type(error).__name__
            raise DataError(
                f"no correction table could be fetched from {server.upper()} ({reason}): give a file instead"
                if fetched
                else f"{source} cannot be read as a correction table of AIA ({reason})"
            ) from None
        digest = "" if fetched else hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(name=server.upper() if fetched else path.name, sha256=digest, newest=newest, rows=rows)

    def factor(self, wavelength: int, time: np.datetime64) -> float:
        """Return the fraction of light registered at ``wavelength`` (ångström) on the day of ``time``: 1 at launch.

        The factor of the day's noon: within a day it changes by less than 0.1 %.

        Raises:
            DataError: the table has nothing for the channel or the day, or an impossible factor.
        """
        day = time.astype("datetime64[D]")
        if (wavelength, day) not in self._known:
            self._known[wavelength, day] = self._compute(wavelength, day)
        return self._known[wavelength, day]

    def describe(self) -> str:
        """Return the step in words."""
        return f"divided by the degradation of its channel (aiapy, table {self.name})"

    def provenance(self) -> dict[str, Any]:
        """Return which table it is, as JSON values."""
        import aiapy

        return {"table": self.name, "sha256": self.sha256, "newest_row": self.newest, "aiapy": aiapy.__version__}

    def _compute(self, wavelength: int, day: np.datetime64) -> float:
        import astropy.units as u
        from aiapy.calibrate import degradation
        from astropy.time import Time

        try:
            with offline():
                share = degradation(wavelength * u.angstrom, Time(f"{day}T12:00:00"), correction_table=self.rows)
        except Exception as error:
            reason = " ".join(str(error).split()).partition(": [")[0]
            raise DataError(
                f"the correction table {self.name} has nothing for {wavelength} Å on {day}: {reason}"
            ) from None
        factor = float(np.asarray(share).item())
        if not 0 < factor < 10:
            raise DataError(
                f"the correction table {self.name} gives {wavelength} Å on {day} a degradation of {factor:.3g}, "
                f"which is impossible: its newest row is dated {self.newest[:10]}; give a newer table"
            )
        return factor
