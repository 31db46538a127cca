"""`framecast.evaluate`, and its result as a folder: a self-contained page, the tables, and the figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framecast.core.files import REPORT, new_folder
from framecast.core.progress import Progress, Task, track
from framecast.reports import verdicts
from framecast.reports.casebook import chosen_cases, draw_case
from framecast.reports.gallery import chart_sections, score_sections
from framecast.reports.page import Page, commands, origins, render
from framecast.reports.style import looks, own_settings
from framecast.reports.wording import Clock
from framecast.verification import evaluation as scoring
from framecast.verification.files import write_scores
from framecast.verification.rows import as_csv, sample_rows, score_rows

_FILES = "All scores with their intervals: scores.json, scores.csv, samples.csv; the pictures: figures/."


class Evaluation(scoring.Evaluation):
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
        return write_report(self, out, command=command, overwrite=overwrite, progress=progress)


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
        judged = scoring.evaluate(forecasts, progress=task.reach, **options)
    return Evaluation(**vars(judged))


def write_report(
    evaluation: scoring.Evaluation,
    out: str | Path,
    *,
    command: str = "",
    overwrite: bool = False,
    progress: Progress = False,
) -> Path:
    """Write ``scores.json``, ``scores.csv``, ``samples.csv``, ``figures/`` and ``report.html`` into ``out``.

    The arguments are those of `Evaluation.report`; the path of the page is returned.
    """
    out = Path(out)
    with new_folder(out, overwrite=overwrite, kind=REPORT) as folder:
        write_scores(evaluation.scores, folder / "scores.json")
        (folder / "scores.csv").write_text(as_csv(score_rows(evaluation.scores)), encoding="utf-8")
        (folder / "samples.csv").write_text(as_csv(sample_rows(evaluation.samples)), encoding="utf-8")
        with track("pictures", progress=progress) as task:
            page = _page(evaluation, folder / "figures", command, task)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return out / "report.html"


@own_settings()
def _page(evaluation: scoring.Evaluation, figures: Path, command: str, task: Task) -> str:
    """Draw all figures into ``figures`` and return the page that shows them."""
    figures.mkdir()
    scores = evaluation.scores
    drawn = looks(scores)
    chosen = chosen_cases(evaluation)
    task.total = 2 + len(chosen)
    first = score_sections(scores, drawn, figures)
    task.advance()
    last = chart_sections(evaluation, drawn, figures)
    task.advance()
    cases = [draw_case(evaluation, drawn, name, index, figures, done=task.advance) for name, index in chosen.items()]
    longest = evaluation.cases.lead_times[-1]
    return render(
        Page(
            title=verdicts.title(scores, drawn),
            introduction=verdicts.introduction(scores, Clock.of(longest).text(longest)),
            findings=verdicts.verdicts(scores, drawn),
            notes=verdicts.notes(scores, drawn),
            sections=[*first, *cases, *last],
            origins=origins(scores),
            commands=commands(scores, command),
            files=_FILES,
        )
    )
