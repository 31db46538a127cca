"""How much of a clean video and how much noise there is at every diffusion time.

The forward process is ``x_t = alpha(t) x0 + sigma(t) noise``. A schedule is the function from the diffusion time
``t`` in [0, 1] to the two scales, and nothing else: what the network predicts is
`framecast.diffusion.prediction`, which times are visited is `framecast.diffusion.times`, how to go from one to the next
is `framecast.diffusion.sampler`.

``t = 0`` is exactly clean (alpha 1, sigma 0). A table of T rows is the same kind of function: row i is at ``t = (i + 1)
/ T``, and a time between two rows is rounded to the nearest. ``t = 1`` may be pure noise (alpha 0), so nothing here or
above divides by alpha or by sigma without need, and the input of the network is `Schedule.network_time`, which is
finite, rather than the log-SNR, which is not.

Everything is computed in float64 and cast to the type of the video.
"""

from typing import Annotated

from framecast.core.configuration import OneOf
from framecast.diffusion.schedule.base import Scale, Schedule, broadcast
from framecast.diffusion.schedule.continuous import (
    Continuous,
    ContinuousCosine,
    ContinuousLinear,
    Karras,
    RectifiedFlow,
)
from framecast.diffusion.schedule.discrete import Cosine, DiscreteSchedule, Linear
from framecast.diffusion.schedule.rescaled import ZeroTerminalSNR

AnySchedule = Annotated[
    Schedule, OneOf(Linear, Cosine, ZeroTerminalSNR, ContinuousLinear, ContinuousCosine, RectifiedFlow, Karras)
]

__all__ = [
    "AnySchedule",
    "Continuous",
    "ContinuousCosine",
    "ContinuousLinear",
    "Cosine",
    "DiscreteSchedule",
    "Karras",
    "Linear",
    "RectifiedFlow",
    "Scale",
    "Schedule",
    "ZeroTerminalSNR",
    "broadcast",
]
