"""Moving MNIST: the figures that papers report of video prediction, and those of an ensemble.

    framecast import digits mnist.zarr --importer moving_mnist:open_sequences --independent     # in examples/
    framecast train moving-mnist.yaml --data mnist.zarr --out runs/moving-mnist
    python benchmarks/moving_mnist.py mnist.zarr runs/moving-mnist out

Ten frames of sequences of test digits are given, the next ten forecast block by block. MSE and MAE are sums over the
64×64 pixels of a frame, of values between 0 and 1, averaged over frames, of the ensemble mean; so is SSIM, here in
Gaussian windows of 11 pixels. Beside the model stand persistence and a blank frame, which many a forecast of digits is
no better than.
"""

import argparse
import platform
from pathlib import Path

import torch

import framecast as fc
from framecast.verification.baselines import Baseline, from_past


def blank(past: torch.Tensor, lead_times: list[float]) -> torch.Tensor:
    """Return black frames."""
    return torch.zeros(1, len(past), len(lead_times), *past.shape[-2:])


def main() -> None:
    """Forecast, evaluate, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("model")
    parser.add_argument("out", type=Path, help="folder for the forecast file")
    parser.add_argument("--sequences", type=int, default=500)
    parser.add_argument("--members", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = arguments.out / "forecast.zarr"
    tenth = "2001-01-01T00:00:09"  # of the 20 frames of every test sequence
    chosen = {"time": tenth, "horizon": "10s", "limit": arguments.sequences, "members": arguments.members}
    fc.forecast(arguments.model, arguments.archive, path, **chosen, overwrite=True, progress=False)
    black = Baseline(name="blank", label="blank frames", prepare=from_past(blank), reference=False)
    scores = fc.evaluate(path, baselines=[black], blocks="sequence", progress=False).scores
    pixels = scores.judged_pixels / scores.judged_samples / len(scores.lead_times_h)
    print(f"processor: {platform.processor() or platform.machine()}; {scores.judged_samples} sequences\n")
    shown = [k for k in range(len(scores.lead_times_h)) if k % 3 == 0]
    print("| | MSE | " + " | ".join(f"MSE, frame {k + 1}" for k in shown) + " | MAE | SSIM | CRPS × pixels |")
    print("|---" * (6 + len(shown)) + "|")
    for entry in scores.forecasts.values():
        error = entry["rmse"]
        low, high = pixels * error.total.bounds() ** 2
        frames = " | ".join(f"{pixels * error.by_lead.value[k] ** 2:.1f}" for k in shown)
        others = f"{pixels * entry['mae'].value:.1f} | {entry['ssim'].value:.3f} | {pixels * entry['crps'].value:.1f}"
        print(f"| {entry.label} | {pixels * error.value**2:.1f} ({low:.1f} … {high:.1f}) | {frames} | {others} |")
    for entry in scores.forecasts.values():
        if not entry.point:
            ranks, members = entry.ranks, len(entry.ranks) - 1
            within, nominal = 1 - ranks[0] - ranks[-1], (members - 1) / (members + 1)
            print(
                f"\n{entry.label}: spread / error {entry['spread_skill'].value:.2f}; the truth lies within the "
                f"{members} members in {within:.3f} of the pixels, nominally {nominal:.3f}"
            )


if __name__ == "__main__":
    main()
