"""Where the pixels lie: from the frame's centre, in units of its shorter side."""

import numpy as np
import numpy.typing as npt

from framecast.domains.corona.spec import CoronaSpec

Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]


def coordinates(spec: CoronaSpec) -> tuple[Array, Array]:
    """Return the y of the rows and the x of the columns."""
    short = float(min(spec.height, spec.width))
    y = (np.arange(spec.height, dtype=np.float64) - (spec.height - 1) / 2) / short
    x = (np.arange(spec.width, dtype=np.float64) - (spec.width - 1) / 2) / short
    return y, x
