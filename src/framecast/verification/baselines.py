"""The catalogue of baselines: forecasts that take no model. A model that does not beat them has learnt nothing.

To add one, write a function of the past and its entry in `BASELINES`, or hand a `Baseline` of your own to `evaluate`:

    Baseline(name="mean_past", label="Mean of the past", prepare=from_past(mean_past))

What is drawn (changes that dress persistence, training windows of the climatology) comes from the first forecast file
that holds it. The oracle is a hook: a domain that knows the true law writes its ensemble beside the forecast.
"""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from framecast.core.errors import ConfigError, DataError
from framecast.verification.cases import Baseline, Cases, Drawn
from framecast.verification.options import Occasions
from framecast.verification.persistence import FittedPersistence, compare_variants
from framecast.verification.pool import Pool
from framecast.videos.calendar import Calendar

_SMALLEST_DRAWN = 20
"""Members of the baselines that are drawn, beside forecasts of one member: a single draw would be no ensemble."""


_ENOUGH_OCCASIONS = 8
"""Training windows from which a kind of persistence can be chosen."""


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
    """Return the last frame plus what the change since the last frame was on other occasions: one member for each.

    Each member takes one residual as a whole, so that its changes fit together over time, space and channels.

    Args:
        last: the target channels in the last past frame, ``[channel, height, width]``.
        residuals: truth minus last frame in training windows, ``[member, channel, time, height, width]``. Where one is
            NaN (a pixel that was masked then) the last frame stands unchanged.
    """
    return last[:, None] + residuals.nan_to_num(nan=0.0)


def draw_residuals(draws: int, members: int, *, seed: int, sample: int) -> np.ndarray:
    """Return which of ``draws`` residuals dress the forecast of one sample: so many indices, or all, none twice.

    The choice depends on ``seed`` and ``sample`` only, not on the order in which samples are judged.
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
    """Return which training occasions, issued at ``times``, are the climatology of one sample: indices, none twice.

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


def _last_frame(past: Tensor, lead_times: Sequence[float]) -> Tensor:
    return persistence(past[:, -1], len(lead_times))


def _dressed(cases: Cases) -> Drawn | None:
    pool: Pool | Tensor | None = cases.pool("dressing", "draw", sees_targets=True)
    if pool is None and cases.occasions is not None:
        pool = cases.occasions.future - cases.occasions.last[:, :, None]
    if pool is None:
        return None
    members = min(cases.ensemble_size or _SMALLEST_DRAWN, len(pool))

    def draw(index: int, past: Tensor) -> Tensor:
        drawn = draw_residuals(len(pool), members, seed=cases.seed, sample=index)
        return dressed_persistence(past[:, -1], pool[drawn])

    return Drawn(members, draw)


def _fitted(cases: Cases) -> Drawn | None:
    occasions = cases.occasions
    if occasions is None or len(occasions) < _ENOUGH_OCCASIONS:
        return None
    members = min(cases.ensemble_size or _SMALLEST_DRAWN, len(occasions) // 2)
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
        raise ConfigError(f"climatology={cases.climatology_like} needs dates, and these forecasts have steps: use any")
    members = min(cases.ensemble_size or _SMALLEST_DRAWN, len(pool))

    def draw(index: int, past: Tensor) -> Tensor:
        like, time = cases.climatology_like, cases.issue_times[index]
        year = cases.calendar.year
        return pool[draw_occasions(pool.times, time, members, like=like, seed=cases.seed, sample=index, year=year)]

    return Drawn(members, draw)


def _oracle(cases: Cases) -> Drawn | None:
    stored = cases.stored("oracle")
    return None if stored is None else Drawn(stored[0], lambda index, past: stored[1](index))


BASELINES = (
    Baseline(
        name="persistence",
        label="Persistence",
        prepare=from_past(_last_frame),
        description="Persistence repeats the last frame.",
    ),
    Baseline(
        name="dressed_persistence",
        label="Dressed persistence",
        prepare=_dressed,
        description="Dressed persistence is the last frame plus changes seen in training.",
    ),
    Baseline(
        name="fitted_persistence",
        label="Fitted persistence",
        prepare=_fitted,
    ),
    Baseline(
        name="climatology",
        label="Climatology",
        prepare=_climatology,
        description="Climatology draws frames seen in training, whatever the past.",
    ),
    Baseline(
        name="oracle",
        label="Oracle",
        prepare=_oracle,
        description="The oracle continues the true state, which only a simulation knows: no forecast can be better.",
        reference=False,
    ),
)
"""The baselines of every evaluation, where the files hold what they need."""
