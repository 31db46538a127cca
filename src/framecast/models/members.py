"""Drawing the members of an ensemble, as many at once as are drawn fastest.

The noise of a member depends on (seed, sample, member) alone and the networks treat each sample by itself, so that a
member is the same however the ensemble is divided: bit for bit in float32 on a CPU.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral

import torch
from torch import Tensor, nn

from framecast.core.errors import ConfigError
from framecast.core.machine import keep_freed_blocks, total_memory
from framecast.core.seeding import MemberNoise
from framecast.diffusion.sampler import Noise
from framecast.diffusion.sampling import SamplingOptions
from framecast.generators.generator import Bounds, Generator
from framecast.networks import live_values

_CHUNK_BYTES = 2**27
"""Memory of the activations of one network evaluation on a CPU, by the estimate of `chunk_size`.

Chosen for speed, not for the available memory: much less makes matrix products too small, and much more is up to
twice as slow per member, as tensors outgrow the caches and the blocks that malloc keeps. A fixed number, since
under bf16 members depend in their last digits on how the ensemble is divided, and should be reproducible.
"""

_GPU_SHARE = 0.25  # the same on a GPU, as a fraction of its memory

_DRAWS_PER_BLOCK = 2**16  # draws of noise set aside for each block of a rollout: more than any sampler makes


def numbered(members: int) -> range:
    """Return the numbers of so many members.

    Raises:
        ConfigError: it is not a positive whole number.
    """
    if not isinstance(members, Integral) or members < 1:
        raise ConfigError(f"members is {members}; it must be a whole number, at least 1")
    return range(members)


def check_memory(members: int, shape: Sequence[int]) -> None:
    """Raise `ConfigError` if so many members of this shape take more than all of the memory."""
    taken, memory = 4 * members * math.prod(shape), total_memory()
    if taken > memory:
        raise ConfigError(
            f"members is {members}, which take {taken / 1e9:.3g} GB for one window, and this machine has "
            f"{memory / 1e9:.3g} GB: draw fewer at a time, each time with a different seed"
        )


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Which members are drawn, and how: everything that determines them except the model and the past.

    Attributes:
        members: their numbers in the ensemble.
        options: sampler, grid, steps, precision and the rest.
        seed: of the ensemble, 0 to 2⁶⁴ - 1.
        sample: identifies this past among others with the same seed.
        label: the class, for models with labels; ``None`` draws without one.
        chunk: members drawn at once; by default as many as are drawn fastest.
        block: number of this block in a rollout.

    Raises:
        ConfigError: the number of members, or of those drawn at once, is below 1.
    """

    members: Sequence[int]
    options: SamplingOptions
    seed: int = 0
    sample: int = 0
    label: str | None = None
    chunk: int | None = None
    block: int = 0

    def __post_init__(self) -> None:
        numbered(len(self.members))
        if self.chunk is not None and self.chunk < 1:
            raise ConfigError(f"chunk is {self.chunk}; it must be at least 1")


def draw_members(
    generator: Generator,
    condition: Tensor,
    shape: Sequence[int],
    draw: Draw,
    *,
    class_index: int | None = None,
    bounds: Bounds | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield x0 of the members, some at a time: which of ``draw.members``, and ``[member, *shape]``.

    Args:
        generator: the trained model.
        condition: input of the network, ``[1, ...]`` for all members or ``[member, ...]`` for each.
        shape: of one member's x0, ``[channel, time, height, width]``.
        draw: what is drawn, and how.
        class_index: the label's number, or ``None``.
        bounds: lowest and highest x0, one for all members or one for each.

    Raises:
        ConfigError: the members exceed the memory, or the model cannot be drawn from in this way.
    """
    check_memory(len(draw.members), shape)
    device, members = condition.device, draw.members
    if device.type == "cpu":
        keep_freed_blocks()
    evaluated = [*condition.shape[:-2], *(min(side, draw.options.tile or side) for side in condition.shape[-2:])]
    size = draw.chunk or chunk_size(generator.network, evaluated, device)
    for start in range(0, len(members), size):
        chosen = slice(start, min(start + size, len(members)))
        numbers = list(members[chosen])
        given = of_members(condition, chosen).expand(len(numbers), *condition.shape[1:])
        if len(numbers) == 1:
            # CPU kernels use a different path for a batch of one and round differently: it is drawn with a copy of
            # itself.
            numbers, given = numbers * 2, given.expand(2, *given.shape[1:])
        within = None if bounds is None else (of_members(bounds[0], chosen), of_members(bounds[1], chosen))
        noise = _noise(draw, numbers, shape, device)
        label = None if class_index is None else torch.full((len(numbers),), class_index, device=device)
        bf16 = torch.autocast(device.type, dtype=torch.bfloat16, enabled=draw.options.precision == "bf16")
        with torch.inference_mode(), bf16:
            x0 = generator.generate(given, label, noise=noise, options=draw.options, bounds=within)
        yield chosen, x0[: chosen.stop - chosen.start]


def _noise(draw: Draw, numbers: list[int], shape: Sequence[int], device: torch.device) -> Noise:
    """Return the noise of the members ``numbers``, each with a separate stream for every block of a rollout."""
    stream = MemberNoise(
        draw.seed, torch.full((len(numbers),), draw.sample), torch.tensor(numbers), shape, device=device
    )
    return lambda step: stream(draw.block * _DRAWS_PER_BLOCK + step)


def of_members(values: Tensor, chosen: slice) -> Tensor:
    """Return the values of these members, or those that all members share."""
    return values[chosen] if len(values) > 1 else values


def chunk_size(network: nn.Module, condition_shape: Sequence[int], device: torch.device) -> int:
    """Return how many members to draw at once: on a CPU as many as are fastest, on a GPU as many as fit.

    The number of values kept in memory is an attribute of the ``network``, or is estimated.
    """
    budget = _CHUNK_BYTES
    if device.type == "cuda":
        budget = int(_GPU_SHARE * torch.cuda.get_device_properties(device).total_memory)
    time, height, width = condition_shape[-3:]
    member = 4 * live_values(network) * time * height * width
    # On a CPU one member costs as much as two: it is drawn with a copy of itself.
    return max(1 if device.type == "cuda" else 2, int(budget / member))
