"""``framecast synth`` makes a synthetic corona with a known law; ``framecast demo`` runs all steps on it."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from framecast.cli.console import note, progress, say
from framecast.cli.options import add, takes_options
from framecast.core.errors import FramecastError
from framecast.core.files import clear, held, refuse_existing, write_atomically
from framecast.core.options import Seconds

MARKER = ".framecast-demo"

MODEL = "corona-synth-one-shot"
"""A released model, see `framecast.models.released`."""

REGIONS, FRAMES, SIZE, CADENCE = 20, 12, 64, 7200.0

WINDOWS, MEMBERS = 3, 20
"""Number of windows: a page shows at most three cases."""


@dataclass(frozen=True, kw_only=True)
class SynthOptions:
    """What is simulated.

    Attributes:
        regions: independent active regions, one sequence each.
        frames: frames per region.
        size: height and width of a frame in pixels, at least 8.
        seed: random seed; another seed gives another Sun.
        cadence: time between two frames: 12s, 5min, 2h.
    """

    regions: int = field(default=40, metadata={"min": 1})
    frames: int = field(default=48, metadata={"min": 1})
    size: int = field(default=64, metadata={"min": 8})
    seed: int = field(default=0, metadata={"min": 0})
    cadence: Seconds = 7200.0


def add_commands(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    add(app, demo, example="framecast demo --out demo")
    add(app, synth, example="framecast synth corona.zarr --regions 40 --frames 48 --size 64 --seed 0")


@takes_options
def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The archive to write, by convention named *.zarr.")],
    options: SynthOptions,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing archive.")] = False,
) -> None:
    """Write an archive of synthetic active regions. Their future is random, but its law is known exactly."""
    note(f"simulating {options.regions} active region{'' if options.regions == 1 else 's'}")
    _write(out, overwrite=overwrite, **vars(options))
    say(str(out))


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output folder; an earlier demo in it is replaced.")] = Path(
        "demo"
    ),
    seed: Annotated[
        int,
        typer.Option(min=0, max=999, help="Random seed of the synthetic Sun; the model was trained on other seeds."),
    ] = 0,
) -> None:
    """Try framecast: forecast a synthetic Sun and write a report.

    It makes data, forecasts them with the model corona-synth-one-shot and scores the forecast against the truth.
    """
    with cleared(out):
        archive, forecast, report = (out / name for name in ("corona.zarr", "forecast.zarr", "report"))

        note(f"1/3  {REGIONS} synthetic active regions, {FRAMES} frames each -> {archive}")
        import framecast as fc
        from framecast.cli.score_table import print_scores

        _write(archive, regions=REGIONS, frames=FRAMES, size=SIZE, cadence=CADENCE, seed=seed)

        note(f"2/3  {MEMBERS} members for each of {WINDOWS} windows -> {forecast}")
        command = shlex.join(["framecast", *sys.argv[1:]])
        fc.forecast(MODEL, archive, forecast, members=MEMBERS, seed=seed, split="test", limit=WINDOWS, command=command)

        note(f"3/3  scores and pictures -> {report}")
        evaluation = fc.evaluate(forecast)
        page = evaluation.report(
            report, command=shlex.join(["framecast", "evaluate", str(forecast), "--out", str(report)])
        )
        print_scores(evaluation.scores)
        say(str(page))


def _write(out: Path, **options: Any) -> None:
    import framecast as fc

    with progress("regions", options["regions"]) as task:
        fc.write_corona(out, **options, progress=task.reach)


@contextmanager
def cleared(out: Path) -> Iterator[None]:
    """Hold ``out``, made an empty folder for a demo; only an earlier demo is ever deleted.

    Raises:
        FramecastError: it contains something else, or another process makes a demo there.
    """
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise FramecastError(f"{out} contains something other than a demo: choose another --out")
    if not out.exists():
        refuse_existing(out, overwrite=False)
    out.mkdir(parents=True, exist_ok=True)
    with held(out, doing=f"making a demo in {out}"):
        clear(out, last=MARKER)
        write_atomically(out / MARKER, "made by framecast demo, which may delete this folder\n")
        yield
