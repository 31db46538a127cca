"""What every test shares: shapes enforced at call time, and the way to the real observations."""

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Tensor shapes in annotations are checked in these modules while the tests run.
install_import_hook(
    [
        f"framecast.{module}"
        for module in (
            "schedule",
            "prediction",
            "times",
            "seeding",
            "scores",
            "sampler",
            "guidance",
            "networks",
            "denoiser",
        )
    ],
    "beartype.beartype",
)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real observations named by FRAMECAST_DATA; the test is skipped where it is absent."""
    folder = os.environ.get("FRAMECAST_DATA")
    if not folder:
        pytest.skip("real observations are absent: set FRAMECAST_DATA to their folder")
    if not Path(folder).is_dir():
        pytest.skip(f"real observations are absent: FRAMECAST_DATA={folder} is no folder")
    return Path(folder)
