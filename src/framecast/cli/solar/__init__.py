"""``framecast solar COMMAND``: from the observatory's archive to a prediction. One file per command."""

from collections.abc import Callable

import typer

from framecast.cli.solar.prepare import prepare

app = typer.Typer(
    name="solar",
    help="Observations of the Sun: from files on disk to an archive. Needs pip install 'framecast\\[solar]'.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Observations of the Sun: from files on disk to an archive."""


def _add(command: Callable[..., None], *, example: str) -> None:
    app.command(epilog=f"Example:\n\n{example}")(command)


_add(
    prepare,
    example="framecast solar prepare aia-synoptic/ sun.zarr --size 64 --wavelengths 171 "
    "--start 2017-08-08 --end 2017-08-14",
)
