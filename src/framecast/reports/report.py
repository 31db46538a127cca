"""The result of an evaluation as a folder: one page that needs nothing else, the tables, and the figures."""

import json
from collections.abc import Callable
from pathlib import Path

from framecast.core.files import REPORT, new_folder
from framecast.reports import gallery, verdicts
from framecast.reports.casebook import CasePictures, chosen_cases, draw_case
from framecast.reports.clock import Clock
from framecast.reports.page import render
from framecast.reports.provenance import commands, origins
from framecast.reports.style import Look, looks
from framecast.reports.tables import compared, headline
from framecast.verification.evaluation import Evaluation, as_csv, score_table


def write_report(
    evaluation: Evaluation,
    out: str | Path,
    *,
    command: str = "",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write ``scores.json``, ``scores.csv``, ``samples.csv``, ``figures/`` and ``report.html`` into the folder ``out``.

    Args:
        evaluation: what was judged.
        out: the folder to make.
        command: the command line to print under "how to make this page again".
        overwrite: whether an existing folder may be replaced.
        progress: called with the pictures done and their number.

    Returns:
        The path of the page.

    Raises:
        FramecastError: ``out`` exists and ``overwrite`` is false, or cannot be written.
    """
    out = Path(out)
    with new_folder(out, overwrite=overwrite, kind=REPORT) as folder:
        (folder / "scores.json").write_text(json.dumps(evaluation.scores, indent=2, allow_nan=False) + "\n")
        (folder / "scores.csv").write_text(as_csv(score_table(evaluation.scores)))
        (folder / "samples.csv").write_text(as_csv(evaluation.samples))
        page = _page(evaluation, folder / "figures", command, progress)
        (folder / "report.html").write_text(page, encoding="utf-8")
    return out / "report.html"


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

    differences = gallery.difference_charts(scores, drawn, figures)
    advance()
    sections = gallery.sections(evaluation, drawn, figures)
    advance()
    cases = [draw_case(evaluation, drawn, name, index, figures, done=advance) for name, index in chosen.items()]
    return _rendered(evaluation, drawn, differences, sections, cases, command)


def _rendered(
    evaluation: Evaluation,
    drawn: dict[str, Look],
    differences: list[gallery.Picture],
    sections: list[gallery.Section],
    cases: list[CasePictures],
    command: str,
) -> str:
    scores = evaluation.scores
    longest = evaluation.cases.lead_times[-1]
    return render(
        "report.html.j2",
        title=verdicts.title(scores, drawn),
        introduction=verdicts.introduction(scores, Clock.of(longest).text(longest)),
        verdicts=verdicts.verdicts(scores, drawn),
        notes=verdicts.notes(scores, drawn),
        headline=headline(scores, drawn),
        legend=verdicts.legend(scores),
        compared=compared(scores, drawn),
        difference_charts=differences,
        cases=cases,
        sections=sections,
        provenance=origins(scores),
        commands=commands(scores, command),
    )
