"""The result of an evaluation as a folder: a self-contained page, the tables, and the figures."""

from collections.abc import Callable
from pathlib import Path

from framecast.core.files import REPORT, new_folder
from framecast.reports import verdicts
from framecast.reports.casebook import chosen_cases, draw_case
from framecast.reports.clock import Clock
from framecast.reports.gallery import chart_sections, score_sections
from framecast.reports.page import Page, render
from framecast.reports.provenance import commands, origins
from framecast.reports.style import looks, own_settings
from framecast.verification.evaluation import Evaluation
from framecast.verification.files import write_scores
from framecast.verification.rows import as_csv, sample_rows, score_rows

_FILES = "All scores with their intervals: scores.json, scores.csv, samples.csv; the pictures: figures/."


def write_report(
    evaluation: Evaluation,
    out: str | Path,
    *,
    command: str = "",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``scores.json``, ``scores.csv``, ``samples.csv``, ``figures/`` and ``report.html`` into the folder ``out``.

    The arguments are those of `framecast.reports.judge.Evaluation.report`; the path of the page is returned.
    """
    out = Path(out)
    with new_folder(out, overwrite=overwrite, kind=REPORT) as folder:
        write_scores(evaluation.scores, folder / "scores.json")
        (folder / "scores.csv").write_text(as_csv(score_rows(evaluation.scores)), encoding="utf-8")
        (folder / "samples.csv").write_text(as_csv(sample_rows(evaluation.samples)), encoding="utf-8")
        page = _page(evaluation, folder / "figures", command, progress)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return out / "report.html"


@own_settings()
def _page(evaluation: Evaluation, figures: Path, command: str, progress: Callable[[int, int], None] | None) -> str:
    """Draw all figures into ``figures`` and return the page that shows them."""
    figures.mkdir()
    scores = evaluation.scores
    drawn = looks(scores)
    chosen = chosen_cases(evaluation)
    done, total = 0, 2 + len(chosen)

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    first = score_sections(scores, drawn, figures)
    advance()
    last = chart_sections(evaluation, drawn, figures)
    advance()
    cases = [draw_case(evaluation, drawn, name, index, figures, done=advance) for name, index in chosen.items()]
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
