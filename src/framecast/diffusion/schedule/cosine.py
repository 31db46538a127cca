"""The function both cosine schedules are made of."""

import math

from torch import Tensor

from framecast.core.errors import ConfigError


def cosine(t: Tensor, s: float) -> Tensor:
    """Return ``cos((t + s) / (1 + s) · pi / 2)``, written as a sine so that it is exactly 0 at ``t = 1``."""
    return ((1 - t) * (math.pi / 2 / (1 + s))).sin()


def check_offset(s: float) -> None:
    """Raise if ``s`` cannot be the offset of a cosine schedule."""
    if not 0 <= s < math.inf:
        raise ConfigError(f"the cosine offset s is {s}; it must not be negative (0.008 in the paper)")
