"""Bright pixels and texture of forecasts beside the perfect forecast and the truth.

    python benchmarks/tails.py corona-one.zarr --softening 10

Printed for each: the values that one pixel in 10⁴ and 10⁵ exceeds, and the power over the truth's of the values and of
log(1 + x / softening), in which a few flares do not hide everything else.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import framecast as fc
from framecast.verification.scores import power_spectrum

RINGS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32)
MEMBERS = 8
"""Of each window, in the power."""


def power(videos: torch.Tensor, stretch: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return the mean power of ``[video, time, y, x]`` at each wavenumber."""
    return power_spectrum(stretch(videos)[:, None]).mean(dim=(0, 1, 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("forecasts", nargs="+", type=Path)
    parser.add_argument("--softening", type=float, default=10.0)
    options = parser.parse_args()
    stretches = {
        "values": lambda x: x,
        f"log(1 + x / {options.softening:g})": lambda x: torch.log1p(x.clamp(min=0) / options.softening),
    }
    for path in options.forecasts:
        stored = fc.open_forecast(path)
        truth = torch.from_numpy(stored["truth"].values)[..., 0, :, :]
        ensembles = {name: torch.from_numpy(stored[name].values)[..., 0, :, :] for name in ("forecast", "oracle")}
        pixels = {name: videos.numpy() for name, videos in ensembles.items()} | {"truth": truth.numpy()}
        for name, values in pixels.items():
            high = np.nanquantile(values, [1 - 1e-4, 1 - 1e-5])
            print(f"{path} {name}: one pixel in 10^4, 10^5 is above {high[0]:.0f}, {high[1]:.0f}")
        for title, stretch in stretches.items():
            true = power(truth, stretch)
            for name, videos in ensembles.items():
                ratio = power(videos[:, :MEMBERS].flatten(0, 1), stretch) / true
                told = ", ".join(f"{k}: {ratio[k - 1]:.2f}" for k in RINGS if k <= len(ratio))
                print(f"{path} {name}: power over the truth's of {title}, at wavenumber {told}")


if __name__ == "__main__":
    main()
