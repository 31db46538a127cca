"""Training: windows in, averaged weights out, one step at a time and resumable at each.

Read `options` for what can be set, `optimiser` and `averaging` for the two ideas around the gradient, `batches` and
`objective` for what a step sees and minimises, `state` for what a checkpoint must hold, and `fit` for the loop itself.
"""

from framecast.training.fit import Stepped, fit
from framecast.training.options import TrainingOptions
from framecast.training.state import TrainingState
from framecast.training.validation import validation_loss

__all__ = ["Stepped", "TrainingOptions", "TrainingState", "fit", "validation_loss"]
