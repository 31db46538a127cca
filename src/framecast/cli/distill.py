"""``framecast distill``: a diffusion model that draws a member in few steps."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.stopping import Stop


def distill(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A diffusion model: a run, a model folder or a released model.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SECTION.KEY=VALUE", help="Settings of each student's training, such as training.batch=4."
        ),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="RUN", help="The last student's folder; the others are beside it, such as RUN-8."
        ),
    ] = ...,  # type: ignore[assignment]
    data: Annotated[
        Path | None, typer.Option("--data", metavar="ARCHIVE", help="Training windows. [default: those of the model]")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Network evaluations per member of the last student.")] = 4,
    teacher_steps: Annotated[
        int, typer.Option(min=2, help="Steps of MODEL as the first teacher: STEPS times a power of two.")
    ] = 16,
    updates: Annotated[int, typer.Option(min=1, help="Optimizer steps of each student.")] = 1000,
    device: Annotated[
        str | None, typer.Option(help="Device to train on: cpu, cuda, cuda:1. [default: the GPU if there is one]")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite different runs in these folders.")] = False,
) -> None:
    """Halve the sampling steps of a diffusion model repeatedly.

    This is progressive distillation (Salimans and Ho 2022). Rerun the same command to resume an interrupted one.
    """
    note(f"distilling {model}")
    import framecast as fc
    from framecast.training.recipe import settings

    with Stop().on_signals() as stop:
        run = fc.distill(
            model,
            data,
            out=out,
            steps=steps,
            teacher_steps=teacher_steps,
            updates=updates,
            device=device,
            overwrite=overwrite,
            stop=stop,
            **settings(changes or ()),
        )
    stop.end(f"step {run.step} of {run.path} is saved")
    say(str(run.path))
