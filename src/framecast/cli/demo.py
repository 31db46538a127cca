"""``framecast demo``: the whole way in a few minutes, on a synthetic Sun."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, progress
from framecast.cli.evaluate import evaluate
from framecast.cli.forecast import run_forecast
from framecast.cli.train import run_training
from framecast.errors import FramecastError
from framecast.files import refuse_existing, write_atomically

MARKER = ".framecast-demo"

REGIONS, FRAMES, SIZE, CADENCE = 48, 36, 32, 7200.0

RECIPE = (
    "name=demo",
    "data.split.kind=region",
    "training.batch=8",
    "training.learning_rate=0.002",
    "training.warmup=20",
    "training.ema=0.98",
    "training.flips=[x, y]",
    "training.validation_windows=16",
    "training.validate_every=100",
    "training.checkpoint_every=1000000",
)
"""What differs from the recipe ``tiny``."""

WINDOWS, MEMBERS, SAMPLING_STEPS = 12, 20, 12


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where everything goes; an earlier demo there is replaced.")
    ] = Path("demo"),
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps: more take longer and forecast better.")] = 500,
    seconds: Annotated[float, typer.Option(min=1, help="On a slow machine the training stops after so long.")] = 100.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another Sun.")] = 0,
) -> None:
    """Forecast a synthetic Sun: make data, train a small network, forecast regions it never saw, score, report."""
    clear(out)
    archive, run, forecast, report = (out / name for name in ("corona.zarr", "run", "forecast.zarr", "report"))

    from framecast.data.corona import write_corona

    note(f"1/4  {REGIONS} synthetic active regions, {FRAMES} frames each -> {archive}")
    with progress("regions", REGIONS) as task:
        write_corona(
            archive, regions=REGIONS, frames=FRAMES, size=SIZE, cadence=CADENCE, seed=seed, progress=task.reach
        )

    from framecast.data.archive import Archive
    from framecast.recipes import load_recipe
    from framecast.workflows.prepare import prepare

    note(f"2/4  training a small diffusion network -> {run}")
    recipe = load_recipe("tiny", [*RECIPE, f"training.steps={steps}", f"training.seed={seed}"])
    run_training(prepare(recipe, Archive.open(archive)), run, seconds=seconds)

    note(f"3/4  {MEMBERS} members for each of {WINDOWS} windows of regions it never saw -> {forecast}")
    run_forecast(
        run,
        archive,
        forecast,
        members=MEMBERS,
        seed=seed,
        side="test",
        limit=WINDOWS,
        changes={"steps": SAMPLING_STEPS},
    )

    note(f"4/4  scores and pictures -> {report}")
    evaluate([forecast], report)  # its last line is the page


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
