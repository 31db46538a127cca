"""Forecasts that cost nothing, which any model has to beat.

They see what the model sees and are judged on the same pixels. Ensembles are ``[member, channel, time, height, width]``
in physical units.
"""

from typing import Literal

import numpy as np
from torch import Tensor

Occasions = Literal["any", "hour", "season"]
"""Which training occasions a climatology takes: any, those of a like hour of the day, or of a like day of the year."""


def persistence(last: Tensor, frames: int) -> Tensor:
    """Return the last frame at every lead time: one member.

    Args:
        last: the target channels in the last past frame, ``[channel, height, width]``.
        frames: number of lead times.

    Returns:
        ``[1, channel, frames, height, width]``.
    """
    return last[None, :, None].expand(1, -1, frames, -1, -1)


def dressed_persistence(last: Tensor, residuals: Tensor) -> Tensor:
    """Return the last frame plus what the change since the last frame was on other occasions: one member for each.

    Each member takes one residual as a whole, so that its changes fit together over time, space and channels.

    Args:
        last: the target channels in the last past frame, ``[channel, height, width]``.
        residuals: truth minus last frame in training windows, ``[member, channel, time, height, width]``. Where one is
            NaN (a pixel that was masked then) the last frame stands unchanged.

    Returns:
        ``[member, channel, time, height, width]``.
    """
    return last[:, None] + residuals.nan_to_num(nan=0.0)


def draw_residuals(draws: int, members: int, *, seed: int, sample: int) -> np.ndarray:
    """Return which training residuals dress the forecast of one sample: indices without repetition.

    The choice depends on ``seed`` and ``sample`` only, not on the order in which samples are judged.

    Args:
        draws: number of residuals there are.
        members: number wanted; all of them are taken if there are fewer.
        seed: of the evaluation.
        sample: index of the sample.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, sample]))
    return random.permutation(draws)[:members]


def draw_occasions(
    times: np.ndarray, issue_time: np.datetime64, members: int, *, like: Occasions, seed: int, sample: int
) -> np.ndarray:
    """Return which training occasions are the climatology of one sample: indices without repetition.

    For ``hour`` (UTC) and ``season`` those nearest on the circle of the day or the year; among equally near ones, and
    for ``any``, the choice depends on ``seed`` and ``sample`` only.

    Args:
        times: issue time of each occasion.
        issue_time: of the sample.
        members: number wanted; all of them are taken if there are fewer.
        like: in what they have to be alike.
        seed: of the evaluation.
        sample: index of the sample.
    """
    order = draw_residuals(len(times), len(times), seed=seed, sample=sample)
    if like == "any":
        return order[:members]
    period = np.timedelta64(1, "D") if like == "hour" else np.timedelta64(31_556_952, "s")
    apart = (times[order] - issue_time) / period % 1.0
    nearest = np.argsort(np.minimum(apart, 1.0 - apart).round(9), kind="stable")
    chosen: np.ndarray = order[nearest[:members]]
    return chosen
