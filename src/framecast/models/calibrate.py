"""`framecast.calibrate`: widen a model's intervals to their nominal coverage."""

from pathlib import Path

from framecast.core.errors import ConfigError
from framecast.core.files import held
from framecast.core.progress import Progress, track
from framecast.models.header import find_model
from framecast.models.released import released_models
from framecast.verification.options import Blocks
from framecast.verification.recalibration import fit
from framecast.verification.recalibration.calibration import Calibration, write_calibration


def calibrate(
    forecast: str | Path, model: str | Path, *, blocks: Blocks = "auto", progress: Progress = True
) -> Calibration:
    """Calibrate a model on a forecast that it made, store the calibration with the model, and return it.

    Later forecasts by the model, drawn in the same way, contain it; `Forecaster.intervals` uses it.

    Args:
        forecast: a forecast of windows that the model was not trained on.
        model: the run or model folder that made it.
        blocks: unit treated as exchangeable with future data, see `docs/calibration.md`.
        progress: whether to show the samples read, or a function that is called with their number and the total.

    Raises:
        ConfigError: the model comes with framecast and is read-only.
        DataError: the forecast contains training windows, or was made with other weights.
        FramecastError: another process is calibrating the model, or adding a reference to it.
    """
    folder = find_model(model)
    if folder.resolve() in {released.resolve() for released in released_models().values()}:
        raise ConfigError(f"{model} comes with framecast and is not modified: copy {folder} and calibrate the copy")
    with held(folder, doing=f"writing into {folder}"):
        with track("samples", progress=progress) as task:
            calibration = fit.calibrate(forecast, blocks=blocks, progress=task.reach)
        write_calibration(folder, calibration)
    return calibration
