"""Progressive distillation: what a student must predict to do in one step what its teacher does in several.

Salimans & Ho 2022 (arXiv 2202.00512), section 3 and appendix G. A deterministic step (DDIM) from time t to s is

    x_s = (alpha_s - r alpha_t) x0 + r x_t,        r = sigma_s / sigma_t,

linear in the estimate x0. So whatever state the teacher's steps t → … → s lead to, there is one x0 with which a single
step arrives there too. A student that predicts it needs half the steps of its teacher; it then becomes the teacher of
the next.
"""

from collections.abc import Callable, Sequence

from jaxtyping import Float, Float64
from torch import Tensor

from framecast.diffusion.schedule import Scale, Schedule, broadcast

Video = Float[Tensor, "batch *shape"]
Times = Float64[Tensor, " batch"]


def ddim_step(x_t: Video, x0: Video, t: Scale, s: Scale) -> Video:
    """Return ``x_s`` for every batch element, from its own time to its own: DDIM with eta 0, where sigma_t is not 0."""
    ratio = s.sigma / t.sigma
    return broadcast(s.alpha - ratio * t.alpha, x_t) * x0 + broadcast(ratio, x_t) * x_t


def implied_x0(x_t: Video, x_s: Video, t: Scale, s: Scale) -> Video:
    """Return the x0 with which one `ddim_step` leads from ``x_t`` to ``x_s`` (appendix G): its inverse."""
    ratio = s.sigma / t.sigma
    return (x_s - broadcast(ratio, x_t) * x_t) / broadcast(s.alpha - ratio * t.alpha, x_t)


def student_target(
    denoise: Callable[[Tensor, Tensor], Tensor], schedule: Schedule, x_t: Video, times: Sequence[Times]
) -> Video:
    """Return the x0 that a student must predict at ``x_t`` to arrive where the teacher's steps arrive.

    Args:
        denoise: the teacher, ``(x_t, t) -> x0`` with t float64 ``[batch]``.
        schedule: gives the scales.
        x_t: state of both.
        times: of each batch element, falling: first that of ``x_t``, last that of the student's step; 0 is clean.
    """
    x, scales = x_t, [schedule(t) for t in times]
    for k, t in enumerate(times[:-1]):
        x = ddim_step(x, denoise(x, t), scales[k], scales[k + 1])
    return implied_x0(x_t, x, scales[0], scales[-1])
