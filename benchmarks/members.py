"""Cost, texture and calibration of the members of several models on the same windows: one table.

    framecast solar prepare aia171-fulldisk-2017 sun.zarr --size 64 --wavelengths 171
    python benchmarks/members.py sun.zarr --out members.json "diffusion=sun-171" "one shot=runs/one"

A model is NAME=PATH. Several paths with commas between them are an ensemble of models; PATH@STEPS draws in so many
steps, PATH@STEPS@ddim by those of a teacher (``framecast distill``); PATH~DIFFUSION@STEPS@LOGSNR refines the members of
a one-shot model. All models forecast each window in turn, in float32, so that processor times compare. CRPS differences
are paired and relative to the first model, with the 95 % interval of a bootstrap over sequences. A model that the JSON
file holds for the same windows is not repeated.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.diffusion.sampler import DDIM
from framecast.diffusion.times import Distilled
from framecast.models.archive_forecast import Plan, plan_forecast, sample_key
from framecast.models.checkpoint import load
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.models.selection import Selection
from framecast.verification.quantities import integral, peak
from framecast.verification.scores import crps, ensemble_mean, ensemble_variance, power_spectrum
from framecast.verification.scores.image import similarities

RINGS = (1, 2, 4, 8, 12, 16, 20, 24, 28, 32)


def opened(text: str) -> tuple[Forecaster, dict[str, Any]]:
    """Return the model that is meant by what stands behind NAME=, and how it draws."""
    text, _, refining = text.partition("~")
    paths, *how = text.split("@")
    model = load(paths.split(",") if "," in paths else paths)
    if refining:
        by, number, log_snr = refining.split("@")
        model = model.refined(load(by), steps=int(number), log_snr=float(log_snr))
    steps = {"steps": int(how[0])} if how else {}
    teacher = {"sampler": DDIM(eta=0.0), "grid": Distilled(**steps)} if how[1:] == ["ddim"] else {}
    return model, {"precision": "float32", **steps, **teacher}


def judged(drawn: torch.Tensor, truth: torch.Tensor, cadence: float, spread: float) -> dict[str, np.ndarray]:
    """Return the scores of one window; ``drawn`` is ``[member, channel, lead time, y, x]``, physical units."""
    case = {
        "crps": crps(drawn, truth).mean(),
        "variance": ensemble_variance(drawn).mean(),
        "error": (ensemble_mean(drawn) - truth).square().mean(),
        "power": power_spectrum(drawn).mean(dim=(0, 1, 2)),
        "true_power": power_spectrum(truth).mean(dim=(0, 1)),
        "ssim": similarities(drawn, truth.expand_as(drawn), data_range=spread)[0].mean(),
    }
    for name, function in (("peak", peak), ("integral", integral)):
        ours, true = function(drawn[:, 0], cadence), function(truth[0], cadence)
        case[name] = ((ours.min() <= true) & (true <= ours.max())).float()
    return {name: value.double().numpy() for name, value in case.items()}


def run(plan: Plan, models: dict[str, str], members: int, found: dict[str, Any], out: Path) -> None:
    """Forecast and judge every window by all models that ``found`` lacks, and write what was found."""
    windows = WindowDataset(plan.archive, plan.chosen, plan.frames, cache_bytes=0)
    ready = {name: opened(text) for name, text in models.items() if name not in found}
    cases: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in ready}
    seconds: dict[str, list[float]] = {name: [] for name in ready}
    for index in range(len(windows)):
        past, truth, *_ = windows.sample(index)
        if not torch.isfinite(truth).all():
            continue
        key = sample_key(plan.chosen[index])
        for name, (model, choices) in ready.items():
            draw = Draw(members=range(members), options=model.options(**choices), seed=0, sample=key)
            began = time.process_time()
            drawn = model.draw(past, draw)
            seconds[name].append((time.process_time() - began) / members)
            spread = float(torch.quantile(truth, 0.999) - truth.min())
            cases[name].append(
                judged(drawn, truth, plan.frames.cadence, spread) | {"block": plan.chosen[index].sequence}
            )
        print(f"window {index + 1} of {len(windows)}", flush=True)
    for name, own in cases.items():
        model, choices = ready[name]
        found[name] = {
            "path": models[name],
            "evaluations": model.generator.describe(model.options(**choices))["steps"],
            "seconds": float(np.median(seconds[name])),
            "blocks": [case["block"] for case in own],
            **{key: np.array([case[key] for case in own]).tolist() for key in own[0] if key != "block"},
        }
    out.write_text(json.dumps(found))


def against(ours: dict[str, Any], first: dict[str, Any]) -> str:
    """Return the paired difference of the CRPS in per cent with its 95 % interval, drawn by sequences."""
    blocks = np.array(ours["blocks"])
    names = np.unique(blocks)
    sums = np.array([[np.sum(np.array(own["crps"])[blocks == name]) for name in names] for own in (ours, first)])
    drawn = sums[:, np.random.default_rng(0).integers(0, len(names), (2000, len(names)))].sum(axis=2)
    low, high = np.quantile(100 * (drawn[0] / drawn[1] - 1), [0.025, 0.975])
    return f"{100 * (sums[0].sum() / sums[1].sum() - 1):+.2f} % ({low:+.2f} to {high:+.2f})"


def table(found: dict[str, Any], members: int) -> str:
    """Return the models as a Markdown table, and the power at single wavenumbers as a second one."""
    nominal = (members - 1) / (members + 1)
    columns = ("model", "evaluations", "CRPS", "against the first", "spread / error", "power over the truth's")
    columns += ("SSIM of members", f"range of members holds peak, integral (nominal {nominal:.0%})", "seconds a member")
    rows, second = [columns, ("---",) * len(columns)], [("model", *map(str, RINGS)), ("---",) * (len(RINGS) + 1)]
    first = next(iter(found.values()))
    for name, own in found.items():
        mean = {key: np.mean(own[key], axis=0) for key in ("crps", "variance", "error", "ssim", "peak", "integral")}
        ratio = np.mean(own["power"], axis=0) / np.mean(own["true_power"], axis=0)
        rows.append(
            (
                name,
                str(own["evaluations"]),
                f"{mean['crps']:.3f}",
                "" if own is first else against(own, first),
                f"{np.sqrt(mean['variance'] / mean['error']):.2f}",
                f"{ratio.min():.2f} to {ratio.max():.2f}",
                f"{mean['ssim']:.3f}",
                f"{mean['peak']:.0%}, {mean['integral']:.0%}",
                f"{own['seconds']:.3f} ({own['seconds'] / first['seconds']:.2f})",
            )
        )
        second.append((name, *(f"{ratio[k - 1]:.2f}" for k in RINGS if k <= len(ratio))))
    return "\n".join("".join(f"| {' | '.join(row)} |\n" for row in part) for part in (rows, second))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("models", nargs="+", metavar="NAME=PATH")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=48)
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    options = parser.parse_args()
    models = dict(text.split("=", 1) for text in options.models)
    found = json.loads(options.out.read_text()) if options.out.exists() else {}
    first, _ = opened(next(iter(models.values())))
    selection = Selection(split=options.split, limit=options.windows)
    plan = plan_forecast(first, Archive.open(options.archive), selection)
    run(plan, models, options.members, found, options.out)
    print(table(found, options.members))


if __name__ == "__main__":
    main()
