"""``framecast evaluate``: judge a forecast and write the report."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, progress, say
from framecast.cli.score_table import print_scores
from framecast.core.errors import ConfigError


class Blocks(StrEnum):
    """What is taken to be independent when intervals are drawn."""

    auto = "auto"
    sequence = "sequence"
    day = "day"
    sequence_day = "sequence-day"
    sample = "sample"


class Occasions(StrEnum):
    """Which training windows make the climatology."""

    any = "any"
    hour = "hour"
    season = "season"


def evaluate(
    forecasts: Annotated[
        list[Path],
        typer.Argument(metavar="FORECAST.zarr...", help="What `framecast forecast` wrote; several are compared."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the scores, the figures and the page.")],
    blocks: Annotated[Blocks, typer.Option(help="What is independent of each other, for the intervals.")] = Blocks.auto,
    replicates: Annotated[int, typer.Option(min=100, help="Bootstrap draws.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws and of dressed persistence.")] = 0,
    thresholds: Annotated[
        str, typer.Option(metavar="A,B,...", help="Judge how well it is foreseen that a pixel reaches these values.")
    ] = "",
    climatology: Annotated[
        Occasions,
        typer.Option(help="Which training windows make it: any, of a like hour of the day, of a like season."),
    ] = Occasions.any,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder of that name.")] = False,
) -> None:
    """Score ensembles against each other and the baselines: a table, a page with pictures, the figures behind them."""
    note(f"evaluating {', '.join(map(str, forecasts))}")
    from framecast.core.files import REPORT, refuse_existing
    from framecast.reports.report import write_report
    from framecast.verification.evaluation import evaluate as judge

    refuse_existing(out, overwrite=overwrite, kind=REPORT)
    with progress("samples") as task:
        evaluation = judge(
            forecasts,
            blocks=blocks.value,
            replicates=replicates,
            seed=seed,
            thresholds=_numbers(thresholds),
            climatology=climatology.value,
            progress=task.reach,
        )
    command = ["framecast", "evaluate", *map(str, forecasts), "--out", str(out)]
    if blocks is not Blocks.auto:
        command += ["--blocks", blocks.value]
    if replicates != 1000:
        command += ["--replicates", str(replicates)]
    if climatology is not Occasions.any:
        command += ["--climatology", climatology.value]
    if thresholds:
        command += ["--thresholds", thresholds]
    if seed:
        command += ["--seed", str(seed)]
    with progress("pictures") as task:
        page = write_report(evaluation, out, command=shlex.join(command), overwrite=overwrite, progress=task.reach)
    print_scores(evaluation.scores)
    say(str(page))


def _numbers(text: str) -> list[float]:
    """Return ``0.5,2,5`` as numbers."""
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(f"--thresholds {text}: give numbers with commas between them, such as 0.5,2,5") from None
