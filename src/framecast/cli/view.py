"""``framecast view``: forecasts in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, say
from framecast.cli.options import takes_options
from framecast.cli.sampling import Running
from framecast.core.errors import ConfigError, FramecastError


@takes_options
def view(
    *,
    forecasts: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FORECAST...", help="What `framecast forecast` wrote; several are compared."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Report of these forecasts, shown on the Verification page.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Model for new forecasts on the Forecast page.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="ARCHIVE", help="Archive whose windows the model may forecast.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for saved forecasts; those in it are opened. [default: working directory]",
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write windows into this folder, which opens without a server, and exit."),
    ] = None,
    windows: Annotated[
        str | None,
        typer.Option(metavar="N,N-N", help="Windows of each file to export. [default: twelve, evenly spaced]"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing export.")] = False,
    running: Running,
    host: Annotated[
        str, typer.Option(help="Address to listen on; addresses other than loopback require a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 8765,
    public: Annotated[
        str, typer.Option(metavar="URL", help="Address under which a proxy shows it, such as https://example.org/view.")
    ] = "",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Show forecasts in a browser.

    Play windows, plot pixels, compare models and draw new forecasts. Ctrl-C stops the server.
    """
    given = [*(forecasts or []), *(sorted(keep.glob("*.zarr")) if keep is not None else [])]
    if not given and model is None:
        raise ConfigError("there is nothing to show: name a forecast, or a model with --model")
    if model is None and data is not None:
        raise ConfigError("--data is for a model's forecasts: name the model with --model")
    note(f"opening {', '.join(map(str, given)) or model}")
    try:
        from framecast.view.app import application
    except ModuleNotFoundError as error:
        raise FramecastError(
            f"{error.name} is not installed (required to view): pip install 'framecast[view]'"
        ) from None
    from framecast.view.library import opened
    from framecast.view.live import Studio
    from framecast.view.serve import Access, serve
    from framecast.view.static_export import export as export_windows

    if export is not None:
        with opened(given) as library:
            say(str(export_windows(library, export, windows=windows, overwrite=overwrite)))
        return
    who = Access.of(host, public)
    studio = Studio(model=model, archive=data, keep=keep or Path(), **vars(running))
    with opened(given) as library:
        shown = application(library, studio=studio, report=report)
        serve(shown, who, host=host, port=port, public=public, browser=browser, say=say)
