"""What each term of the ensemble loss detects: random fields and members with a single error, one table.

    python benchmarks/loss_terms.py

The truth is a Gaussian field whose power falls as k^-2.6, as in images of the Sun, 2 frames of 32². Two members are
drawn from the same law, or from a wrong one; the table gives by how many per cent of its value for the right law the
mean of each term rises, with its standard error. What is below two standard errors the term is blind to.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from framecast.generators.ensemble_loss import TERMS, ensemble_crps, measure_scales

SIZE, FRAMES, COUNT, BATCHES = 32, 2, 500, 8
SLOPE = 1.3


def fields(random: torch.Generator, slope: float = SLOPE) -> Tensor:
    """Return fields ``[COUNT, 1, FRAMES, SIZE, SIZE]`` of variance 1, the second frame alike to the first."""
    frequency = torch.fft.fftfreq(SIZE)
    wave = torch.hypot(frequency[:, None], frequency)
    wave[0, 0] = 1 / SIZE
    gain = wave**-slope
    gain = gain / gain.square().mean().sqrt()
    white = torch.randn(COUNT, 1, FRAMES, SIZE, SIZE, generator=random)
    white[:, :, 1] = 0.8 * white[:, :, 0] + 0.6 * white[:, :, 1]
    return torch.fft.ifft2(torch.fft.fft2(white) * gain).real


def wide(means: Tensor) -> Tensor:
    return means.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)


def checkerboard(video: Tensor, random: torch.Generator) -> Tensor:
    """The same means over 2×2 pixels; within each square a checkerboard of the variance that was there."""
    means = functional.avg_pool3d(video, (1, 2, 2))
    sign = wide(torch.ones(SIZE // 2, SIZE // 2)) * torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(
        SIZE // 2, SIZE // 2
    )
    return wide(means) + (video - wide(means)).std() * wide(torch.randn(means.shape, generator=random)) * sign


def blurred(video: Tensor, random: torch.Generator) -> Tensor:
    """Smoothed over 3×3 pixels, and brought back to variance 1."""
    smooth = functional.avg_pool3d(functional.pad(video, (1, 1, 1, 1, 0, 0), mode="circular"), (1, 3, 3), stride=1)
    return smooth / smooth.std()


def independent(video: Tensor, random: torch.Generator) -> Tensor:
    """White noise: the law of each pixel is right, and nothing else."""
    return torch.randn(video.shape, generator=random)


def still(video: Tensor, random: torch.Generator) -> Tensor:
    """The second frame is the first."""
    return video[:, :, :1].expand(video.shape)


def flicker(video: Tensor, random: torch.Generator) -> Tensor:
    """The second frame knows nothing of the first."""
    return torch.stack([video[:, :, 0], video.roll(1, dims=0)[:, :, 1]], dim=2)


def narrow(video: Tensor, random: torch.Generator) -> Tensor:
    """Four fifths of the spread."""
    return 0.8 * video


LAWS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "checkerboards in 2×2": checkerboard,
    "blurred": blurred,
    "white noise": independent,
    "frames stand still": still,
    "frames independent": flicker,
    "spread 0.8": narrow,
}


def score(term: str, members: Tensor, truth: Tensor, scales: object) -> Tensor:
    """Return the score of a term for each field."""
    parts = zip(TERMS[term](members, scales), TERMS[term](truth, scales), strict=True)
    return torch.stack([ensemble_crps(ours - theirs) for ours, theirs in parts]).mean(dim=0)


def main() -> None:
    random = torch.Generator().manual_seed(0)
    scales = measure_scales(fields(random), torch.ones(1, FRAMES))
    right: dict[str, list[Tensor]] = {term: [] for term in TERMS}
    wrong: dict[tuple[str, str], list[Tensor]] = {(term, law): [] for term in TERMS for law in LAWS}
    for _ in range(BATCHES):
        truth, drawn = fields(random), torch.stack([fields(random), fields(random)])
        for term in TERMS:
            right[term].append(score(term, drawn, truth, scales))
        for law, make in LAWS.items():
            members = torch.stack([make(own, random) for own in drawn])
            for term in TERMS:
                wrong[term, law].append(score(term, members, truth, scales) - right[term][-1])
    print(f"| members | {' | '.join(TERMS)} |")
    print(f"|---|{'---|' * len(TERMS)}")
    for law in LAWS:
        cells = []
        for term in TERMS:
            base, rise = torch.cat(right[term]).mean(), torch.cat(wrong[term, law])
            error = rise.std() / math.sqrt(len(rise))
            cell = f"{100 * rise.mean() / base:+.1f} ± {100 * error / base:.1f}"
            cells.append(f"**{cell}**" if rise.mean() > 3 * error else cell)
        print(f"| {law} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
