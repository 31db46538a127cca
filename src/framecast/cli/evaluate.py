"""``framecast evaluate``: judge a forecast and write the report."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.options import arguments, takes_options
from framecast.verification.options import EvaluationOptions


@takes_options
def evaluate(
    forecasts: Annotated[
        list[Path],
        typer.Argument(metavar="FORECAST.zarr...", help="What `framecast forecast` wrote; several are compared."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the scores, the figures and the page.")],
    options: EvaluationOptions,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report of that name.")] = False,
) -> None:
    """Score ensembles against each other and the baselines: a table, a page with pictures, the figures behind them."""
    note(f"evaluating {', '.join(map(str, forecasts))}")
    import framecast as fc
    from framecast.cli.score_table import print_scores
    from framecast.core.files import REPORT, refuse_existing

    refuse_existing(out, overwrite=overwrite, kind=REPORT)
    evaluation = fc.evaluate(forecasts, **asdict(options))
    command = ["framecast", "evaluate", *map(str, forecasts), "--out", str(out), *arguments(options)]
    page = evaluation.report(out, overwrite=overwrite, command=shlex.join(command))
    print_scores(evaluation.scores)
    say(str(page))
