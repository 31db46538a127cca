"""Probabilistic video forecasting with diffusion models.

    import framecast as fc

    forecaster = fc.load("runs/rain")
    ensemble = forecaster.forecast(past, members=20, seed=0)

The names below are imported when they are first used, so that ``import framecast`` itself takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError, FramecastError

if TYPE_CHECKING:
    from framecast.data.archive.reader import Archive as Archive
    from framecast.data.archive.writer import ArchiveWriter as ArchiveWriter
    from framecast.data.forecasts import open_forecast as open_forecast
    from framecast.domains.corona.writing import write_corona as write_corona
    from framecast.models.checkpoint import load as load
    from framecast.models.forecaster import Forecaster as Forecaster
    from framecast.training.recipe import load_recipe as load_recipe
    from framecast.verification.evaluation import evaluate as evaluate
    from framecast.videos.frames import FrameSpec as FrameSpec

# Where each name is defined.
_HOME = {
    "Archive": "data.archive.reader",
    "ArchiveWriter": "data.archive.writer",
    "Forecaster": "models.forecaster",
    "FrameSpec": "videos.frames",
    "evaluate": "verification.evaluation",
    "load": "models.checkpoint",
    "load_recipe": "training.recipe",
    "open_forecast": "data.forecasts",
    "write_corona": "domains.corona.writing",
}

__all__ = [*_HOME, "ConfigError", "DataError", "FramecastError", "__version__"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'framecast' has no attribute {name!r}")
    value = getattr(import_module(f"framecast.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
