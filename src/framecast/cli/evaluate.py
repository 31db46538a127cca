"""``framecast evaluate``: score a forecast and write the report."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.cli.console import note, say
from framecast.cli.options import arguments, takes_options
from framecast.core.errors import ConfigError
from framecast.verification.options import EvaluationOptions


@takes_options
def evaluate(
    forecasts: Annotated[
        list[Path],
        typer.Argument(
            metavar="FORECAST...",
            help="What `framecast forecast` wrote; with --truth ensembles of any model: a file with a member "
            "dimension, or a folder or quoted pattern of files, one per member. Several are compared.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the scores, the figures and the page.")],
    options: EvaluationOptions,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Observations: an archive, NetCDF or Zarr, paired by time. Nothing is regridded."
        ),
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option(help="Variable of these ensembles to score; repeat for others. [default: all]")
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE:NAME",
            help="A Score, Quantity or Baseline of your own, imported from your module; repeat for others.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing report.")] = False,
) -> None:
    """Score forecasts, and compare them with baselines.

    The scores are printed as a table and written as a page with figures and as files with every number.
    """
    note(f"evaluating {', '.join(map(str, forecasts))}")
    import framecast as fc
    from framecast.cli.score_table import print_scores
    from framecast.core.files import REPORT, refuse_existing

    refuse_existing(out, overwrite=overwrite, kind=REPORT)
    own = _own(add or [])
    judging = asdict(options) | own | {"baselines": [*options.baselines, *own.get("baselines", [])]}
    evaluation = fc.evaluate(forecasts, truth=truth, variables=variable or (), **judging)
    command = ["framecast", "evaluate", *map(str, forecasts), "--out", str(out), *arguments(options)]
    command += ["--truth", str(truth)] if truth is not None else []
    command += [word for name in variable or [] for word in ("--variable", name)]
    command += [word for path in add or [] for word in ("--add", path)]
    page = evaluation.report(out, overwrite=overwrite, command=shlex.join(command))
    print_scores(evaluation.scores)
    say(str(page))


def _own(paths: list[str]) -> dict[str, Any]:
    """Return the user's own entries of the catalogues, by the argument of `fc.evaluate` that takes them."""
    if not paths:
        return {}
    from framecast.core.configuration import import_own
    from framecast.verification.cases import Baseline
    from framecast.verification.catalogue import Score
    from framecast.verification.quantities import Quantity

    found: dict[str, list[Any]] = {"scores": [], "quantities": [], "baselines": []}
    for path in paths:
        entry = import_own(path)
        kinds = {Score: "scores", Quantity: "quantities", Baseline: "baselines"}
        if type(entry) not in kinds:
            raise ConfigError(f"--add {path} is a {type(entry).__name__}; give a Score, a Quantity or a Baseline")
        found[kinds[type(entry)]].append(entry)
    return found
