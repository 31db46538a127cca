"""Noise that belongs to a member, not to the order in which members are drawn.

Member m of sample s under seed k has its own stream of normal deviates, a function of (k, s, m) alone: it is the same
whether the member is drawn by itself, in a batch of 20, after a restart or by another process.

The stream is counter based. Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3",
doi 10.1145/2063384.2063405) maps a 128-bit counter under a 64-bit key to 128 random bits. The seed and the
sample give the key (Philox itself makes one out of them), and the counter spells out (element, draw, member), so no
two deviates of a sample ever share a counter, and one vectorised call serves all members of a batch.

The Box-Muller transform is written with additions, multiplications, divisions and square roots in float64 only. These
are correctly rounded on every device, whereas a library's logarithm or sine differs in the last bit between the body
and the tail of a vectorised loop, which would make a member depend on where in the batch it stands.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor

from framecast.core.errors import ConfigError

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10

Word = int | Tensor
Words = tuple[Tensor, Tensor, Tensor, Tensor]


class MemberNoise:
    """The noise of a batch of members: draw 0 is what sampling starts from, draw k belongs to its k-th step.

    Args:
        seed: k, 0 to 2⁶⁴ - 1.
        samples: s of every member, not negative.
        members: m of every member, 0 to 2³² - 1.
        shape: of one member's video.
        device: where the noise is wanted and made; the bits are the same everywhere.

    Raises:
        ConfigError: a number outside its range.
    """

    def __init__(
        self,
        seed: int,
        samples: Int64[Tensor, " n"],
        members: Int64[Tensor, " n"],
        shape: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        if not 0 <= seed < 2**64:
            raise ConfigError(f"seed is {seed}; it must lie between 0 and 2**64 - 1")
        for name, numbers, limit in (("sample", samples, 2**63), ("member", members, 2**32)):
            if numbers.numel() and not (int(numbers.min()) >= 0 and int(numbers.max()) < limit):
                raise ConfigError(f"a {name} number lies outside 0 … {limit - 1}: number them from 0")
        self._key = _sample_key(seed, samples.to(device)[:, None])
        self._members = members.to(device)[:, None]
        self._shape = tuple(shape)

    def __call__(self, draw: int) -> Float32[Tensor, " n *shape"]:
        """Return standard normal deviates ``[n, *shape]``.

        Args:
            draw: 0 for the initial noise, k for the k-th step.
        """
        size = math.prod(self._shape)
        blocks = torch.arange(-(-size // 4), device=self._members.device)[None]
        words = philox((blocks, torch.full_like(blocks, draw), self._members, torch.zeros_like(blocks)), self._key)
        deviates = torch.stack((*_box_muller(words[0], words[1]), *_box_muller(words[2], words[3])), dim=-1)
        return deviates.flatten(1)[:, :size].float().reshape(-1, *self._shape)


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a generator whose stream depends on ``key`` alone, such as (seed, step); nearby keys are unrelated."""
    digest = hashlib.blake2b(repr(tuple(int(part) for part in key)).encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)


def philox(counter: Words, key: tuple[Word, Word]) -> Words:
    """Return four words of 32 random bits, each in an int64 tensor, for every counter.

    Args:
        counter: four words, 0 to 2³² - 1, int64, of shapes that broadcast together.
        key: two words, each one number or an int64 tensor that broadcasts against the counter.
    """
    first, second, third, fourth = torch.broadcast_tensors(*counter)
    low_key, high_key = key
    for _ in range(_ROUNDS):
        high_0, low_0 = _multiply(first, _MULTIPLIERS[0])
        high_1, low_1 = _multiply(third, _MULTIPLIERS[1])
        first, second, third, fourth = high_1 ^ second ^ low_key, low_1, high_0 ^ fourth ^ high_key, low_0
        low_key, high_key = (low_key + _WEYL[0]) & _WORD, (high_key + _WEYL[1]) & _WORD
    return first, second, third, fourth


def _sample_key(seed: int, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return the key of every sample: the first two words that the seed, as a key, makes of the sample's number."""
    zero = torch.zeros_like(samples)
    low, high, _, _ = philox((samples & _WORD, samples >> 32, zero, zero), (seed & _WORD, seed >> 32))
    return low, high


def _multiply(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Return the upper and lower 32 bits of a product of 32-bit words; int64 wraps, which keeps all 64 bits."""
    product = word * factor
    return (product >> 32) & _WORD, product & _WORD


def _box_muller(radial: Tensor, angular: Tensor) -> tuple[Tensor, Tensor]:
    """Return two independent normal deviates, float64, from two uniform words."""
    radius = (-2 * _log((radial.double() + 0.5) * 2.0**-32)).sqrt_()
    sine, cosine = _sine_cosine(angular)
    return radius * cosine, radius * sine


def _log(u: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """Return the logarithm to 1e-11: ``log(m 2^e) = e log 2 + 2 artanh((m - 1) / (m + 1))``."""
    mantissa, exponent = torch.frexp(u)  # mantissa in [0.5, 1)
    small = mantissa < math.sqrt(0.5)
    mantissa = torch.where(small, 2 * mantissa, mantissa)
    exponent = torch.where(small, exponent - 1, exponent)
    s = (mantissa - 1) / (mantissa + 1)
    series = _horner(s * s, [1 / k for k in range(1, 16, 2)])
    return exponent.double() * math.log(2) + (2 * s) * series


def _sine_cosine(word: Int64[Tensor, "*shape"]) -> tuple[Float64[Tensor, "*shape"], Float64[Tensor, "*shape"]]:
    """Return sine and cosine of the angle ``(word + 1/2) / 2³²`` of a full turn, to 1e-13.

    The two upper bits are the quadrant, the rest an angle from its middle, at most an eighth of a turn.
    """
    quadrant = word >> 30
    x = ((word & (2**30 - 1)).double() + (0.5 - 2**29)) * (math.pi / 2**31)
    square = x * x
    sine = x * _horner(square, [(-1) ** k / math.factorial(2 * k + 1) for k in range(8)])
    cosine = _horner(square, [(-1) ** k / math.factorial(2 * k) for k in range(9)])
    # Turn by the middle of the quadrant: (1 ± 2 quadrant) eighths of a turn.
    cosine_turn = math.sqrt(0.5) * torch.where((quadrant == 0) | (quadrant == 3), 1.0, -1.0).double()
    sine_turn = math.sqrt(0.5) * torch.where(quadrant < 2, 1.0, -1.0).double()
    return sine * cosine_turn + cosine * sine_turn, cosine * cosine_turn - sine * sine_turn


def _horner(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Return the polynomial with ``coefficients``, the constant first; each operation rounds by itself."""
    total = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total.mul_(x).add_(coefficient)
    return total
