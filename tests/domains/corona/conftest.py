import numpy as np
import pytest

from framecast.domains.corona.dynamics import region_streams
from framecast.domains.corona.region import Region, draw_region
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.writing import evolve


@pytest.fixture(scope="module")
def spec() -> CoronaSpec:
    return CoronaSpec(height=32, width=32)


@pytest.fixture(scope="module")
def region(spec: CoronaSpec) -> Region:
    return draw_region(spec, np.random.default_rng(1))


@pytest.fixture(scope="module")
def many() -> tuple[CoronaSpec, list[Region], np.ndarray]:
    """States of many regions over four days, ``[region, time, component]``."""
    spec = CoronaSpec(height=16, width=16, modes=4, cadence=6 * 3600.0)
    streams = [region_streams(5, k) for k in range(200)]
    regions = [draw_region(spec, stream.geometry) for stream in streams]
    return spec, regions, evolve(spec, regions, streams, 16)
