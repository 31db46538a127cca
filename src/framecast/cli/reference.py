"""``framecast reference``: store a description of the training data with a model."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.sampling import TrustCode


def reference(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run or a model folder.")],
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive that it was trained on.")],
    windows: Annotated[int, typer.Option(min=11, help="Largest number of training pasts for the guard.")] = (2000),
    occasions: Annotated[int, typer.Option(min=2, help="Largest number of training windows for baselines.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the choice of windows.")] = 0,
    trust_code: TrustCode = False,
) -> None:
    """Add baselines and an out-of-domain guard to a model.

    Training does this at its end; the weights do not change. The result is kept in MODEL/reference.safetensors:
    forecasts of any archive then include baselines, and pasts unlike the training data give a warning. See
    docs/guard.md.
    """
    note(f"describing the training data of {model}")
    import framecast as fc

    path = fc.add_reference(model, archive, windows=windows, occasions=occasions, seed=seed, trust_code=trust_code)
    say(str(path))
