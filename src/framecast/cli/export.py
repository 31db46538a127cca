"""``framecast export``: a model for programs that have no framecast."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from framecast.cli.console import note, say
from framecast.errors import ConfigError


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a model folder, or a released model's name.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make.")],
    format: Annotated[
        Literal["onnx", "torch"], typer.Option(help="onnx for onnxruntime and its kin, torch for torch.export.load.")
    ] = "onnx",
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Of the frames, such as 128x128. [default: as trained]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an export of that name.")] = False,
) -> None:
    """Write a model's network, with its weights and schedule inside, and beside it what is needed to draw with it."""
    from framecast.checkpoint import load
    from framecast.export import export_model
    from framecast.files import EXPORT, refuse_existing

    refuse_existing(out, overwrite=overwrite, kind=EXPORT)
    forecaster = load(model)
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
