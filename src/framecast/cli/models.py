"""Commands on models: ``average``, ``calibrate``, ``export`` and ``reference``."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from framecast.cli.console import note, say
from framecast.cli.sampling import TrustCode
from framecast.core.errors import ConfigError
from framecast.verification.options import Blocks

if TYPE_CHECKING:
    from framecast.verification.recalibration.calibration import Calibration


def average(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run trained with training.averages=[0.05, 0.1].")],
    out: Annotated[Path, typer.Argument(metavar="MODEL", help="The model folder to write.")],
    width: Annotated[
        float, typer.Option(help="EMA width as a fraction of the training: 0.05 is short, 0.2 is long.")
    ] = 0.1,
    step: Annotated[
        int | None, typer.Option(min=1, help="Step at which the average ends.  [default: the last snapshot]")
    ] = None,
    trust_code: TrustCode = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing model.")] = False,
) -> None:
    """Make a model with another EMA width from a finished run.

    It is computed from the snapshots of the run (Karras et al. 2024), without further training.
    """
    note(f"averaging the snapshots of {run}")
    from framecast.training.snapshots import write_average

    ended, misfit = write_average(run, out, width, step=step, overwrite=overwrite, trust_code=trust_code)
    note(
        f"averaged with width {width:g} up to step {ended}; the profile differs from the requested one by {misfit:.1%}"
    )
    say(str(out))


def calibrate(
    forecast: Annotated[
        Path, typer.Argument(metavar="FORECAST.zarr", help="A forecast of windows the model was not trained on.")
    ],
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The run or model folder that made it.")],
    blocks: Annotated[
        Blocks, typer.Option(help="Unit treated as independent (exchangeable) when calibrating.")
    ] = "auto",
) -> None:
    """Recalibrate the intervals of a model on unseen windows.

    Intervals of derived quantities, such as the total, are compared with the observations in FORECAST. The result is
    kept in MODEL/calibration.json. Later forecasts by the model with the same settings store it, and `framecast
    evaluate` shows the coverage of their intervals with it and without. See docs/calibration.md.
    """
    note(f"calibrating the intervals of {model}")
    import framecast as fc
    from framecast.models.header import find_model

    _explain(fc.calibrate(forecast, model, blocks=blocks))
    say(str(find_model(model) / "calibration.json"))


def _explain(calibration: "Calibration") -> None:
    """Print how much the 50 and 90 % intervals of each quantity were widened, and which levels can be guaranteed."""
    import numpy as np

    from framecast.core.domain import find_domain
    from framecast.verification.quantities import quantities_of
    from framecast.verification.summary import quantity_info

    levels = next(iter(calibration.offsets.values()))
    possible = [level for level, offsets in levels.items() if np.isfinite(np.array(offsets, dtype=np.float64)).any()]
    note(
        f"{len(calibration.windows)} windows in {calibration.number_of_blocks} blocks ({calibration.blocks}): "
        f"levels up to {possible[-1] if possible else 0} % can be guaranteed"
    )
    entries = quantities_of(find_domain({}, unit=calibration.unit, channels=calibration.channels))
    infos = {entry.name: quantity_info(entry, calibration.unit) for entry in entries}
    for name, info in infos.items():
        if name not in calibration.scales:
            continue
        unit = "times its spread" if calibration.scales[name] == "spread" else info.unit
        parts = []
        for level in ("50", "90"):
            offsets = np.array(calibration.offsets[name][level], dtype=np.float64)
            if np.isfinite(offsets).any():
                parts.append(f"{level} %: {np.nanmean(offsets):+.2f}")
        note(f"  {info.label}: half-width change, {', '.join(parts) or 'nothing'} {unit}".rstrip())


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a model folder, or a released model's name.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Output folder.")],
    format: Annotated[
        Literal["onnx", "torch", "model"],
        typer.Option(help="onnx for onnxruntime and similar, torch for torch.export.load, model for framecast itself."),
    ] = "onnx",
    size: Annotated[
        str | None,
        typer.Option(metavar="HxW", help="Height and width of the frames, such as 128x128. [default: as trained]"),
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Keep weights in float16. Only with --format model.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing export.")] = False,
    trust_code: TrustCode = False,
) -> None:
    """Export a model for framecast, ONNX or PyTorch.

    For ONNX and PyTorch: the network with its weights, and a file with all settings needed for sampling. With --format
    model: a model folder for framecast, that is, the model of a run without its training state.
    """
    note(f"exporting {model}")
    if format == "model":
        if size:
            raise ConfigError("--size applies to --format onnx and torch: a framecast model accepts frames of any size")
        from framecast.models.export import pack_model
        from framecast.models.header import WEIGHTS

        folder = pack_model(model, out, half=half, overwrite=overwrite, trust_code=trust_code)
        note(f"{(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB of weights in {'float16' if half else 'float32'}")
        say(str(folder))
        return
    if half:
        raise ConfigError(f"--half applies to --format model, and --format is {format}: leave it out")
    from framecast.core.files import EXPORT, refuse_existing
    from framecast.models.checkpoint import load
    from framecast.models.export import export_model

    refuse_existing(out, overwrite=overwrite, kind=EXPORT)
    forecaster = load(model, trust_code=trust_code)
    note(f"tracing {forecaster.name} for {format}: about a minute")
    path = export_model(forecaster, out, format=format, size=_parse_size(size), overwrite=overwrite)
    note(f"{path.stat().st_size / 1e6:.1f} MB; inputs, stretch and sampling times are in {out / EXPORT.marker}")
    say(str(path))


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x×](\d+))?", text.strip())
    if not match:
        raise ConfigError(f"--size is {text!r}; write height and width such as 128x96, or one number for a square")
    return int(match[1]), int(match[2] or match[1])


def reference(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run or a model folder.")],
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive that it was trained on.")],
    windows: Annotated[int, typer.Option(min=11, help="Largest number of training pasts for the guard.")] = 2000,
    occasions: Annotated[int, typer.Option(min=2, help="Largest number of training windows for baselines.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the choice of windows.")] = 0,
    trust_code: TrustCode = False,
) -> None:
    """Add baselines and an out-of-domain guard to a model.

    Training does this at its end; the weights do not change. The result is kept in MODEL/reference.safetensors:
    forecasts of any archive then include baselines, and pasts unlike the training data give a warning. See
    docs/guard.md.
    """
    note(f"describing the training data of {model}")
    import framecast as fc

    path = fc.add_reference(model, archive, windows=windows, occasions=occasions, seed=seed, trust_code=trust_code)
    say(str(path))
