"""The catalogue of baselines: forecasts without a model. A model that does not beat them has no skill.

To add one, write a function of the past and its entry in `BASELINES`, or pass your own `Baseline` to `evaluate`:

    Baseline(name="mean_past", label="Mean of the past", prepare=from_past(mean_past))

What is drawn (changes that dress persistence, training windows of the climatology) comes from the first forecast file
that contains it. The oracle is written with the forecast by a domain that knows the true distribution.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framecast.core.errors import ConfigError, DataError
from framecast.verification.cases import Baseline, Cases, Drawn
from framecast.verification.options import Occasions
from framecast.verification.persistence import FittedPersistence, compare_variants
from framecast.verification.sources import Pool
from framecast.videos.calendar import Calendar

_ENOUGH_OCCASIONS = 8  # smallest number of training windows for fitted persistence

_DAY = 86400  # seconds


def from_past(
    function: Callable[[Tensor, Sequence[float]], Tensor], *, members: int = 1
) -> Callable[[Cases], Drawn | None]:
    """Return how to prepare a baseline that is a function of the past alone.

    Args:
        function: from the target channels in the past ``[channel, past time, height, width]`` and the lead times in
            seconds to ``members`` members ``[member, channel, time, height, width]``.
        members: how many it returns.
    """

    def prepare(cases: Cases) -> Drawn | None:
        if not cases.sees_targets:
            return None
        shape = (members, len(cases.channels), len(cases.lead_times), *cases.size)

        def draw(index: int, past: Tensor) -> Tensor:
            found = function(past, cases.lead_times)
            if tuple(found.shape) != shape:
                raise DataError(
                    f"a baseline returned {tuple(found.shape)}; it must return {shape} for {members} members"
                )
            return found

        return Drawn(members, draw)

    return prepare


def persistence(last: Tensor, frames: int) -> Tensor:
    """Return the last frame, ``[channel, height, width]``, as ``[1, channel, frames, height, width]``: one member."""
    return last[None, :, None].expand(1, -1, frames, -1, -1)


def dressed_persistence(last: Tensor, residuals: Tensor) -> Tensor:
    """Return the last frame plus the change since the last frame in training windows: one member for each.

    Each member uses one complete residual, so that its changes are consistent over time, space and channels.

    Args:
        last: the target channels in the last past frame, ``[channel, height, width]``.
        residuals: truth minus last frame in training windows, ``[member, channel, time, height, width]``. Where one is
            NaN (a pixel that was masked then) the last frame is unchanged.
    """
    return last[:, None] + residuals.nan_to_num(nan=0.0)


class DailyCycle:
    """Mean of the frames of training windows by their time of day (UTC), pixel by pixel.

    Args:
        last: last past frames, ``[window, channel, y, x]``, NaN where masked.
        future: the observed futures, ``[window, channel, time, y, x]``.
        times: of the last frames, in seconds from a midnight.
        lead_times: of the futures, seconds.
    """

    def __init__(self, last: Tensor, future: Tensor, times: np.ndarray, lead_times: Sequence[float]) -> None:
        frames = torch.cat([last[:, None], future.movedim(2, 1)], dim=1).flatten(0, 1)
        clock = (times[:, None] + np.array([0.0, *lead_times])).ravel() % _DAY
        self._hours, own = np.unique(clock.round(), return_inverse=True)
        self._mean = torch.stack([frames[torch.from_numpy(own == k)].nanmean(0) for k in range(len(self._hours))])

    def at(self, seconds: np.ndarray) -> Tensor:
        """Return the mean at times in seconds from a midnight, ``[*time, channel, y, x]``; that of the nearest hour."""
        apart = np.abs(np.asarray(seconds)[..., None] % _DAY - self._hours)
        return self._mean[torch.from_numpy(np.minimum(apart, _DAY - apart).argmin(-1))]


def draw_residuals(draws: int, members: int, *, seed: int, sample: int) -> np.ndarray:
    """Return which of ``draws`` residuals dress the forecast of one sample: distinct indices, at most that many.

    The choice depends on ``seed`` and ``sample`` only, not on the order of the samples.
    """
    random = np.random.Generator(np.random.Philox(key=[seed, sample]))
    return random.permutation(draws)[:members]


def draw_occasions(
    times: np.ndarray,
    issue_time: np.datetime64,
    members: int,
    *,
    like: Occasions,
    seed: int,
    sample: int,
    year: np.timedelta64 = Calendar().year,
) -> np.ndarray:
    """Return which training occasions, issued at ``times``, are the climatology of one sample: distinct indices.

    For ``hour`` (UTC) and ``season`` those nearest on the circle of the day or the year; among equally near ones, and
    for ``any``, the choice depends on ``seed`` and ``sample`` only.
    """
    order = draw_residuals(len(times), len(times), seed=seed, sample=sample)
    if like == "any":
        return order[:members]
    period = np.timedelta64(1, "D") if like == "hour" else year
    apart = (times[order] - issue_time) / period % 1.0
    nearest = np.argsort(np.minimum(apart, 1.0 - apart).round(9), kind="stable")
    chosen: np.ndarray = order[nearest[:members]]
    return chosen


def _dressed(cases: Cases) -> Drawn | None:
    pool: Pool | Tensor | None = cases.pool("dressing", "draw", sees_targets=True)
    if pool is None and cases.occasions is not None:
        pool = cases.occasions.future - cases.occasions.last[:, :, None]
    if pool is None:
        return None
    members = min(cases.ensemble_size, len(pool))

    def draw(index: int, past: Tensor) -> Tensor:
        drawn = draw_residuals(len(pool), members, seed=cases.seed, sample=index)
        return dressed_persistence(past[:, -1], pool[drawn])

    return Drawn(members, draw)


def _fitted(cases: Cases) -> Drawn | None:
    occasions = cases.occasions
    if occasions is None or len(occasions) < _ENOUGH_OCCASIONS:
        return None
    members = min(cases.ensemble_size, len(occasions) // 2)
    tried = compare_variants(occasions, members, seed=cases.seed)
    best = min(tried, key=lambda variant: tried[variant])
    fitted, moves = FittedPersistence(occasions, best), cases.stored("moved") if best.moved else None

    def draw(index: int, past: Tensor) -> Tensor:
        order = draw_residuals(len(occasions), len(occasions), seed=cases.seed, sample=index)
        moved = None if moves is None else moves[1](index)[0]
        return fitted.draw(past[:, -1], past.nanmean(1), members, order=order, moved=moved)

    text = (
        f"Fitted persistence is dressed persistence of the kind that forecast training windows best of {len(tried)}: "
        f"{best}."
    )
    return Drawn(members, draw, text)


def _climatology(cases: Cases) -> Drawn | None:
    pool = cases.pool("climatology", "occasion")
    if pool is None:
        return None
    if cases.climatology_like != "any" and cases.calendar.name == "none":
        raise ConfigError(
            f"climatology={cases.climatology_like} needs dates, and these forecasts have only elapsed times: use any"
        )
    members = min(cases.ensemble_size, len(pool))
    how: dict[str, Any] = {"like": cases.climatology_like, "seed": cases.seed, "year": cases.calendar.year}

    def draw(index: int, past: Tensor) -> Tensor:
        return pool[draw_occasions(pool.times, cases.issue_times[index], members, sample=index, **how)]

    return Drawn(members, draw)


def _anomaly(cases: Cases) -> Drawn | None:
    occasions = cases.occasions
    if occasions is None or len(occasions) < 2 or cases.climatology_like != "hour" or cases.calendar.name == "none":
        return None
    cycle = DailyCycle(occasions.last, occasions.future, occasions.times, cases.lead_times)
    leads = np.array(cases.lead_times)
    members = min(cases.ensemble_size, len(occasions))

    def persisted(last: Tensor, seconds: np.ndarray) -> Tensor:
        """Return the cycle plus the anomaly of the last frames, ``[occasion, channel, time, y, x]``."""
        return cycle.at(seconds[:, None] + leads).movedim(1, 2) + (last - cycle.at(seconds))[:, :, None]

    def draw(index: int, past: Tensor) -> Tensor:
        drawn = draw_residuals(len(occasions), members, seed=cases.seed, sample=index)
        own = torch.from_numpy(drawn)
        changes = occasions.future[own] - persisted(occasions.last[own], occasions.times[drawn])
        issued = cases.issue_times[index]
        second = (issued - issued.astype("datetime64[D]")) / np.timedelta64(1, "s")
        return persisted(past[None, :, -1], np.array([second])) + changes.nan_to_num(nan=0.0)

    return Drawn(members, draw)


def _oracle(cases: Cases) -> Drawn | None:
    stored = cases.stored("oracle")
    return None if stored is None else Drawn(stored[0], lambda index, past: stored[1](index))


BASELINES = (
    Baseline(
        name="persistence",
        label="Persistence",
        prepare=from_past(lambda past, lead_times: persistence(past[:, -1], len(lead_times))),
        description="Persistence repeats the last frame.",
    ),
    Baseline(
        name="dressed_persistence",
        label="Dressed persistence",
        prepare=_dressed,
        description="Dressed persistence is the last frame plus changes seen in training.",
    ),
    Baseline(name="fitted_persistence", label="Fitted persistence", prepare=_fitted),
    Baseline(
        name="climatology",
        label="Climatology",
        prepare=_climatology,
        description="Climatology draws frames seen in training, whatever the past.",
    ),
    Baseline(
        name="anomaly_persistence",
        label="Persistence of the anomaly",
        prepare=_anomaly,
        description="Persistence of the anomaly is the mean daily cycle of training windows, plus how far the last "
        "frame was from it, plus changes of such anomalies seen in training.",
    ),
    Baseline(
        name="oracle",
        label="Oracle",
        prepare=_oracle,
        description="The oracle continues the true state, which only a simulation knows: no forecast can be better.",
        reference=False,
    ),
)
"""The baselines of every evaluation, if the files contain what they need."""
