"""`framecast.evaluate`: scores of forecast files, and their report."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from framecast.core.progress import Progress, track
from framecast.verification import evaluation


class Evaluation(evaluation.Evaluation):
    """An evaluation with a report."""

    def report(self, out: str | Path, *, overwrite: bool = False, command: str = "", progress: Progress = True) -> Path:
        """Write the scores, the figures and the page into the folder ``out``, and return the path of the page.

        Args:
            out: the folder to make.
            overwrite: whether an existing report may be replaced.
            command: the command line to print under "how to make this page again".
            progress: whether to show the pictures done, or a function that is called with their number and the total.

        Raises:
            FramecastError: ``out`` exists and ``overwrite`` is false, or cannot be written.
        """
        from framecast.reports.report import write_report

        with track("pictures", progress=progress) as task:
            return write_report(self, out, command=command, overwrite=overwrite, progress=task.reach)


def evaluate(forecasts: str | Path | Sequence[str | Path], *, progress: Progress = True, **options: Any) -> Evaluation:
    """Score one forecast file, or compare several on the windows that they share, with each other and the baselines.

    Args:
        forecasts: files that `framecast.forecast` wrote.
        progress: whether to show the samples done, or a function that is called with their number and the total.
        options: ``truth`` and ``variables`` for ensembles of other models, ``scores``, ``quantities`` and
            ``baselines`` of your own, see `framecast.verification.evaluation.evaluate`; and the fields of
            `framecast.verification.options.EvaluationOptions`, such as ``blocks`` and ``thresholds``.

    Raises:
        ConfigError: there is no such option, or its value is not possible.
        FramecastError: there is no such file.
        DataError: it is not a forecast, nothing in it can be scored, or the files cannot be compared.
    """
    with track("samples", progress=progress) as task:
        judged = evaluation.evaluate(forecasts, progress=task.reach, **options)
    return Evaluation(**{field.name: getattr(judged, field.name) for field in fields(judged)})
