"""``framecast forecast``: ensembles for the windows of an archive."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from framecast.cli.console import note, progress, say
from framecast.core.distributed import join
from framecast.core.errors import ConfigError

if TYPE_CHECKING:
    from framecast.diffusion.sampling import SamplingOptions

Side = Literal["train", "validation", "test", "all"]


def forecast(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A run (its newest checkpoint), a model folder, or a released model's name."
        ),
    ],
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive whose windows are forecast.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The forecast to write.")],
    members: Annotated[int, typer.Option(min=1, help="Size of the ensemble.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same members.")] = 0,
    split: Annotated[Side, typer.Option(help="The side of the model's own split, or all windows.")] = "validation",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many windows, evenly spaced.")] = None,
    sampler: Annotated[
        str | None, typer.Option(help="In place of the model's own: ddpm, ddim, or with settings: ddim:eta=0.5")
    ] = None,
    grid: Annotated[str | None, typer.Option(help="In place of the model's own: trailing, linspace ...")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Network evaluations per member.")] = None,
    precision: Annotated[
        Literal["auto", "float32", "bf16"] | None,
        typer.Option(
            help="Precision of the network: auto is bf16 where this machine is faster in it, float32 elsewhere. "
            "[default: the model's, mostly auto]"
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="For models with labels: the class of what is going to happen, such as M; observed (the archive's "
            "own) or none. [default: none]"
        ),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(min=0, help="How strongly the label is followed; 1 is as learnt. [default: the model's]"),
    ] = None,
    clip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHANNEL=LOW:HIGH",
            help="Keep the pixels of a channel within these values while members are drawn, such as 94=0:6099; again "
            "for another channel. [default: the model's]",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Where to compute: cpu, cuda, cuda:1. The GPU if there is one.")
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the network first: a minute, worth it for many windows.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a forecast of that name.")] = False,
) -> None:
    """Forecast windows of an archive. The same command again goes on where it was interrupted."""
    run_forecast(
        model,
        archive,
        out,
        members=members,
        seed=seed,
        side=split,
        limit=limit,
        changes={
            "sampler": sampler,
            "grid": grid,
            "steps": steps,
            "precision": precision,
            "guidance": guidance,
            "clip": parse_clip(clip) if clip else None,
        },
        label=None if label == "none" else label,
        device=device,
        compiled=compiled,
        overwrite=overwrite,
    )
    say(str(out))


def run_forecast(
    model: Path,
    archive: Path,
    out: Path,
    *,
    members: int,
    seed: int,
    side: Side,
    limit: int | None = None,
    changes: dict[str, Any] | None = None,
    label: str | None = None,
    device: str | None = None,
    compiled: bool = False,
    overwrite: bool = False,
) -> None:
    """Forecast under a progress bar; for the arguments see `forecast`."""
    note(f"forecasting {archive} with {model}")
    from framecast.core.files import FORECAST, refuse_existing
    from framecast.data.archive.reader import Archive
    from framecast.models.archive_forecast import check_label, forecast_windows, plan_forecast
    from framecast.models.checkpoint import find_model, load_model, read_config
    from framecast.training.prepare import choose_device
    from framecast.verification.recalibration.calibration import read_calibration

    refuse_existing(out, overwrite=overwrite, kind=FORECAST)
    folder = find_model(model)
    config = read_config(folder)
    place = choose_device(device)
    processes = join(cpu=place.type == "cpu")
    forecaster = load_model(folder, device=processes.device(place))
    if compiled:
        forecaster.compile()
    options = sampling_options(forecaster.sampling, changes or {})
    # What cannot be drawn is refused before anything is written.
    config.generator.check(options)
    options.check_channels(config.frames.future_channels)
    plan = plan_forecast(config, Archive.open(archive), side=side, limit=limit)
    check_label(config, plan.archive, label)
    where = place if processes.count == 1 else f"{processes.count} processes ({place})"
    count = len(plan.chosen)
    windows = " ".join([str(count), *([] if side == "all" else [side]), "window" if count == 1 else "windows"])
    note(f"{config.name}: {'1 member' if members == 1 else f'{members} members'} of {windows} on {where}")
    command = shlex.join(["framecast", *sys.argv[1:]])
    with progress("forecasting", len(plan.chosen)) as task:
        for done in forecast_windows(
            forecaster,
            plan,
            out,
            members=members,
            seed=seed,
            options=options,
            label=label,
            calibration=read_calibration(folder),
            command=command,
            overwrite=overwrite,
            processes=processes,
            tell=note,
            progress=task.reach,
        ):
            task.reach(done)


def sampling_options(own: "SamplingOptions", changes: dict[str, Any]) -> "SamplingOptions":
    """Return the model's ``own`` options with those that were given on the command line in their place.

    Raises:
        ConfigError: no such sampler or grid, or an impossible setting of it.
    """
    from framecast.core.configuration import from_plain, to_plain
    from framecast.diffusion.sampling import SamplingOptions

    plain = to_plain(own)
    for name, given in changes.items():
        if name == "guidance" and given is not None:
            plain["guidance"] |= {"scale": given}
        elif given is not None:
            plain[name] = parse_kind(given) if name in ("sampler", "grid") else given
    return from_plain(SamplingOptions, plain, where="sampling")


def parse_clip(texts: list[str]) -> dict[str, list[float]]:
    """Return ``["94=0:6099"]`` as ``{"94": [0.0, 6099.0]}``.

    Raises:
        ConfigError: one is not written so.
    """
    bounds = {}
    for text in texts:
        channel, _, limits = text.rpartition("=")
        try:
            low, high = map(float, limits.split(":"))
        except ValueError:
            raise ConfigError(f"--clip is {text!r}; write a channel and two numbers, such as 94=0:6099") from None
        bounds[channel] = [low, high]
    return bounds


def parse_kind(text: str) -> dict[str, Any]:
    """Return ``ddim:eta=0.5`` as ``{"kind": "ddim", "eta": 0.5}``.

    Raises:
        ConfigError: a setting is not written as ``name=value``, or the value is none.
    """
    from framecast.core.yaml_text import parse_yaml

    kind, _, settings = text.partition(":")
    plain: dict[str, Any] = {"kind": kind}
    for setting in filter(None, settings.split(",")):
        name, separator, value = setting.partition("=")
        if not separator:
            raise ConfigError(f"{text!r} has the setting {setting!r}; write kind:name=value, such as ddim:eta=0.5")
        plain[name] = parse_yaml(value, repr(text))
    return plain
