"""An average of any length, reconstructed after the training from snapshots of two.

A power-function average weighs the weights of step τ at step t as ``p(τ) = (γ + 1) τ^γ / t^(γ + 1)``. Snapshots of such
averages, taken at several steps with two or three γ, span a small space that nearly contains the desired one. Its
least-squares coefficients solve a linear system in inner products known in closed form (Karras et al. 2024, section 3.2
and appendix C, arXiv 2312.02696).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from framecast.core.errors import ConfigError

WIDEST = 0.28
"""The widest profile: a flat one, γ = 0, has the standard deviation 12^-1/2 = 0.2887 of the training time."""


class Profile(NamedTuple):
    """Weights of the steps in an average: its width as a fraction of the training time, and the last step."""

    width: float
    step: int


def exponent(width: float) -> float:
    """Return γ of the profile whose standard deviation is ``width`` of the training time, or raise `ConfigError`.

    ``width² = (γ + 1) / ((γ + 2)² (γ + 3))``, which falls in γ ≥ 0.
    """
    if not 0 < width <= WIDEST:
        raise ConfigError(
            f"an average of width {width} is not possible: it is a fraction of the training, 0 to {WIDEST}"
        )
    # (γ + 2)² (γ + 3) width² - (γ + 1) = 0 as a cubic in γ; its only positive root.
    w = width**-2
    return float(max(root.real for root in np.roots([1, 7, 16 - w, 12 - w]) if abs(root.imag) < 1e-9))


def inner_product(one: Profile, other: Profile) -> float:
    """Return the integral of the product of two profiles over the training.

    It is ``(a + 1)(b + 1)/(a + b + 1) · (s/t)^b / t``, with s ≤ t the earlier and the later step, a and b their γ.
    """
    first, last = sorted((one, other), key=lambda profile: profile.step)
    a, b = exponent(first.width), exponent(last.width)
    return (a + 1) * (b + 1) / (a + b + 1) * (first.step / last.step) ** b / last.step


def coefficients(snapshots: Sequence[Profile], wanted: Profile) -> np.ndarray:
    """Return the least-squares weight of each snapshot in the desired average, with the sum 1; 0 for later ones.

    Raises:
        ConfigError: no snapshot was taken up to that step.
    """
    usable = [k for k, snapshot in enumerate(snapshots) if snapshot.step <= wanted.step]
    if not usable:
        raise ConfigError(
            f"no snapshot was taken up to step {wanted.step}: the earliest is at step "
            f"{min((snapshot.step for snapshot in snapshots), default=0)}"
        )
    chosen = [snapshots[k] for k in usable]
    gram = np.array([[inner_product(one, other) for other in chosen] for one in chosen])
    target = np.array([inner_product(one, wanted) for one in chosen])
    # Each row by its own size: profiles of early steps are high and narrow.
    scale = 1 / np.sqrt(np.diag(gram))
    solved, *_ = np.linalg.lstsq(gram * np.outer(scale, scale), target * scale, rcond=1e-10)
    result = np.zeros(len(snapshots))
    result[usable] = solved * scale
    return result / result.sum()


def misfit(snapshots: Sequence[Profile], wanted: Profile, weights: np.ndarray) -> float:
    """Return the distance of the reconstructed profile from the desired one, as a fraction of the latter's norm."""
    own = inner_product(wanted, wanted)
    cross = sum(c * inner_product(s, wanted) for c, s in zip(weights, snapshots, strict=True) if c)
    square = sum(
        c * d * inner_product(s, t)
        for c, s in zip(weights, snapshots, strict=True)
        for d, t in zip(weights, snapshots, strict=True)
        if c and d
    )
    return float(np.sqrt(max(0.0, own - 2 * cross + square) / own))
