"""The loop that all samplers share: evaluate the network, step to the next time, end at the clean video."""

from collections import deque
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from framecast.diffusion.sampler.base import Evaluation, Sampler
from framecast.diffusion.schedule import Scale, Schedule

Denoise = Callable[[Tensor, Tensor], Tensor]
Noise = Callable[[int], Tensor]


def trajectory(
    denoise: Denoise,
    sampler: Sampler,
    schedule: Schedule,
    times: Float64[Tensor, " n"],
    x: Float[Tensor, " batch *shape"],
    noise: Noise,
) -> Iterator[Tensor]:
    """Yield the state after every step, the last of which is the clean video. The arguments are those of `sample`."""
    visited = torch.cat([sampler.visits(times.cpu()), torch.zeros(1, dtype=torch.float64)])
    scales = [Scale(alpha, sigma) for alpha, sigma in zip(*schedule(visited), strict=True)]
    clock = visited.to(x.device)  # once, so that no step waits for a transfer
    last = len(visited) - 2
    previous: list[Evaluation] = []
    for k in range(last + 1):
        t, s = scales[k], scales[k + 1]
        here = Evaluation(x, denoise(x, clock[k].expand(len(x))), t)
        here = here._replace(x=sampler.correct(here, previous))
        fresh = noise(k + 1) if sampler.needs_noise and k < last else None
        x = sampler.step(here, s, previous, fresh)
        previous = [*previous, here][-sampler.memory :] if sampler.memory else []
        yield x


def sample(
    denoise: Denoise,
    sampler: Sampler,
    schedule: Schedule,
    times: Float64[Tensor, " n"],
    x: Float[Tensor, " batch *shape"],
    noise: Noise,
) -> Float[Tensor, " batch *shape"]:
    """Return clean videos: every time is visited, the first and the last included.

    To clip x0, let ``denoise`` do it: the noise that a step carries over is derived from what ``denoise`` returns.

    Args:
        denoise: ``(x_t, t) -> x0`` with t float64 ``[batch]``.
        sampler: the rule for one step.
        schedule: gives the scales.
        times: strictly falling, in (0, 1]; see `framecast.diffusion.times`.
        x: standard normal noise, taken for ``x_t`` at the first time.
        noise: ``k -> standard normal deviates`` of the shape of ``x`` for the k-th step, k from 1; called only by
            stochastic samplers, and not for the last step.
    """
    return deque(trajectory(denoise, sampler, schedule, times, x, noise), maxlen=1).pop()
