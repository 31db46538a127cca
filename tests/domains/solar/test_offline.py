"""astropy is kept from the network while framecast asks it something, and only then."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.utils import iers

from framecast.domains.solar.offline import offline


def test_settings_hold_within_the_block_and_are_the_users_afterwards() -> None:
    with iers.conf.set_temp("auto_download", True), iers.conf.set_temp("auto_max_age", 17.0):
        with offline():
            assert iers.conf.auto_download is False
            assert iers.conf.auto_max_age is None
        assert iers.conf.auto_download is True
        assert iers.conf.auto_max_age == 17.0


def test_positions_far_in_the_future_need_no_table() -> None:
    from sunpy.coordinates.sun import L0

    with offline():
        assert 0 <= L0("2031-05-01T00:00:00").deg <= 360


@pytest.mark.slow
def test_a_home_directory_that_cannot_be_written_is_none_for_sunpy(tmp_path: Path) -> None:
    """sunpy and astropy make folders there when they are imported, and sunpy fails without them."""
    (tmp_path / "home").write_text("a file, in which no folder can be made")
    settings = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "SUNPY_CONFIGDIR", "ASTROPY_CONFIG_DIR", "USERPROFILE")
    environment = {name: value for name, value in os.environ.items() if name not in settings}
    code = "import framecast.domains.solar.maps, sunpy.map, sunpy.data, os; print(os.environ['SUNPY_CONFIGDIR'])"
    home = str(tmp_path / "home")
    environment |= {"HOME": home, "USERPROFILE": home, "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).exists()  # removed at the end
