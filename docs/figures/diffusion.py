"""Draw the figures of docs/diffusion.md: schedules, zero terminal SNR, and sampler error against evaluations.

    python docs/figures/diffusion.py [FOLDER]

Everything is computed from closed forms with framecast's own schedules and samplers; no network, no data, seconds.
"""

import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from framecast.core.seeding import MemberNoise
from framecast.diffusion.sampler import DDIM, DDPM, DPMSolverPP, Heun, Sampler, UniPC, sample
from framecast.diffusion.schedule import Cosine, Karras, Linear, RectifiedFlow, Schedule, ZeroTerminalSNR
from framecast.diffusion.times import Trailing

COLOURS = {
    "linear": "#0072b2",
    "cosine": "#009e73",
    "zero-terminal-SNR of linear": "#d55e00",
    "rectified flow": "#cc79a7",
    "Karras": "#777777",
}
SCHEDULES: dict[str, Schedule] = dict(
    zip(COLOURS, (Linear(), Cosine(), ZeroTerminalSNR(), RectifiedFlow(), Karras()), strict=True)
)
SAMPLERS: dict[str, tuple[Sampler, str, str]] = {
    "DDPM": (DDPM(), "#777777", "s"),
    "DDIM": (DDIM(), "#0072b2", "o"),
    "DPM-Solver++ 2M": (DPMSolverPP(), "#d55e00", "^"),
    "UniPC 2": (UniPC(), "#009e73", "D"),
    "Heun": (Heun(), "#cc79a7", "v"),
}
WEIGHTS, MEANS, STDS = (0.3, 0.7), (-2.0, 1.5), (0.3, 0.5)


def draw_schedules(folder: Path) -> None:
    """The two scales and the SNR over diffusion time."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
    t = torch.arange(1, 1001, dtype=torch.float64) / 1000
    for name, schedule in SCHEDULES.items():
        scale = schedule(t)
        left.plot(t, scale.alpha, color=COLOURS[name], label=name)
        left.plot(t, scale.sigma, color=COLOURS[name], ls=":")
        right.semilogy(t, scale.snr, color=COLOURS[name])
    left.set(xlabel="diffusion time t", title="α (solid) and σ (dotted)", xlim=(0, 1), ylim=(0, 1.02))
    right.set(xlabel="diffusion time t", title="signal-to-noise ratio α²/σ²", xlim=(0, 1), ylim=(1e-6, 1e6))
    right.axhline(1, color="0.8", lw=0.8, zorder=0)
    figure.legend(*left.get_legend_handles_labels(), fontsize=8, ncols=len(SCHEDULES), loc="outside lower center")
    save(figure, folder / "diffusion-schedules.png")


def draw_zero_snr(folder: Path) -> None:
    """What the last row still tells of an image's brightness, and where sampling from pure noise ends."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained", sharey=False)
    pixels, brightness = 64 * 64, 4.0
    mean = torch.linspace(-0.08, 0.08, 801, dtype=torch.float64)
    alpha, sigma = Linear()(torch.ones((), dtype=torch.float64))
    width = float(sigma) / math.sqrt(pixels)
    for sign, colour, name in ((-1, "#0072b2", "dark, −4"), (1, "#d55e00", "bright, +4")):
        centre = sign * brightness * float(alpha)
        left.fill_between(mean, torch.exp(-0.5 * ((mean - centre) / width) ** 2), color=colour, alpha=0.4, label=name)
    left.plot(mean, torch.exp(-0.5 * (mean * math.sqrt(pixels)) ** 2), color="k", lw=1.2, label="pure noise")
    left.set(title="mean of x at the last linear row", xlabel="mean over 64² pixels", yticks=[])
    left.legend(fontsize=8)
    for name in ("linear", "zero-terminal-SNR of linear"):
        means = brightness_of_samples(SCHEDULES[name], pixels, brightness)
        right.hist(
            means, bins=60, range=(-13, 13), density=True, histtype="step", lw=1.6, color=COLOURS[name], label=name
        )
    value = torch.linspace(-13, 13, 401, dtype=torch.float64)
    law = torch.exp(-0.5 * (value / brightness) ** 2) / (brightness * math.sqrt(2 * math.pi))
    right.plot(value, law, color="k", lw=1.0, ls="--", label="data")
    right.set(title="brightness of samples, UniPC, 100 evaluations", xlabel="mean over the image", yticks=[])
    right.legend(fontsize=8)
    save(figure, folder / "diffusion-zero-snr.png")


def brightness_of_samples(schedule: Schedule, pixels: int, brightness: float) -> Tensor:
    """Return the mean brightness of 2000 samples of dark and bright images, drawn with the best linear denoiser.

    All that matters of an image is its mean, whose noise is ``sigma / sqrt(pixels)``. Brightness is normal with
    standard deviation ``brightness``, which gives the best denoiser in closed form.
    """

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = (value[:, None] for value in schedule(t))
        return alpha * brightness**2 * x / (alpha**2 * brightness**2 + sigma**2 / pixels)

    start = torch.special.ndtri((torch.arange(2000, dtype=torch.float64) + 0.5) / 2000)[:, None] / math.sqrt(pixels)
    times = Trailing().times(schedule, 100)
    return sample(denoise, UniPC(), schedule, times, start, lambda k: start).flatten()


def draw_errors(folder: Path) -> None:
    """Error of each sampler on a mixture of two Gaussians against network evaluations."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained", sharey=True)
    for axis, name in zip(axes, ("cosine", "Karras"), strict=True):
        draw_errors_on(axis, SCHEDULES[name], name)
    axes[0].set_ylabel("Wasserstein distance to the data")
    axes[1].legend(fontsize=8)
    save(figure, folder / "diffusion-samplers.png")


def draw_errors_on(axis: Axes, schedule: Schedule, name: str) -> None:
    """Draw one panel."""
    counts = [3, 5, 7, 9, 15, 25, 51, 101, 201]
    for label, (sampler, colour, marker) in SAMPLERS.items():
        errors = [distance(sampler, schedule, count) for count in counts]
        axis.loglog(counts, errors, color=colour, marker=marker, ms=4, lw=1.3, label=label)
    axis.set(xlabel="network evaluations", title=f"{name} schedule, trailing times")
    axis.grid(alpha=0.25, which="both")


def distance(sampler: Sampler, schedule: Schedule, evaluations: int, n: int = 20000) -> float:
    """Return the mean distance between the sorted samples and the quantiles of the mixture."""

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = (value[:, None] for value in schedule(t))
        logits, means = [], []
        for weight, mean, std in zip(WEIGHTS, MEANS, STDS, strict=True):
            variance = alpha**2 * std**2 + sigma**2
            logits.append(math.log(weight) - 0.5 * variance.log() - 0.5 * (x - alpha * mean) ** 2 / variance)
            means.append((mean * sigma**2 + alpha * std**2 * x) / variance)
        return (torch.softmax(torch.stack(logits), 0) * torch.stack(means)).sum(0)

    u = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    one = torch.zeros(1, dtype=torch.int64)
    noise = MemberNoise(0, one, one, (n,))
    times = Trailing().times(schedule, sampler.nodes(evaluations))
    end = sample(denoise, sampler, schedule, times, torch.special.ndtri(u)[None], lambda k: noise(k).double())[0]
    return float((end.sort().values - quantiles(u)).abs().mean())


def quantiles(u: Tensor) -> Tensor:
    """Return the quantiles of the mixture, by bisection."""
    low, high = torch.full_like(u, -8.0), torch.full_like(u, 8.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(w * torch.special.ndtr((middle - m) / s) for w, m, s in zip(WEIGHTS, MEANS, STDS, strict=True)) < u
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return low


def save(figure: Figure, path: Path) -> None:
    """Write the figure."""
    figure.savefig(path, dpi=100)
    plt.close(figure)


def main() -> None:
    """Draw all figures into the folder named on the command line, by default the one of this script."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    draw_schedules(folder)
    draw_zero_snr(folder)
    draw_errors(folder)


if __name__ == "__main__":
    main()
