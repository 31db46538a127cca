"""Probabilistic video forecasting with diffusion models.

    import framecast as fc

    fc.train("tiny", "rain.zarr", out="runs/rain")
    model = fc.load("runs/rain")
    ensemble = model.forecast(past, members=20, seed=0)

The names below are imported when they are first used, so that ``import framecast`` itself takes no time.
`docs/python.md` shows them at work.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from framecast._version import __version__
from framecast.core import errors
from framecast.core.errors import ConfigError, DataError, FramecastError, FramecastWarning

if TYPE_CHECKING:
    from framecast import networks as networks
    from framecast.data.archive.reader import Archive as Archive
    from framecast.data.archive.reader import open_archive as open_archive
    from framecast.data.archive.writer import ArchiveWriter as ArchiveWriter
    from framecast.data.datasets import Windows as Windows
    from framecast.data.forecasts import open_forecast as open_forecast
    from framecast.diffusion import sampler as samplers  # noqa: F401
    from framecast.diffusion import schedule as schedules  # noqa: F401
    from framecast.diffusion import times as grids  # noqa: F401
    from framecast.domains.corona.writing import write_corona as write_corona
    from framecast.importers.importing import import_data as import_data
    from framecast.models.add_reference import add_reference as add_reference
    from framecast.models.archive_forecast import forecast as forecast
    from framecast.models.checkpoint import load as load
    from framecast.models.forecaster import Forecaster as Forecaster
    from framecast.models.intervals import calibrate as calibrate
    from framecast.networks import Network as Network
    from framecast.reports.prediction import show as show
    from framecast.reports.report import evaluate as evaluate
    from framecast.training.distill import distill as distill
    from framecast.training.job import train as train
    from framecast.training.recipe import load_recipe as load_recipe
    from framecast.verification.evaluation import score as score
    from framecast.verification.files import open_scores as open_scores
    from framecast.videos.frames import FrameSpec as FrameSpec

# Where each name is defined.
_HOME = {
    "Archive": "data.archive.reader",
    "ArchiveWriter": "data.archive.writer",
    "Forecaster": "models.forecaster",
    "FrameSpec": "videos.frames",
    "Network": "networks",
    "Windows": "data.datasets",
    "add_reference": "models.add_reference",
    "calibrate": "models.intervals",
    "distill": "training.distill",
    "evaluate": "reports.report",
    "forecast": "models.archive_forecast",
    "import_data": "importers.importing",
    "load": "models.checkpoint",
    "load_recipe": "training.recipe",
    "open_archive": "data.archive.reader",
    "open_forecast": "data.forecasts",
    "open_scores": "verification.files",
    "score": "verification.evaluation",
    "show": "reports.prediction",
    "train": "training.job",
    "write_corona": "domains.corona.writing",
}
_MODULES = {
    "grids": "diffusion.times",
    "networks": "networks",
    "samplers": "diffusion.sampler",
    "schedules": "diffusion.schedule",
}

__all__ = [
    *_HOME,
    *_MODULES,
    "ConfigError",
    "DataError",
    "FramecastError",
    "FramecastWarning",
    "__version__",
    "errors",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        value: object = import_module(f"framecast.{_MODULES[name]}")
    elif name in _HOME:
        value = getattr(import_module(f"framecast.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module 'framecast' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
