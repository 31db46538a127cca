"""From noise to a video: one formula (`base`), one loop (`loop`), and the samplers.

=====================  ==============================================================================================
`DDPM`                 ancestral, stochastic; its small variance is DDIM with eta 1
`DDIM`                 first order; deterministic for eta 0
`DPMSolverPP`          DDIM with the estimate extrapolated from the last two, order 2; also stochastic
`UniPC`                the same extrapolation, then corrected by the estimate at the new time; order up to 3
`Heun`                 second order with two evaluations per step
=====================  ==============================================================================================
"""

from typing import Annotated

from framecast.core.configuration import OneOf
from framecast.diffusion.sampler.ancestral import DDIM, DDPM
from framecast.diffusion.sampler.base import Evaluation, Sampler, posterior_std, transition
from framecast.diffusion.sampler.heun import Heun
from framecast.diffusion.sampler.loop import Noise, sample, trajectory
from framecast.diffusion.sampler.multistep import DPMSolverPP, UniPC

AnySampler = Annotated[Sampler, OneOf(DDPM, DDIM, DPMSolverPP, UniPC, Heun)]

__all__ = [
    "DDIM",
    "DDPM",
    "AnySampler",
    "DPMSolverPP",
    "Evaluation",
    "Heun",
    "Noise",
    "Sampler",
    "UniPC",
    "posterior_std",
    "sample",
    "trajectory",
    "transition",
]
