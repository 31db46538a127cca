"""Samplers that extrapolate the estimate of the clean video from earlier ones, and then use the one formula.

The exact solution of the probability flow from t to s is ``x_s = (sigma_s / sigma_t) x_t + sigma_s times the integral
of e^lambda D over lambda`` with half the log-SNR ``lambda = log(alpha / sigma)``. Taking D constant gives DDIM; taking
it for a polynomial in lambda gives DDIM again, with a D that is extrapolated from the latest evaluations. What follows
computes that D. At pure noise lambda is -infinity: an evaluation there has no place on the lambda axis and takes no
part in an extrapolation. Towards the clean video lambda is +infinity, and the latest D is used as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from framecast.core.errors import ConfigError
from framecast.diffusion.sampler.base import Evaluation, Sampler, Video, posterior_std, transition
from framecast.diffusion.schedule import Scale


@dataclass(frozen=True, kw_only=True)
class DPMSolverPP(Sampler):
    """DPM-Solver++ with the multistep order 1 or 2 (Lu et al. 2022, Algorithm 2, arXiv 2211.01095).

    With ``h = lambda_s - lambda_t`` and the step before it, ``h'``: ``D <- D + h / (2 h') (D - D')``.

    Attributes:
        order: 1 is DDIM, 2 the method called 2M.
        stochastic: solve the reverse stochastic equation instead (SDE-DPM-Solver++, the paper's section 3.4): the same
            extrapolation with as much fresh noise as DDPM. Order 1 is DDIM with eta 1.
    """

    order: Literal[1, 2] = 2
    stochastic: bool = False
    kind: Literal["dpm-solver++"] = "dpm-solver++"

    @property
    def needs_noise(self) -> bool:
        """A step needs fresh noise in the stochastic form."""
        return self.stochastic

    @property
    def memory(self) -> int:
        """One evaluation for order 2."""
        return self.order - 1

    def step(self, here: Evaluation, s: Scale, previous: Sequence[Evaluation], noise: Video | None) -> Video:
        """Return ``x_s``; see `Sampler.step`."""
        here = _extrapolated(here, _between_ends(previous, here.scale, s), s)
        if not self.stochastic:
            return transition(here, s, torch.zeros_like(s.sigma))
        std = posterior_std(here.scale, s)
        mean = transition(here, s, std)
        return mean if noise is None else mean + std * noise


@dataclass(frozen=True, kw_only=True)
class UniPC(Sampler):
    """A predictor and a corrector of the same form, with one evaluation per step (Zhao et al. 2023, arXiv 2302.04867).

    The predictor is DPM-Solver++. Once the network has been evaluated at the new time, the step that led there is
    taken again with the new estimate among the nodes, which raises the order by one; the first steps have fewer nodes
    and lower orders. The paper's ``B_2(h)`` in data prediction; at pure noise, where lambda is -infinity, its limit.

    Attributes:
        order: of the predictor, 1 to 3; the corrector's is one higher.

    Raises:
        ConfigError: another order.
    """

    order: int = 2
    kind: Literal["unipc"] = "unipc"

    def __post_init__(self) -> None:
        if self.order not in (1, 2, 3):
            raise ConfigError(f"order is {self.order}; UniPC has the orders 1, 2 and 3")

    @property
    def memory(self) -> int:
        """The start of the step that is corrected and the nodes of its extrapolation."""
        return self.order

    def correct(self, here: Evaluation, previous: Sequence[Evaluation]) -> Tensor:
        """Return ``x_t``, reached again with ``x0`` known; see `Sampler.correct`."""
        if not previous:
            return here.x
        *earlier, start = previous
        nodes = [*_between_ends(earlier, start.scale, here.scale), here]
        return transition(_extrapolated(start, nodes, here.scale), here.scale, torch.zeros_like(here.scale.sigma))

    def step(self, here: Evaluation, s: Scale, previous: Sequence[Evaluation], noise: Video | None) -> Video:
        """Return ``x_s``; see `Sampler.step`."""
        nodes = _between_ends(previous[-(self.order - 1) :] if self.order > 1 else [], here.scale, s)
        return transition(_extrapolated(here, nodes, s), s, torch.zeros_like(s.sigma))


def _between_ends(previous: Sequence[Evaluation], t: Scale, s: Scale) -> list[Evaluation]:
    """Return the evaluations fit for an extrapolation over the step from t to s: all lambdas finite."""
    if t.alpha == 0 or s.sigma == 0:
        return []
    return [evaluation for evaluation in previous if evaluation.scale.alpha > 0]


def _extrapolated(here: Evaluation, nodes: Sequence[Evaluation], s: Scale) -> Evaluation:
    """Return ``here`` with the constant D that moves x to s as the polynomial through all estimates would.

    The polynomial is Newton's around t: ``D = x0 + sum_k w_k (D_k - x0) / r_k`` with the places
    ``r_k = (lambda_k - lambda_t) / h`` of the nodes and weights w that solve ``sum_k w_k r_k^i = b_i`` (Zhao et al.
    2023, theorem 3.1). A single node has the weight 1/2, to which b_0 tends for short steps, as in DPM-Solver++ 2M.
    """
    if not nodes:
        return here
    at, h = here.scale.log_snr, s.log_snr - here.scale.log_snr
    if len(nodes) == 1:
        weights = torch.full((1,), 0.5, dtype=torch.float64)
        places = torch.where(h.isfinite(), (nodes[0].scale.log_snr - at) / h, 1.0)[None]
    else:
        places = torch.stack([(node.scale.log_snr - at) / h for node in nodes])
        powers = torch.stack([places**i for i in range(len(nodes))])
        weights = torch.linalg.solve(powers, _moments(h, len(nodes)))
    mixed = here.x0
    for weight, node in zip(weights / places, nodes, strict=True):
        mixed = mixed + weight * (node.x0 - here.x0)
    return here._replace(x0=mixed)


def _moments(h: Float64[Tensor, ""], count: int) -> Float64[Tensor, " count"]:
    """Return ``b_i = i! phi_i / (e^(-h) - 1)``, i = 1 … count, Zhao et al. 2023, equation 11.

    ``phi_0 = (e^(-h) - 1)``, ``phi_i = phi_(i-1) / (-h) - 1 / i!``.
    """
    whole = torch.expm1(-h)
    phi, moments = whole, []
    for i in range(1, count + 1):
        phi = phi / -h - 1 / math.factorial(i)
        moments.append(phi * math.factorial(i) / whole)
    return torch.stack(moments)
