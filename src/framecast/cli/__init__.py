"""The command line: ``framecast COMMAND``. One file per subject.

The files of this folder import at their top only what is light, so that ``--help`` answers at once: torch, zarr,
matplotlib and the libraries of single domains are imported within the functions that need them.
"""

import logging
import os
import sys
from functools import cache
from typing import Annotated

import typer

from framecast._version import __version__
from framecast.cli import failures
from framecast.cli.console import complain, print_trace, speak
from framecast.cli.evaluate import evaluate
from framecast.cli.failures import interruptible
from framecast.cli.forecast import forecast, netcdf
from framecast.cli.importing import import_
from framecast.cli.info import info, machine
from framecast.cli.models import average, calibrate, export, reference
from framecast.cli.options import add
from framecast.cli.train import distill, split, train
from framecast.cli.view import view
from framecast.core.domain import built_in_domains, domains

app = typer.Typer(
    name="framecast",
    help="Probabilistic video forecasting with diffusion models.",
    epilog="Start with: framecast demo",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich takes twice as long to load as the help takes to write
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


for _domain in built_in_domains():
    _domain.add_commands(app)
add(app, import_, example="framecast import rain.nc coarse.zarr --coarsen 2 --independent")
add(app, train, example="framecast train tiny --data rain.zarr --out runs/short training.steps=50")
add(app, distill, example="framecast distill runs/rain --out runs/fast --steps 8 --updates 20")
add(app, split, example="framecast split tiny --data rain.zarr --out split.csv")
add(app, forecast, example="framecast forecast runs/rain rain.zarr few.zarr --members 8 --limit 4")
add(app, evaluate, example="framecast evaluate forecast.zarr --out events --thresholds 1,5")
add(app, calibrate, example="framecast calibrate validation.zarr runs/rain")
add(app, reference, example="framecast reference runs/rain rain.zarr")
add(app, export, example="framecast export runs/rain rain-onnx --format onnx")
add(app, netcdf, example="framecast netcdf forecast.zarr nowcast.nc --layout pysteps --sample 3")
add(app, view, example="framecast view forecast.zarr")
add(app, average, example="framecast average runs/rain rain-average --width 0.1")
add(app, info, example="framecast info rain.zarr")
add(app, machine, example="framecast machine")


@cache
def _add_plugins() -> None:
    """Add the commands of the domains of other packages that the user asked for."""
    for domain in domains()[len(built_in_domains()) :]:
        domain.add_commands(app)


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
        bool, typer.Option("--debug", envvar="FRAMECAST_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Probabilistic video forecasting with diffusion models."""
    global _debug
    _debug = debug


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code (see `framecast.cli.failures`); a failure is reported on one line."""
    global _debug
    _debug = False
    speak()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # further tasks of zarr that fail
    try:
        _add_plugins()
        command = typer.main.get_command(app)
        with interruptible() as raised:
            code = command.main(arguments, prog_name="framecast", standalone_mode=False)
            if code == failures.INTERRUPTED:  # typer turns the interruption into this code, and says nothing
                raise raised[0] if raised else KeyboardInterrupt
            sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has ended, as in `framecast info x | head -1`
        _drop_output()
        return failures.FAILED
    except (Exception, KeyboardInterrupt) as error:
        if _debug and not isinstance(error, KeyboardInterrupt | failures.CommandLineError):
            raise
        line, code = failures.explain(error)
        for text in failures.help_of(error) or [f"framecast: {line}"] * bool(line):  # empty in all processes but one
            complain(text)
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """Discard unprinted output: Python would try again at exit and replace the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """The entry point of the ``framecast`` command."""
    # Subprocesses must not import modules from the working directory, as Python does by default.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    # Threads that wait for each other sleep. By default they try again and again, which keeps the cores busy when other
    # programs need them: two threads become several times slower than one.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = run()
    except Exception as error:  # with --debug
        print_trace(error)
        code = failures.explain(error)[1]
    sys.exit(code)
