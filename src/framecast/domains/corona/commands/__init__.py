"""``framecast demo`` and ``framecast synth``. One file per command."""

import typer

from framecast.cli.adding import add
from framecast.domains.corona.commands.demo import demo
from framecast.domains.corona.commands.synth import synth


def add_commands(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    add(app, demo, example="framecast demo --out demo")
    add(app, synth, example="framecast synth corona.zarr --regions 40 --frames 48 --size 64 --seed 0")
