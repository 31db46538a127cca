"""What a model should predict, how it should be trained and by what network: many short runs, one table.

    framecast solar prepare aia171-fulldisk-2017 sun32.zarr --size 32 --wavelengths 171 --spacing 6
    python benchmarks/ablations.py sun32.zarr --out ablations.json [--seconds 120] [--only NAME ...]

Every run is the recipe ``tiny`` with the changes `COMMON` and a few of its own, trained for the same processor time on
one core (``--seconds``; the time of a step is measured first and the number of steps follows from it, so that a dear
network makes fewer). Then an ensemble is drawn for each of the same validation windows and judged. A run that the JSON
file holds already is not repeated, so that an interrupted table goes on; the table is written beside it as Markdown.
"""

import argparse
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from framecast.data.archive.reader import Archive
from framecast.data.climatology import sample_climatology
from framecast.data.datasets import WindowDataset
from framecast.generators.generator import Generator
from framecast.models.archive_forecast import sample_key
from framecast.models.config import attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.training import TrainingState, fit
from framecast.training.objective import measure_loss
from framecast.training.prepare import Prepared, prepare
from framecast.training.recipe import Recipe, load_recipe
from framecast.verification.baselines import draw_residuals, dressed_persistence
from framecast.verification.quantities import integral, peak, total
from framecast.verification.scores import crps, ensemble_mean, ensemble_variance, power_spectrum
from framecast.videos.conditioning import Conditioning
from framecast.videos.target import latest_frame

COMMON = (
    "name=ablation",
    "data.cadence=2h",
    "data.split={kind: time, train_end: 2017-08-12, validation_start: 2017-08-13}",
    "network.multipliers=[1, 2, 4, 4]",
    "network.attention_levels=0",
    "training.batch=8",
    "training.learning_rate=0.002",
    "training.warmup=50",
    "training.ema=0.995",
    "training.flips=[x, y]",
    "sampling.precision=bf16",
)
"""What differs from the recipe ``tiny`` in every run."""

DIFFUSION = ("diffusion.draw={kind: log-normal, mean: 1.0, std: 1.8, stratified: true}",)
ONE_SHOT = ("diffusion=null", "one_shot.members=2")
STRUCTURE = (*ONE_SHOT, "one_shot.loss={pooled: 0.03, spectral: 0.2, modulus: 0.05, differences: 0.1}")

RUNS: dict[str, tuple[str, ...]] = {
    "base": DIFFUSION,
    "base, seed 1": (*DIFFUSION, "training.seed=1"),
    "base, seed 2": (*DIFFUSION, "training.seed=2"),
    "stretch: square root": (*DIFFUSION, "data.curve=sqrt"),
    "noise slope 0": (*DIFFUSION, "diffusion.noise_slope=0"),
    "noise slope 0.5": (*DIFFUSION, "diffusion.noise_slope=0.5"),
    "width 48": (*DIFFUSION, "network.width=48"),
    "one-shot": ONE_SHOT,
    "one-shot, pooled 0.03": (*ONE_SHOT, "one_shot.loss.pooled=0.03"),
    "one-shot, structure": STRUCTURE,
    "one-shot, structure and fields": (*STRUCTURE, "one_shot.fields=8"),
    "times: uniform": ("diffusion.draw={kind: uniform, stratified: true}",),
    "attention, three resolutions": (*DIFFUSION, "network.multipliers=[1, 2, 4]", "network.attention_levels=1"),
    "three resolutions": (*DIFFUSION, "network.multipliers=[1, 2, 4]"),
    "mean only": ("diffusion=null", "one_shot={loss: {kind: mse}, members: 1}"),
    "one-shot, four members": ("diffusion=null", "one_shot.members=4", "one_shot.loss.pooled=0.03"),
    "one-shot, pixels alone": (*ONE_SHOT, "one_shot.loss.pooled=0.0"),
    "target: future": (*DIFFUSION, "target=future"),
    "prediction: x0": (*DIFFUSION, "diffusion.prediction=x0"),
    "prediction: epsilon, clipped": (*DIFFUSION, "diffusion.prediction=epsilon", "sampling.clip={'171': [0, 20000]}"),
    "rectified flow": (*DIFFUSION, "diffusion.schedule={kind: rectified-flow}", "diffusion.prediction=flow"),
    "rectified flow, square root": (
        *DIFFUSION,
        "diffusion.schedule={kind: rectified-flow}",
        "diffusion.prediction=flow",
        "data.curve=sqrt",
    ),
    "two of the four days": (
        *DIFFUSION,
        "data.split={kind: time, train_end: 2017-08-10, validation_start: 2017-08-13}",
    ),
    "weighting: min-SNR": (*DIFFUSION, "diffusion.weighting={kind: min-snr}"),
    "patches of 4": (*DIFFUSION, "network.patch=4", "network.multipliers=[2, 4, 4]"),
    "no flips": (*DIFFUSION, "training.flips=[]"),
    "batch 16": (*DIFFUSION, "training.batch=16"),
    "learning rate 0.001": (*DIFFUSION, "training.learning_rate=0.001"),
    "average 0.98": (*DIFFUSION, "training.ema=0.98"),
    "palette-video": (
        *DIFFUSION,
        "network={kind: palette-video, width: 16}",
        "training.learning_rate=0.001",
    ),
}
"""The changes of every run, by name."""

MEMBERS, WINDOWS, RESIDUALS = 16, 48, 256


class Variant:
    """What a run may change beside its recipe; this one changes nothing.

    Attributes:
        share: of the processor time that is left for the run itself.
    """

    share = 1.0

    def windows(self, windows: WindowDataset) -> WindowDataset:
        """Return the windows that are trained on."""
        return windows

    def network(self, prepared: Prepared) -> nn.Module:
        """Return the network."""
        return build_network(prepared.model)

    def conditioning(self, prepared: Prepared, windows: WindowDataset) -> Conditioning:
        """Return what puts a past and a future before the network."""
        return prepared.model.conditioning


@dataclass
class Trained:
    """A run after its last step.

    Attributes:
        state: weights and their average.
        generator: of the network in ``state``.
        conditioning: what put the windows before it.
        losses: of each step.
        seconds: of processor time.
    """

    state: TrainingState
    generator: Generator
    conditioning: Conditioning
    losses: list[float]
    seconds: float


def main() -> None:
    options = arguments(__doc__, RUNS)
    make({name: (Variant(), changes) for name, changes in RUNS.items()}, options)


def arguments(doc: str | None, names: Iterable[str]) -> argparse.Namespace:
    """Return what was given on the command line."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, default=Path("ablations.json"))
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--only", nargs="*", choices=list(names))
    parser.add_argument("--set", nargs="*", default=[], help="changes of every run")
    return parser.parse_args()


def make(runs: Mapping[str, tuple[Variant, tuple[str, ...]]], options: argparse.Namespace) -> None:
    """Make the runs that the file does not hold yet, and write the table anew after each."""
    torch.set_num_threads(1)
    found: dict[str, Any] = json.loads(options.out.read_text()) if options.out.is_file() else {}
    for name in options.only or runs:
        if name not in found:
            variant, changes = runs[name]
            recipe = load_recipe("tiny", [*COMMON, *changes, *options.set])
            found[name] = {
                "changes": [*changes, *options.set],
                **run(recipe, options.archive, options.seconds, variant),
            }
            options.out.write_text(json.dumps(found, indent=1) + "\n")
            options.out.with_suffix(".md").write_text(table(found))
            print(name, json.dumps(found[name]), flush=True)


def run(recipe: Recipe, archive: Path, seconds: float, variant: Variant) -> dict[str, Any]:
    """Train for so much processor time, and judge."""
    prepared = prepare(recipe, Archive.open(archive))
    windows, validation = variant.windows(prepared.dataset("train")), prepared.dataset("validation")
    for dataset in (windows, validation):  # read everything first: files are not what is measured
        for index in {window.sequence: k for k, window in enumerate(dataset.windows)}.values():
            dataset.sample(index)
    trained = train(prepared, windows, variant.share * seconds, variant)
    network = trained.generator.network
    with trained.state.ema.within(network):
        forecaster = Forecaster(prepared.model, trained.generator)
        forecaster.conditioning = trained.conditioning  # the variant's own
        figures = judge(forecaster, validation, sample_climatology(windows, most=RESIDUALS, seed=0).residuals)
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "gflop": gflop(forecaster, validation),
        "steps": len(trained.losses),
        "seconds": trained.seconds,
        "training_loss": float(np.mean(trained.losses[-max(1, len(trained.losses) // 10) :])),
        **figures,
    }


def train(prepared: Prepared, windows: WindowDataset, seconds: float, variant: Variant) -> Trained:
    """Train a network for so much processor time; the time of a step is measured first, with weights of its own."""
    conditioning = variant.conditioning(prepared, windows)
    step = seconds_per_step(prepared, windows, conditioning, variant)
    options = replace(prepared.recipe.training, steps=max(1, round(seconds / step)))
    torch.manual_seed(options.seed)
    network = variant.network(prepared)
    generator = attach(prepared.model, network)
    measure_loss(generator, conditioning, windows, seed=options.seed)
    state = TrainingState(network, options)
    began = time.process_time()
    losses = [p.loss for p in fit(state, generator, conditioning, windows, options)]
    return Trained(state, generator, conditioning, losses, time.process_time() - began)


def seconds_per_step(prepared: Prepared, windows: WindowDataset, conditioning: Conditioning, variant: Variant) -> float:
    """Return the processor time of one step, from 8 steps after 2 to warm up."""
    options = replace(prepared.recipe.training, steps=10)
    network = variant.network(prepared)
    generator = attach(prepared.model, network)
    measure_loss(generator, conditioning, windows, seed=options.seed)
    for progress in fit(TrainingState(network, options), generator, conditioning, windows, options):
        if progress.step == 2:
            began = time.process_time()
    return (time.process_time() - began) / 8


def gflop(forecaster: Forecaster, windows: WindowDataset) -> float:
    """Return the floating-point operations of one member, all its network evaluations together, in 10⁹."""
    past = windows.sample(0).past
    with FlopCounterMode(display=False) as counter:
        forecaster.draw(past, Draw(members=range(2), options=forecaster.sampling, seed=0))
    return counter.get_total_flops() / 2e9


def judge(forecaster: Forecaster, windows: WindowDataset, residuals: np.ndarray) -> dict[str, Any]:
    """Return the scores of an ensemble for each of evenly spaced windows, in physical units, and their cost."""
    names = ("crps", "dressed", "variance", "error", "power", "true_power", "flux", "mpf", "fluence")
    sums: dict[str, list[np.ndarray]] = {name: [] for name in names}
    seconds = 0.0
    for k in range(WINDOWS):
        index = k * len(windows) // WINDOWS
        past, truth, *_ = windows.sample(index)
        key = sample_key(windows.windows[index])
        began = time.process_time()
        drawn = forecaster.draw(past, Draw(members=range(MEMBERS), options=forecaster.sampling, seed=0, sample=key))
        seconds += time.process_time() - began
        chosen = torch.from_numpy(residuals[draw_residuals(len(residuals), 40, seed=0, sample=index)])
        dressed = dressed_persistence(latest_frame(past, windows.frames)[:, 0], chosen)
        curves, true_curve = total(drawn)[:, 0], total(truth)[0]
        case = {
            "crps": crps(drawn, truth).mean(dim=(0, 2, 3)),
            "dressed": crps(dressed, truth).mean(dim=(0, 2, 3)),
            "variance": ensemble_variance(drawn).mean(dim=(0, 2, 3)),
            "error": (ensemble_mean(drawn) - truth).square().mean(dim=(0, 2, 3)),
            "power": power_spectrum(drawn).mean(dim=(0, 1, 2)),
            "true_power": power_spectrum(truth).mean(dim=(0, 1)),
            "flux": (crps(curves, true_curve) / true_curve).mean(),
        }
        for name, quantity in (("mpf", peak), ("fluence", integral)):
            theirs, true = (quantity(video, windows.frames.cadence)[..., 0] for video in (drawn, truth))
            low, high = torch.quantile(theirs.double(), torch.tensor([0.05, 0.95], dtype=torch.float64))
            case[name] = (low <= true) & (true <= high)
        for name, value in case.items():
            sums[name].append(value.double().numpy())
    mean = {name: np.mean(values, axis=0) for name, values in sums.items()}
    ratio = mean["power"] / mean["true_power"]
    quarter = len(ratio) // 2
    return {
        "crps": float(mean["crps"].mean()),
        "crps_by_lead": mean["crps"].tolist(),
        "crps_by_window": [float(value.mean()) for value in sums["crps"]],
        "dressed": float(mean["dressed"].mean()),
        "below_dressed": float(1 - mean["crps"].mean() / mean["dressed"].mean()),
        "below_dressed_by_lead": (1 - mean["crps"] / mean["dressed"]).tolist(),
        "spread_error": float(np.sqrt(mean["variance"].mean() / mean["error"].mean())),
        "rmse": float(np.sqrt(mean["error"].mean())),
        "flux_crps": float(mean["flux"]),
        "held_mpf": float(mean["mpf"]),
        "held_fluence": float(mean["fluence"]),
        "power_lowest": float(ratio[:quarter].min()),
        "power_highest": float(ratio[:quarter].max()),
        "power_beyond": float(ratio[quarter:].mean()),
        "draw_seconds": seconds / WINDOWS / MEMBERS,
    }


def table(found: dict[str, Any]) -> str:
    """Return the runs as a Markdown table, the best fair CRPS first; what `DIFFUSION` changes is left out.

    All are compared with the first run of the file.
    """
    columns = (
        *("run", "changes", "steps", "CRPS", "against the first", "below dressed", "spread / error"),
        *("coverage of 90 %: MPF, fluence", "power to half Nyquist", "GFLOP a member"),
    )
    rows = [columns, ("---",) * len(columns)]
    first = next(iter(found))
    for name, r in sorted(found.items(), key=lambda item: item[1]["crps"]):
        rows.append(
            (
                name,
                f"`{changes}`" if (changes := " ".join(c for c in r["changes"] if c not in DIFFUSION)) else "",
                str(r["steps"]),
                f"{r['crps']:.2f}",
                "" if name == first else difference(r, found[first]),
                f"{r['below_dressed']:.1%}",
                f"{r['spread_error']:.2f}",
                f"{r['held_mpf']:.0%}, {r['held_fluence']:.0%}",
                f"{r['power_lowest']:.2f} to {r['power_highest']:.2f}",
                f"{r['gflop']:.2f}",
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def difference(run: dict[str, Any], first: dict[str, Any]) -> str:
    """Return by how much the CRPS differs, in per cent, with the 95 % interval of a bootstrap over windows."""
    pairs = np.array([run["crps_by_window"], first["crps_by_window"]])
    drawn = pairs[:, np.random.default_rng(0).integers(0, pairs.shape[1], (2000, pairs.shape[1]))].mean(axis=2)
    low, high = np.quantile(100 * (drawn[0] / drawn[1] - 1), [0.025, 0.975])
    return f"{100 * (run['crps'] / first['crps'] - 1):+.1f} % ({low:+.1f} to {high:+.1f})"


if __name__ == "__main__":
    main()
