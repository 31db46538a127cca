"""``framecast demo``: the whole way in a minute, on a synthetic Sun, with a model that comes with the package."""

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, progress, say
from framecast.core.errors import FramecastError
from framecast.core.files import refuse_existing, write_atomically
from framecast.core.machine import free_cores

MARKER = ".framecast-demo"

MODEL = "corona-synth"
"""A released model, see `framecast.models.released`."""

REGIONS, FRAMES, SIZE, CADENCE = 20, 12, 64, 7200.0

WINDOWS, MEMBERS = 3, 10
"""Enough for the pictures: a page shows at most three cases."""


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where everything goes; an earlier demo there is replaced.")
    ] = Path("demo"),
    seed: Annotated[
        int, typer.Option(min=0, max=999, help="Another seed, another Sun; the model has seen none of them.")
    ] = 0,
) -> None:
    """Forecast a synthetic Sun: make data, forecast with the released corona-synth, score against the truth, report."""
    clear(out)
    archive, forecast, report = (out / name for name in ("corona.zarr", "forecast.zarr", "report"))

    note(f"1/3  {REGIONS} synthetic active regions, {FRAMES} frames each -> {archive}")
    import framecast as fc
    from framecast.cli.score_table import print_scores
    from framecast.domains.corona.writing import write_corona

    with progress("regions", REGIONS) as task:
        write_corona(
            archive, regions=REGIONS, frames=FRAMES, size=SIZE, cadence=CADENCE, seed=seed, progress=task.reach
        )

    note(f"2/3  {MEMBERS} members for each of {WINDOWS} windows -> {forecast}")
    with _free_threads():
        fc.forecast(
            MODEL,
            archive,
            forecast,
            members=MEMBERS,
            seed=seed,
            split="test",
            limit=WINDOWS,
            command=shlex.join(["framecast", *sys.argv[1:]]),
        )

    note(f"3/3  scores and pictures -> {report}")
    evaluation = fc.evaluate(forecast)
    page = evaluation.report(report, command=shlex.join(["framecast", "evaluate", str(forecast), "--out", str(report)]))
    print_scores(evaluation.scores)
    say(str(page))


@contextmanager
def _free_threads() -> Iterator[None]:
    """Let PyTorch use no more threads than there are free cores; the demo is often tried on a machine at work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(min(before, free_cores()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def clear(out: Path) -> None:
    """Make ``out`` an empty folder for a demo; only an earlier demo is ever deleted.

    Raises:
        FramecastError: there is something else.
    """
    if out.is_dir() and (out / MARKER).is_file():
        shutil.rmtree(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FramecastError(f"{out} holds something that is no demo: choose another --out")
    if not out.exists():
        refuse_existing(out, overwrite=False)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / MARKER, "made by framecast demo, which may delete this folder\n")
