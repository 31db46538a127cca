"""``framecast solar COMMAND``: from the observatory's archive to a prediction. One file per command."""

import typer

from framecast.cli.adding import add
from framecast.domains.solar.commands.fetch import fetch
from framecast.domains.solar.commands.import_png import import_png
from framecast.domains.solar.commands.label import label
from framecast.domains.solar.commands.predict import predict
from framecast.domains.solar.commands.prepare import prepare

app = typer.Typer(
    name="solar",
    help="Observations of the Sun: from an archive to a prediction. Needs pip install 'framecast[solar]'.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Observations of the Sun: from an archive to a prediction."""


add(
    app,
    fetch,
    example="framecast solar fetch --start 2024-10-08 --end 2024-10-10 --wavelengths 193,211,94 --cadence 2h --out aia",
)
add(
    app,
    prepare,
    example="framecast solar prepare aia-synoptic/ sun.zarr --size 64 --wavelengths 171 "
    "--start 2017-08-08 --end 2017-08-14",
)
add(app, import_png, example="framecast solar import-png pictures/ regions.zarr --samples samples.csv")
add(app, label, example="framecast solar label regions.zarr --events goes.csv --horizon 12h")
add(
    app,
    predict,
    example="framecast solar predict runs/sun --time 2024-10-08T23:57 --center 32,112 --members 20 --out prediction",
)
