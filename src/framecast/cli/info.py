"""``framecast info``: what a folder contains, on one screen; ``machine``: what is used of this machine."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framecast.cli.console import Rows, megabytes, nested, note, phrase, print_table
from framecast.cli.run_summary import describe_training
from framecast.core.domain import ATTRIBUTE, VARIABLE, Domain, domains, find_domain
from framecast.core.errors import DataError, FramecastError
from framecast.models.released import released_models

if TYPE_CHECKING:
    from framecast.data.archive.reader import Archive

_SAID_OF_THE_RUN = (
    "training",
    "precision",
    "versions",
    "seed",
    "steps",
    "best_validation_loss",
    "framecast_commit",
    "commit",
)

MASK_FRAMES = 48
"""Frames sampled for the fraction of masked pixels."""


def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="An archive, a forecast, a run or a model.")],
) -> None:
    """Show what an archive, a forecast, a run or a model contains."""
    if not path.exists():
        path = released_models().get(str(path), path)
    if not path.exists():
        known = ", ".join(sorted(released_models()))
        raise DataError(f"there is nothing at {path}: give an archive, a forecast, a run, a model or one of {known}")
    kind = kind_of(path)
    if kind not in DESCRIPTIONS:
        raise DataError(f"{path} is not a framecast archive, forecast, run or model folder")
    print_table(f"{kind} {path}", DESCRIPTIONS[kind](path))


def kind_of(path: Path) -> str:
    """Return what the folder is, one of `DESCRIPTIONS`; empty if it does not say."""
    if (path / "config.json").is_file():
        return "model"
    if (path / "checkpoints").is_dir():
        return "run"
    from framecast.data.archive.guard import open_store

    try:
        kind = dict(open_store(path, use_consolidated=False).attrs)["format"]
    except FramecastError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(kind).removeprefix("framecast-")


def describe_archive(path: Path) -> Rows:
    """Return names and values that describe the archive at ``path``."""
    import numpy as np

    from framecast.core.options import format_duration
    from framecast.data.archive.reader import Archive
    from framecast.data.labels import count_labels

    archive = Archive.open(path)
    names = archive.sequences
    counts = [len(archive.times(name)) for name in archive.sequences]
    quality = np.concatenate([archive.quality(name) for name in archive.sequences])
    first = min(archive.times(name)[0] for name in archive.sequences)
    last = max(archive.times(name)[-1] for name in archive.sequences)
    return [
        ("sequences", f"{len(archive)} ({', '.join(names) if len(names) <= 3 else f'{names[0]} … {names[-1]}'})"),
        ("frames", f"{sum(counts)}, {' to '.join(map(str, sorted({min(counts), max(counts)})))} per sequence"),
        ("channels", f"{', '.join(archive.channels)} in {archive.unit}"),
        ("size", f"{archive.height} × {archive.width} pixels"),
        ("cadence", format_duration(archive.cadence)),
        ("time", f"{archive.calendar.text(first)} to {archive.calendar.text(last)}"),
        *([] if archive.calendar.ordinary else [("calendar", archive.calendar.name)]),
        ("good frames", f"{np.count_nonzero(quality == 0)} of {len(quality)}"),
        ("masked pixels", masked_share(archive)),
        *([("labels", phrase(count_labels(archive)))] if archive.classes else []),
        ("on disk", megabytes(path)),
        *_of_domain(archive.domain),
        *nested(archive.attrs, leave_out=(ATTRIBUTE,)),
    ]


def describe_forecast(path: Path) -> Rows:
    """Return names and values that describe the forecast at ``path``."""
    from framecast.core.options import format_duration
    from framecast.data.forecasts import forecast_domain, issue_clock, open_forecast

    forecast = open_forecast(path)
    sizes = forecast.sizes
    leads = [float(lead) / 1e9 for lead in forecast["lead_time"].values.astype("timedelta64[ns]").astype("int64")]
    issued, calendar = issue_clock(forecast)
    return [
        ("samples", f"{sizes['sample']} of {len(set(forecast['sequence'].values.tolist()))} sequences"),
        ("members", str(sizes["member"])),
        ("lead times", f"{len(leads)}, {format_duration(leads[0])} to {format_duration(leads[-1])}"),
        ("channels", ", ".join(map(str, forecast["channel"].values)) + f" in {forecast.attrs.get('unit', '?')}"),
        ("past", f"{sizes['past_time']} frames of {', '.join(map(str, forecast['past_channel'].values))}"),
        ("size", f"{sizes['y']} × {sizes['x']} pixels"),
        ("issued", f"{calendar.text(issued.min())} to {calendar.text(issued.max())}"),
        ("oracle", "yes" if "oracle" in forecast else "no"),
        ("on disk", megabytes(path)),
        *_of_domain(forecast_domain(forecast)),
        *_calibration(forecast.attrs.get("calibration")),
        *nested(forecast.attrs, leave_out=("format", "version", "unit", "request", "calibration", ATTRIBUTE)),
    ]


def _calibration(plain: object) -> Rows:
    """Return on one line what the calibration stored with a forecast was made from; the file holds its numbers."""
    if not isinstance(plain, Mapping):
        return []
    windows, blocks = plain.get("windows"), plain.get("number_of_blocks")
    count = len(windows) if isinstance(windows, list | tuple) else "?"
    return [("calibration", f"of {plain.get('model')}: {count} windows in {blocks} blocks ({plain.get('blocks')})")]


def describe_run(path: Path) -> Rows:
    """Return names and values that describe how the run at ``path`` has gone and its newest model."""
    from framecast.models.header import find_model

    try:
        model = describe_model(find_model(path), leave_out=_SAID_OF_THE_RUN)
    except FramecastError:  # a run that has not written a checkpoint yet
        model = []
    return [*describe_training(path), *model]


def describe_model(path: Path, *, leave_out: tuple[str, ...] = ()) -> Rows:
    """Return names and values that describe the model at ``path``."""
    from framecast.models.header import count_weights, read_header

    plain = read_header(path)
    try:
        return _rows_of_model(plain, count_weights(path), leave_out)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        from framecast.models.checkpoint import read_config

        read_config(path)  # reports what is wrong with it
        raise


def _rows_of_model(plain: Mapping[str, Any], weights: int | None, leave_out: tuple[str, ...]) -> Rows:
    from framecast.core.options import format_duration, format_offset
    from framecast.videos.curves import describe_stretch

    frames = plain["frames"]
    channels = list(dict.fromkeys([*frames["past_channels"], *frames["future_channels"]]))
    provenance = plain.get("provenance")
    training = provenance.get("training") if isinstance(provenance, dict) else None
    domain = find_domain(training, unit=plain["unit"], channels=channels)
    size = "weights missing or damaged" if weights is None else f"{weights:,} parameters"
    told = ("curve", "softening", "saturation", "reason")
    stretches = plain["normaliser"]["stretches"].items()
    return [
        ("name", str(plain["name"])),
        ("network", f"{settings(plain['network'])}, {size}"),
        ("past", f"{frames['past']} frames of {', '.join(frames['past_channels'])}"),
        ("future", f"{frames['future']} frames of {', '.join(frames['future_channels'])} in {plain['unit']}"),
        *[(name, ", ".join(map(format_offset, frames[name]))) for name in ("lags", "leads") if frames.get(name)],
        *([] if frames.get("lags") else [("cadence", format_duration(frames["cadence"]))]),
        ("trained at", f"{frames['height']} × {frames['width']} pixels"),
        *((f"stretch {key}", describe_stretch(**{k: own[k] for k in told if k in own})) for key, own in stretches),
        ("target", str(plain["target"]["kind"])),
        *_of_domain(domain),
        *describe_generator(plain["generator"], plain["sampling"]),
        *([("labels", ", ".join(plain["labels"]))] if plain.get("labels") else []),
        ("framecast", str(plain["framecast_version"])),
        *nested(plain.get("provenance", {}), leave_out=leave_out),
    ]


def describe_generator(generator: Mapping[str, Any], sampling: Mapping[str, Any]) -> Rows:
    """Return names and values that say how members are made, from the model's configuration as plain data."""
    if generator["kind"] == "one-shot":
        return [("one shot", f"trained on {generator['members']} members, {settings(generator['loss'])}")]
    return [
        ("schedule", settings(generator["schedule"])),
        ("prediction", generator["prediction"]),
        ("trained grid", settings(generator["grid"]) if generator["grid"] else "all rows"),
        ("sampling", f"{settings(sampling['sampler'])}, {settings(sampling['grid'])}, {sampling['steps']} steps"),
    ]


DESCRIPTIONS: dict[str, Callable[[Path], Rows]] = {
    "archive": describe_archive,
    "forecast": describe_forecast,
    "model": describe_model,
    "run": describe_run,
}


def _of_domain(domain: Domain) -> Rows:
    """Return the name of the data's domain, and whether it is installed; nothing for data without a domain."""
    if not domain.name:
        return []
    known = any(domain.name == other.name for other in domains())
    return [
        (ATTRIBUTE, domain.name if known else f"{domain.name} (not installed; {VARIABLE} names additional domains)")
    ]


def settings(plain: Mapping[str, Any]) -> str:
    """Return a configuration on one line: ``cosine (rows 1000, s 0.008)``."""
    others = ", ".join(f"{name} {json.dumps(value)}" for name, value in plain.items() if name != "kind")
    return f"{plain['kind']} ({others})" if others else str(plain["kind"])


def masked_share(archive: "Archive") -> str:
    """Return the fraction of pixels that are masked, from frames spread evenly over the sequences."""
    import numpy as np

    def spread(count: int, most: int) -> list[int]:
        return np.unique(np.linspace(0, count - 1, most).astype(int)).tolist() if count else []

    names = [archive.sequences[k] for k in spread(len(archive), MASK_FRAMES)]
    shares: list[float] = []
    for name in names:
        good = np.flatnonzero(archive.quality(name) == 0)
        chosen = [int(good[k]) for k in spread(len(good), max(1, MASK_FRAMES // len(names)))]
        shares += [float(np.isnan(archive.read(name, [index])).mean()) for index in chosen]
    return f"{np.mean(shares):.1%} (of {len(shares)} good frames sampled)" if shares else "no good frame"


def machine(
    reset: Annotated[
        bool,
        typer.Option("--reset", help="Delete the measurements of bf16 against float32; they are repeated when needed."),
    ] = False,
) -> None:
    """Show what framecast uses of this machine.

    Processor, memory and threads, whether bf16 is native, and what has been measured to choose the precision.
    """
    note("inspecting this machine")
    import torch

    from framecast.core.machine import cache_folder, cores, lacks_bf16, processor, total_memory
    from framecast.models.precision import forget_measurements, measurements

    if reset:
        count = forget_measurements()
        note(f"{count} measurement{'' if count == 1 else 's'} deleted")
    threads = torch.get_num_threads()
    origin = "set by OMP_NUM_THREADS" if "OMP_NUM_THREADS" in os.environ else "set OMP_NUM_THREADS for fewer or more"
    rows: Rows = [
        ("processor", f"{processor()}, instructions {torch.backends.cpu.get_cpu_capability()}"),
        ("cores", f"{cores()}; {threads} thread{'' if threads == 1 else 's'} ({origin})"),
        ("memory", f"{total_memory() / 1e9:.3g} GB"),
        ("torch", torch.__version__),
    ]
    for device in [torch.device("cpu"), *(torch.device("cuda", k) for k in range(torch.cuda.device_count()))]:
        lack = lacks_bf16(device)
        means = f"float32: {lack}" if lack else "bf16 or float32, measured once for each network"
        rows.append((f"auto on {device}", means))
    rows.append(("cache", str(cache_folder())))
    for kept in measurements():
        network = f"{kept['network']} with {kept['parameters']:,} parameters, {kept['job']} of"
        found = f"bf16 is {kept['ratio']:.2g} times as fast as float32"
        where = f"{kept['measured']}, torch {kept['torch']}, {kept['device']}"
        rows.append(("measured", f"{network} {'×'.join(map(str, kept['x'][1:]))}: {found} ({where})"))
    print_table("machine", rows)
