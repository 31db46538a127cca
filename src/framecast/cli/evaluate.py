"""``framecast evaluate``: judge a forecast and write the report."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.cli.console import progress, say


class Blocks(StrEnum):
    """What is taken to be independent when intervals are drawn."""

    auto = "auto"
    sequence = "sequence"
    day = "day"
    sequence_day = "sequence-day"
    sample = "sample"


def evaluate(
    forecast: Annotated[Path, typer.Argument(metavar="FORECAST.zarr", help="What `framecast forecast` wrote.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the scores, the figures and the page.")],
    blocks: Annotated[Blocks, typer.Option(help="What is independent of each other, for the intervals.")] = Blocks.auto,
    replicates: Annotated[int, typer.Option(min=100, help="Bootstrap draws.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws and of dressed persistence.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder of that name.")] = False,
) -> None:
    """Score an ensemble against the baselines: a table, a page with pictures, and the figures behind them."""
    from framecast.evaluation import evaluate as judge
    from framecast.files import REPORT, refuse_existing
    from framecast.plots.report import write_report

    refuse_existing(out, overwrite=overwrite, kind=REPORT)
    with progress("samples") as task:
        evaluation = judge(forecast, blocks=blocks.value, replicates=replicates, seed=seed, progress=task.reach)
    command = ["framecast", "evaluate", str(forecast), "--out", str(out)]
    if blocks is not Blocks.auto:
        command += ["--blocks", blocks.value]
    if replicates != 1000:
        command += ["--replicates", str(replicates)]
    if seed:
        command += ["--seed", str(seed)]
    with progress("pictures") as task:
        page = write_report(evaluation, out, command=shlex.join(command), overwrite=overwrite, progress=task.reach)
    print_scores(evaluation.scores)
    say(str(page))


def print_scores(scores: dict[str, Any]) -> None:
    """Print one row for each forecast: CRPS, RMSE, spread/skill, coverage, and the model's skill against it."""
    from rich.console import Console
    from rich.table import Table

    unit = f" [{scores['unit']}]" if scores["unit"] else ""
    table = Table(box=None, padding=(0, 2, 0, 0), title_justify="left", title_style="bold")
    table.title = f"{scores['samples']} samples, {scores['members']} members, averaged over all pixels and lead times"
    for name in ("", f"CRPS{unit}", "RMSE", "spread/error", "90 % interval holds", "skill of the model"):
        table.add_column(name.replace("[", r"\["), justify="right" if name else "left")
    for name in ("model", "persistence", "dressed_persistence", "oracle"):
        if name not in scores:
            continue
        entry, ensemble = scores[name], scores[name]["members"] > 1
        skill = scores["model"]["skill"].get(name)
        table.add_row(
            name.replace("_", " "),
            _short(entry["crps"]),
            _short(entry["rmse"]),
            _short(entry["spread_skill"]) if ensemble else "-",
            _percent(entry["coverage"]["fluence"]["90"]) if ensemble else "-",
            f"{_percent(skill['value'])} ({_percent(skill['95'][0])} to {_percent(skill['95'][1])})" if skill else "",
        )
    Console(width=None if Console().is_terminal else 120).print(table)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
