"""The command line: ``framecast COMMAND``. One file per command.

The files of this folder import at their top only what is light, so that ``--help`` answers at once: torch, zarr,
matplotlib and the Sun's libraries are imported within the functions that need them.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from framecast._version import __version__
from framecast.cli import failures
from framecast.cli.average import average
from framecast.cli.calibrate import calibrate
from framecast.cli.console import complain, print_trace, speak
from framecast.cli.demo import demo
from framecast.cli.evaluate import evaluate
from framecast.cli.export import export
from framecast.cli.forecast import forecast
from framecast.cli.importing import import_
from framecast.cli.info import info
from framecast.cli.split import split
from framecast.cli.train import train
from framecast.domains.corona.commands import synth
from framecast.domains.solar.commands import app as solar

app = typer.Typer(
    name="framecast",
    help="Probabilistic video forecasting with diffusion models.",
    epilog="Start with: framecast demo",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(command: Callable[..., None], *, example: str) -> None:
    app.command(command.__name__.rstrip("_"), epilog=f"Example:\n\n{example}")(command)


_add(demo, example="framecast demo --out demo")
_add(import_, example="framecast import era5.nc era5.zarr --variable t2m --multiple 8")
_add(synth, example="framecast synth corona.zarr --regions 40 --frames 48 --size 64 --seed 0")
app.add_typer(solar)
_add(train, example="framecast train tiny --data corona.zarr --out runs/corona training.steps=500")
_add(split, example="framecast split tiny --data corona.zarr --out split.csv")
_add(forecast, example="framecast forecast runs/corona corona.zarr forecast.zarr --members 20 --seed 0 --limit 10")
_add(evaluate, example="framecast evaluate forecast.zarr --out report")
_add(calibrate, example="framecast calibrate validation.zarr runs/corona")
_add(export, example="framecast export runs/corona corona-onnx --format onnx")
_add(average, example="framecast average runs/corona corona-short --width 0.05")
_add(info, example="framecast info corona.zarr")

_debug = False


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"framecast {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="FRAMECAST_DEBUG", help="Show the whole trace of an error.")
    ] = False,
) -> None:
    """Probabilistic video forecasting with diffusion models."""
    global _debug
    _debug = debug


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code (see `framecast.cli.failures`); what fails is told on one line."""
    global _debug
    _debug = False
    speak()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # zarr's tasks that fail beside the one that is reported
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="framecast", standalone_mode=False)
        if code == failures.INTERRUPTED:  # typer turns the interruption into this code, and says nothing
            raise KeyboardInterrupt
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has gone, as in `framecast info x | head -1`
        _drop_output()
        return failures.FAILED
    except (Exception, KeyboardInterrupt) as error:
        if _debug and not isinstance(error, KeyboardInterrupt | failures.CommandLineError):
            raise
        line, code = failures.explain(error)
        if line:  # empty after `framecast` alone, which has printed its help
            complain(f"framecast: {line}")
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """Let what could not be printed go: Python tries again as it ends, and would end with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """The entry point of the ``framecast`` command."""
    # Processes that it starts must not import what lies in the working folder, as Python does by default.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    try:
        code = run()
    except Exception as error:  # with --debug
        print_trace(error)
        code = failures.explain(error)[1]
    sys.exit(code)
