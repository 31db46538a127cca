r"""Fitted persistence: the variant of dressed persistence that forecasts training windows best.

A member is a base computed from the past plus the change of a training window:

.. math:: x_k = S^{-1}\big(b_k + \gamma\, r_k\big), \qquad b_k = S(m) + \rho_k\,(S(l) - S(m))

with the last frame l, the mean m of the past, and the residual :math:`r_k = S(x_k) - b_k` of a training window. The
members of the family differ in

- the space S: the values themselves (*additive*), or :math:`\operatorname{asinh}(x/s)`, in which changes are
  proportional to brightness (*multiplicative*);
- the last frame: unchanged, or *moved* by a motion known in advance (`Domain.motion`), pixel by pixel;
- the base: that frame (:math:`\rho = 1`), or *damped* towards the mean of the past, by the regression
  :math:`\rho_k` of each channel and lead time on training windows;
- the windows whose residuals are drawn: any, or those of *like brightness*;
- the spread :math:`\gamma`, at most 1: residuals of other places are wider than those of this one.

Each variant forecasts training windows from the residuals of others, none of which overlaps in time; the one with the
lowest fair CRPS is *fitted persistence*. The choice is independent of the windows that are scored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import torch
from torch import Tensor

from framecast.verification.scores import crps

SPREADS = (1.0, 0.8, 0.6)
"""Candidate factors of the residuals."""

_JUDGED = 20  # training windows on which the variants are compared

_PIXELS = 400  # approximate number of pixels of a frame on which they are compared


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One variant; see the module."""

    moved: bool = False
    multiplicative: bool = False
    damped: bool = False
    like: bool = False
    spread: float = 1.0

    def __str__(self) -> str:
        words = ["moved"] * self.moved + ["damped"] * self.damped
        words += ["multiplicative" if self.multiplicative else "additive"]
        words += ["from windows of like brightness"] * self.like
        words += [f"with {self.spread:g} of the spread"] * (self.spread != 1)
        return " ".join(words)


def family(*, moved: bool = False) -> Iterator[Variant]:
    """Yield all variants, those of moved frames only if their motion is known."""
    either = (False, True)
    for moving, multiplicative, damped, like, spread in product(either[: 1 + moved], either, either, either, SPREADS):
        yield Variant(moved=moving, multiplicative=multiplicative, damped=damped, like=like, spread=spread)


@dataclass(frozen=True, kw_only=True)
class Occasions:
    """Training windows: last and mean past frame, and future. Physical units, NaN where masked.

    Attributes:
        last: last past frame, ``[occasion, channel, height, width]``.
        mean: mean of the past frames, likewise.
        future: the futures, ``[occasion, channel, time, height, width]``.
        times: issue times, seconds from a midnight.
        span: seconds that a window covers: windows further apart have no frame in common.
        moved: last frame advected by a motion known in advance, like ``future``; None if there is none.
    """

    last: Tensor
    mean: Tensor
    future: Tensor
    times: np.ndarray
    span: float
    moved: Tensor | None = None

    def __len__(self) -> int:
        return len(self.future)

    @cached_property
    def softening(self) -> Tensor:
        """Value of each channel below which brightness is noise: the first decile of the nonzero values."""
        values = self.future.abs().movedim(1, 0).flatten(1)
        found = [_quantile(own[own > 0], 0.1) for own in values]
        return torch.tensor([value or 1.0 for value in found], dtype=self.future.dtype)[:, None, None, None]

    @cached_property
    def floor(self) -> float:
        """Lower bound of members: zero if training windows are never negative, as for rain."""
        known = torch.cat([self.last.flatten(), self.future.flatten()])
        lowest = float(known[torch.isfinite(known)].min()) if torch.isfinite(known).any() else -torch.inf
        return 0.0 if lowest >= 0 else -torch.inf

    @cached_property
    def brightness(self) -> Tensor:
        """Mean of each last frame, ``[occasion, channel]``."""
        return self.last.nanmean((-2, -1))

    def sampled(self) -> "Occasions":
        """Return every n-th row and column: about `_PIXELS` of each frame."""
        step = max(1, round((self.last.shape[-2] * self.last.shape[-1] / _PIXELS) ** 0.5))
        thin = (..., slice(None, None, step), slice(None, None, step))
        moved = None if self.moved is None else self.moved[thin]
        return replace(self, last=self.last[thin], mean=self.mean[thin], future=self.future[thin], moved=moved)


class FittedPersistence:
    """Dressed persistence of one variant; see the module.

    Args:
        occasions: the training windows.
        variant: the variant.
    """

    def __init__(self, occasions: Occasions, variant: Variant) -> None:
        self.occasions, self.variant = occasions, variant
        base = occasions.moved if variant.moved and occasions.moved is not None else occasions.last[:, :, None]
        last, mean, came = (self._space(x) for x in (base, occasions.mean[:, :, None], None))
        self._damping = _damping(last - mean, came - mean) if variant.damped else torch.ones(())
        self._residuals = variant.spread * (came - mean - self._damping * (last - mean))

    def draw(
        self, last: Tensor, mean: Tensor, members: int, *, order: np.ndarray, moved: Tensor | None = None
    ) -> Tensor:
        """Return members ``[member, channel, time, height, width]``.

        Args:
            last: last past frame, ``[channel, height, width]``, physical units.
            mean: mean of the past frames, likewise.
            members: how many.
            order: the training windows in random order; the first are preferred among equally good ones.
            moved: advected last frame, ``[channel, time, height, width]``, for variants that use it.
        """
        chosen = order[:members]
        if self.variant.like:
            level = last.nanmean((-2, -1))
            apart = (self.occasions.brightness[order] - level).abs() / self._deviation
            chosen = order[torch.argsort(apart.nan_to_num(torch.inf).sum(1), stable=True)[:members].numpy()]
        base = moved if self.variant.moved and moved is not None else last[:, None]
        near, far = self._space(base), self._space(mean[:, None])
        drawn = far + self._damping * (near - far) + self._residuals[np.sort(chosen)].nan_to_num(0.0)
        return self._values(drawn).clamp(min=self.occasions.floor)

    @cached_property
    def _deviation(self) -> Tensor:
        return self.occasions.brightness.nan_to_num(0.0).std(0).clamp(min=1e-30)

    def _space(self, values: Tensor | None) -> Tensor:
        values = self.occasions.future if values is None else values
        return torch.asinh(values / self.occasions.softening) if self.variant.multiplicative else values

    def _values(self, inner: Tensor) -> Tensor:
        return torch.sinh(inner) * self.occasions.softening if self.variant.multiplicative else inner


def compare_variants(occasions: Occasions, members: int, *, seed: int = 0) -> dict[Variant, float]:
    """Return the mean fair CRPS of each variant over training windows, each forecast from others apart in time."""
    small, random = occasions.sampled(), np.random.default_rng(seed)
    judged = random.permutation(len(small))[:_JUDGED]
    others = {int(k): random.permutation(_apart(small, int(k))) for k in judged}
    scale = small.future.movedim(1, 0).flatten(1)
    scale = torch.stack([own[own.isfinite()].std() for own in scale]).clamp(min=1e-30)[:, None, None, None]
    found = {}
    for variant in family(moved=small.moved is not None):
        fitted = FittedPersistence(small, variant)
        errors = []
        for k, order in others.items():
            moved = None if small.moved is None else small.moved[k]
            drawn = fitted.draw(small.last[k], small.mean[k], members, order=order, moved=moved)
            errors.append((crps(drawn, small.future[k]) / scale).nanmean())
        found[variant] = float(torch.stack(errors).nanmean())
    return found


def _apart(occasions: Occasions, index: int) -> np.ndarray:
    """Return the occasions that share no frame with ``index``, or all others where these are fewer than two."""
    others = np.flatnonzero(np.arange(len(occasions)) != index)
    apart = others[np.abs(occasions.times[others] - occasions.times[index]) > occasions.span]
    return apart if len(apart) >= 2 else others


def _damping(seen: Tensor, came: Tensor) -> Tensor:
    """Return the regression coefficient of the future on the last frame, between 0 and 1, ``[channel, time, 1, 1]``."""
    known = torch.isfinite(seen) & torch.isfinite(came)
    above = torch.where(known, seen * came, 0.0).sum((0, -2, -1), keepdim=True)
    below = torch.where(known, seen.expand_as(came).square(), 0.0).sum((0, -2, -1), keepdim=True)
    return (above / below.clamp(min=1e-30)).clamp(0.0, 1.0)[0]


def _quantile(values: Tensor, level: float) -> float:
    """Return a quantile of finite values, of at most a million of them; 0 where there are none."""
    known = values[torch.isfinite(values)]
    return float(known[:: max(1, len(known) // 1_000_000)].quantile(level)) if len(known) else 0.0
