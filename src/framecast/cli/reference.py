"""``framecast reference``: store with a model what its training data are like."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.sampling import TrustCode


def reference(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run or a model folder.")],
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive that it was trained on.")],
    windows: Annotated[int, typer.Option(min=11, help="Training pasts that the guard knows, at most.")] = (2000),
    occasions: Annotated[int, typer.Option(min=2, help="Training windows for baselines, at most.")] = 32,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the choice of windows.")] = 0,
    trust_code: TrustCode = False,
) -> None:
    """Store with a model its baselines and its out-of-domain guard; the weights stay as they are.

    Training does this at its end. The result is kept in MODEL/reference.safetensors: forecasts of any archive then
    carry what baselines are made of, and pasts unlike the training data are told of. See docs/guard.md.
    """
    note(f"describing the training data of {model}")
    import framecast as fc

    path = fc.add_reference(model, archive, windows=windows, occasions=occasions, seed=seed, trust_code=trust_code)
    say(str(path))
