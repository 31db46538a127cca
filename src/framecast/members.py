"""Drawing the members of an ensemble, in chunks that fit into memory.

The noise of a member depends on (seed, sample, member) alone and the networks treat each sample by itself, so that a
member is the same however the ensemble is cut: bit for bit in float32 on a CPU.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from framecast.denoiser import Denoiser
from framecast.errors import ConfigError
from framecast.guidance import Guidance
from framecast.sampler import AnySampler, DPMSolverPP, sample
from framecast.schedule import Schedule
from framecast.seeding import MemberNoise
from framecast.times import AnyGrid, Grid, LogSNR, check_trained

_CHUNK_VALUES = 2**25
"""Values that the activations of one network evaluation may hold, by the estimate of `chunk_size`."""

_DRAWS_PER_BLOCK = 2**16
"""Draws of noise set aside for each block of a rollout: more than any sampler makes."""


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How members are drawn unless a call says otherwise.

    Attributes:
        sampler: the reverse step.
        grid: which diffusion times are visited.
        steps: number of network evaluations.
        guidance: how strongly a label is followed, for models with labels.
        precision: ``float32``, or ``bf16`` autocast in the network alone: faster, and members then depend in their
            last digits on how the ensemble is cut.
    """

    __pydantic_config__ = {"extra": "forbid"}

    sampler: Annotated[AnySampler, Field(discriminator="kind")] = DPMSolverPP()
    grid: Annotated[AnyGrid, Field(discriminator="kind")] = LogSNR()
    steps: int = 12
    guidance: Guidance = Guidance()
    precision: Literal["float32", "bf16"] = "float32"

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"sampling.steps is {self.steps}; at least one network evaluation is needed")

    def times(self, schedule: Schedule, trained: Grid | None) -> Tensor:
        """Return the diffusion times that are visited, falling, float64.

        Args:
            schedule: of the model.
            trained: the grid the network was trained on, if not every time.

        Raises:
            ConfigError: the schedule has fewer times, or the network was not trained at one of them.
        """
        times = self.grid.times(schedule, self.sampler.nodes(self.steps))
        check_trained(times, schedule, trained)
        return times


def draw_members(
    denoiser: Denoiser,
    condition: Tensor,
    shape: Sequence[int],
    *,
    members: Sequence[int],
    seed: int,
    sample_key: int,
    class_index: int | None,
    options: SamplingOptions,
    chunk: int | None = None,
    block: int = 0,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield x0 of the members, some at a time: which of ``members``, and ``[member, *shape]``.

    Args:
        denoiser: the trained network.
        condition: what the network is given, ``[1, ...]`` for all members or ``[member, ...]`` for each.
        shape: of one member's x0, ``[channel, time, height, width]``.
        members: their numbers.
        seed: of the ensemble.
        sample_key: tells this sample from others drawn under the same seed.
        class_index: the label, or ``None``.
        options: sampler, grid, steps.
        chunk: members drawn at once; by default as many as fit into memory.
        block: number of this block in a rollout.

    Raises:
        ConfigError: no member is asked for, or the network was not trained at these times.
    """
    if not len(members):
        raise ConfigError("members is 0; an ensemble needs at least one")
    if chunk is not None and chunk < 1:
        raise ConfigError(f"chunk is {chunk}; at least one member is drawn at once")
    times = options.times(denoiser.schedule, denoiser.grid)
    size = chunk or chunk_size(condition.shape)
    for start in range(0, len(members), size):
        chosen = slice(start, min(start + size, len(members)))
        numbers = list(members[chosen])
        given = condition[chosen] if len(condition) > 1 else condition.expand(len(numbers), *condition.shape[1:])
        if len(numbers) == 1:
            # CPU kernels take another path for a batch of one and round differently: it is drawn beside its own copy.
            numbers, given = numbers * 2, given.expand(2, *given.shape[1:])
        x0 = _draw(denoiser, given, shape, torch.tensor(numbers), seed, sample_key, class_index, options, times, block)
        yield chosen, x0[: chosen.stop - chosen.start]


@torch.inference_mode()
def _draw(
    denoiser: Denoiser,
    condition: Tensor,
    shape: Sequence[int],
    numbers: Tensor,
    seed: int,
    sample_key: int,
    class_index: int | None,
    options: SamplingOptions,
    times: Tensor,
    block: int,
) -> Tensor:
    device, count = condition.device, len(numbers)
    noise = MemberNoise(seed, torch.full((count,), sample_key), numbers, shape, device=device)
    label = None if class_index is None else torch.full((count,), class_index, device=device)

    def denoise(x_t: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            x0: Tensor = denoiser(x_t, t, condition, label, guidance=options.guidance)
        return x0

    def draw(step: int) -> Tensor:
        return noise(block * _DRAWS_PER_BLOCK + step)

    return sample(denoise, options.sampler, denoiser.schedule, times, draw(0), draw)


def chunk_size(condition_shape: Sequence[int]) -> int:
    """Return how many members to draw at once for a condition ``[..., time, height, width]``.

    The activations of a video network are estimated at 128 values per pixel and frame.
    """
    time, height, width = condition_shape[-3:]
    return max(1, min(32, _CHUNK_VALUES // (128 * time * height * width)))
