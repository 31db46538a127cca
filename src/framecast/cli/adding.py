"""How a command is added to the command line."""

from collections.abc import Callable

import typer


def add(app: typer.Typer, command: Callable[..., None], *, example: str) -> None:
    """Add ``command`` to ``app`` under its own name, with an ``example`` below its help, on one line to be copied."""
    name = command.__name__.strip("_").replace("_", "-")
    app.command(name, epilog=f"Example:\n\n\b\n{example}")(command)
