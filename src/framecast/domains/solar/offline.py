"""Keep astropy from the network, and sunpy from a home directory that cannot be written.

astropy fetches tables of the Earth's rotation and of leap seconds when the included ones are old. Nothing framecast
computes needs them to better than a millisecond, so within `offline` the available tables are used.
"""

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def offline() -> Iterator[None]:
    """Within the block, astropy uses the tables it has and contacts no server."""
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


def use_private_settings() -> None:
    """Give sunpy and astropy a temporary folder for their settings where the home directory cannot be written.

    Both want to make a folder there when they are imported, and sunpy fails without it. Worker processes inherit it.
    """
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    if "SUNPY_CONFIGDIR" in os.environ or _can_hold_files(home / "sunpy"):
        return
    folder = tempfile.mkdtemp(prefix="framecast-sunpy-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # What sunpy keeps of downloads is below its working directory, by default the home directory, too.
    Path(folder, "sunpyrc").write_text(f"[general]\nworking_dir = {folder}\n", encoding="utf-8")
    for name in ("SUNPY_CONFIGDIR", "ASTROPY_CONFIG_DIR", "ASTROPY_CACHE_DIR", "XDG_CACHE_HOME"):
        os.environ.setdefault(name, folder)


def _can_hold_files(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK)
    except OSError:
        return False


use_private_settings()
