"""``framecast synth``: a synthetic corona, whose law is known."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, progress, say


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT.zarr", help="The archive to write, by convention named *.zarr.")],
    regions: Annotated[int, typer.Option(min=1, help="Independent active regions, one sequence each.")] = 40,
    frames: Annotated[int, typer.Option(min=1, help="Frames per region.")] = 48,
    size: Annotated[int, typer.Option(min=8, help="Height and width of a frame in pixels.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another Sun.")] = 0,
    cadence: Annotated[str, typer.Option(help="Time between two frames: 12s, 5min, 2h.")] = "2h",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an archive of that name.")] = False,
) -> None:
    """Write an archive of synthetic active regions. Their future is random, but its law is known exactly."""
    from framecast.videos.frames import parse_duration

    seconds = parse_duration(cadence)
    note(f"simulating {regions} active region{'' if regions == 1 else 's'}")
    from framecast.domains.corona.writing import write_corona

    with progress("regions", regions) as task:
        write_corona(
            out,
            regions=regions,
            frames=frames,
            size=size,
            seed=seed,
            cadence=seconds,
            overwrite=overwrite,
            progress=task.reach,
        )
    say(str(out))
