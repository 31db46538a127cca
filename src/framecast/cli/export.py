"""``framecast export``: a model for programs that have no framecast."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from framecast.cli.console import note, say
from framecast.cli.sampling import TrustCode
from framecast.core.errors import ConfigError


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
        from framecast.models.header import WEIGHTS
        from framecast.models.packing import pack_model

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
