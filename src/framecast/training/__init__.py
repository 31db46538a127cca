"""Training: windows in, averaged weights out, one step at a time and resumable at each.

See `options` for the settings, `optimiser` and `averaging` for the update of the weights, `batches` and `objective` for
the data and loss of a step, `state` for the content of a checkpoint, and `fit` for the loop.
"""

from framecast.training.fit import Stepped, fit
from framecast.training.objective import validation_loss
from framecast.training.options import TrainingOptions
from framecast.training.state import TrainingState

__all__ = ["Stepped", "TrainingOptions", "TrainingState", "fit", "validation_loss"]
