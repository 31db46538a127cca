"""What a network gains from the hour as an input: ERA5 temperature, 24 h ahead in steps of 3 h.

    framecast import era5_t2m_uk_2019-03_hourly.nc era5.zarr --multiple 8
    python benchmarks/clock.py era5.zarr out

Three one-shot models are trained for as many steps on the days before 21 March: without the hour, with it
(``data.forcings``), and with it as standardised anomalies (``data.anomalies``). They are judged on the days from 23
March beside the baselines of ``--climatology hour``: training frames of the same hour, and the mean daily cycle plus
the anomaly of the last frame, dressed.
"""

import argparse
import platform
from pathlib import Path

import torch

import framecast as fc

TRAIN_END, TEST_START = "2019-03-21", "2019-03-23"


MODELS = {"network": {}, "hour": {"forcings": ["hour"]}, "anomalies": {"forcings": ["hour"], "anomalies": ["hour"]}}
"""What differs in ``data``, by the name of the model."""


def recipe(name: str, steps: int) -> dict:
    """Return what differs from the recipe `tiny`."""
    return {
        "name": name,
        "data": {
            "past": 4,
            "future": 8,
            "cadence": "3h",
            **MODELS[name],
            "split": {
                "kind": "time",
                "train_end": TRAIN_END,
                "validation_start": TRAIN_END,
                "validation_end": TEST_START,
                "test_start": TEST_START,
            },
        },
        "diffusion": None,
        "one_shot": {"members": 2},
        "network": {"width": 24},
        "sampling": {"precision": "float32"},
        "training": {
            "steps": steps,
            "batch": 8,
            "learning_rate": 2e-3,
            "warmup": 30,
            "decay": "cosine",
            "ema": 0.98,
            "validate_every": steps,
        },
    }


def main() -> None:
    """Train, forecast, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    paths = []
    for name in arguments.models:
        run, path = arguments.out / f"run-{name}", arguments.out / f"{name}.zarr"
        fc.train(fc.load_recipe("tiny", recipe(name, arguments.steps)), arguments.archive, out=run, progress=False)
        fc.forecast(run, arguments.archive, path, split="test", limit=32, members=20, overwrite=True, progress=False)
        paths.append(path)
    print(f"processor: {platform.processor() or platform.machine()}; {arguments.steps} steps\n")
    table(paths)


def table(paths: list[Path]) -> None:
    """Print the scores of forecast files and of the baselines."""
    scores = fc.evaluate(paths, climatology="hour", blocks="day", progress=False).scores
    print("| CRPS, K | " + " | ".join(f"{3 * (k + 1)} h" for k in range(8)) + " | all | 95 % | spread / error |")
    print("|---" * 12 + "|")
    for entry in scores.forecasts.values():
        found, spread = entry["crps"], "–" if entry.point else f"{entry['spread_skill'].value:.2f}"
        low, high = found.total.bounds()
        values = " | ".join(f"{value:.2f}" for value in [*found.by_lead.value, found.value])
        print(f"| {entry.label} | {values} | {low:.2f} … {high:.2f} | {spread} |")
    print(f"\n{scores.bootstrap}")
    for pair in scores.differences:
        found = pair.scores["crps"]
        low, high = found.total.bounds()
        print(f"{pair.first} - {pair.second}: {float(found.total):+.3f} ({low:.3f}, {high:.3f}) {found.verdict}")


if __name__ == "__main__":
    main()
