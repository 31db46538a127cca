"""The ageing of AIA: aiapy's own factor, its table from a file, and tables too old to be true."""

from itertools import pairwise
from pathlib import Path

import aiapy
import numpy as np
import pytest

from framecast.core.errors import DataError
from framecast.domains.solar.degradation import CorrectionTable

TABLE = Path(aiapy.__file__).parent / "tests" / "data" / "aia_V8_20171210_050627_response_table.txt"


@pytest.fixture(scope="module")
def table() -> CorrectionTable:
    return CorrectionTable.read(TABLE)


def test_factors_are_those_that_aiapy_divides_a_map_by(table: CorrectionTable) -> None:
    import astropy.units as u
    import sunpy.map
    from aiapy.calibrate import correct_degradation
    from aiapy.calibrate.util import get_correction_table

    from framecast.domains.solar.offline import offline

    for wavelength, time in ((171, "2017-08-08T11:45:00"), (94, "2012-07-19T12:30:00"), (211, "2014-01-01T13:00:00")):
        header = {"CDELT1": 2.4, "CDELT2": 2.4, "CRPIX1": 2.5, "CRPIX2": 2.5, "CUNIT1": "arcsec", "CUNIT2": "arcsec"}
        header |= {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CRVAL1": 0, "CRVAL2": 0, "DATE-OBS": time}
        header |= {"WAVELNTH": wavelength, "WAVEUNIT": "angstrom", "INSTRUME": "AIA_3", "TELESCOP": "SDO/AIA"}
        header |= {"DSUN_OBS": 1.5e11, "HGLN_OBS": 0.0, "HGLT_OBS": 0.0, "LVL_NUM": 1.5, "EXPTIME": 1.0, "T_OBS": time}
        with offline():
            one = sunpy.map.Map(np.full((4, 4), 1000.0), header)
            theirs = correct_degradation(one, correction_table=get_correction_table(TABLE)).data[0, 0]
        assert one.wavelength == wavelength * u.angstrom
        # theirs is of the minute, ours of the day's noon
        assert 1000 / table.factor(wavelength, np.datetime64(time)) == pytest.approx(theirs, rel=1e-4)


def test_it_ages(table: CorrectionTable) -> None:
    years = [np.datetime64(f"{year}-06-01T07:00") for year in (2011, 2013, 2015, 2017)]
    for wavelength in (171, 193, 211, 304):
        factors = [table.factor(wavelength, year) for year in years]
        assert all(0 < later < earlier <= 1 for earlier, later in pairwise(factors))


def test_a_table_too_old_is_told(table: CorrectionTable) -> None:
    with pytest.raises(DataError, match=r"304 Å on 2023-05-01 .* -0\.05.* 2017-12-10"):
        table.factor(304, np.datetime64("2023-05-01T00:00"))


@pytest.mark.parametrize(("wavelength", "time"), [(195, "2017-08-08"), (171, "1999-01-01")])
def test_what_the_table_does_not_hold_is_told(table: CorrectionTable, wavelength: int, time: str) -> None:
    with pytest.raises(DataError, match=f"{wavelength} Å on {time}") as caught:
        table.factor(wavelength, np.datetime64(time))
    assert "\n" not in str(caught.value)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no correction table at"):
        CorrectionTable.read(tmp_path / "none.txt")
    (tmp_path / "page.txt").write_text("<html>not found</html>\n")
    with pytest.raises(DataError, match="cannot be read as a correction table") as caught:
        CorrectionTable.read(tmp_path / "page.txt")
    assert "\n" not in str(caught.value)


def test_the_table_says_which_it_is(table: CorrectionTable) -> None:
    told = table.provenance()
    assert told["table"] == TABLE.name
    assert told["newest_row"].startswith("2017-12-10")
    assert len(told["sha256"]) == 64
    assert TABLE.name in table.describe()
