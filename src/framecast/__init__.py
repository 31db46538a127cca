"""Probabilistic video forecasting with diffusion models.

    import framecast as fc

    forecaster = fc.load("runs/sun")
    ensemble = forecaster.forecast(past, members=20, seed=0)

The names below are imported when they are first used, so that ``import framecast`` itself takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from framecast._version import __version__
from framecast.errors import ConfigError, DataError, FramecastError

if TYPE_CHECKING:
    from framecast.checkpoint import load as load
    from framecast.data.archive import Archive as Archive
    from framecast.data.corona import write_corona as write_corona
    from framecast.data.forecasts import open_forecast as open_forecast
    from framecast.data.writer import ArchiveWriter as ArchiveWriter
    from framecast.evaluation import evaluate as evaluate
    from framecast.forecaster import Forecaster as Forecaster
    from framecast.recipes import load_recipe as load_recipe
    from framecast.videos.frames import FrameSpec as FrameSpec

# Where each name is defined.
_HOME = {
    "Archive": "data.archive",
    "ArchiveWriter": "data.writer",
    "Forecaster": "forecaster",
    "FrameSpec": "videos.frames",
    "evaluate": "evaluation",
    "load": "checkpoint",
    "load_recipe": "recipes",
    "open_forecast": "data.forecasts",
    "write_corona": "data.corona",
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
