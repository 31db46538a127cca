"""``framecast average``: a model whose weights are averaged over another length, chosen when the training is over."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.sampling import TrustCode


def average(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run trained with training.averages=[0.05, 0.1].")],
    out: Annotated[Path, typer.Argument(metavar="MODEL", help="The model folder to write.")],
    width: Annotated[
        float, typer.Option(help="EMA width as a fraction of the training: 0.05 is short, 0.2 is long.")
    ] = 0.1,
    step: Annotated[
        int | None, typer.Option(min=1, help="Step at which the average ends.  [default: the last snapshot]")
    ] = None,
    trust_code: TrustCode = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing model.")] = False,
) -> None:
    """Make a model with another EMA width from a finished run.

    It is computed from the snapshots of the run (Karras et al. 2024), without further training.
    """
    note(f"averaging the snapshots of {run}")
    from framecast.training.snapshots import write_average

    ended, misfit = write_average(run, out, width, step=step, overwrite=overwrite, trust_code=trust_code)
    note(
        f"averaged with width {width:g} up to step {ended}; the profile differs from the requested one by {misfit:.1%}"
    )
    say(str(out))
