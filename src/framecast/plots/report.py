"""The result of an evaluation as a folder: one page that needs nothing else, the tables, and the figures."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from framecast.evaluation import Evaluation, as_csv, score_table
from framecast.files import REPORT, new_folder
from framecast.frames import format_duration
from framecast.plots import charts
from framecast.plots.fan import fan_chart
from framecast.plots.film import Pictures, animate, strip
from framecast.plots.style import LOOKS

_MIME = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}

_PROVENANCE = (
    ("model", "Model"),
    ("archive", "Archive"),
    ("split", "Split"),
    ("sampler", "Sampler"),
    ("steps", "Steps"),
    ("seed", "Seed"),
    ("created", "Forecast made"),
    ("evaluated_with", "framecast version (evaluation)"),
)


@dataclass(frozen=True)
class Picture:
    """A picture on the page: where it lies, what it shows to those who see it and to those who do not."""

    file: Path
    title: str
    caption: str
    alt: str

    @property
    def source(self) -> str:
        """The picture itself as a data URL."""
        return f"data:{_MIME[self.file.suffix]};base64,{base64.b64encode(self.file.read_bytes()).decode()}"


@dataclass(frozen=True)
class CasePictures:
    """The pictures of one sample."""

    name: str
    description: str
    fan: Picture
    film: Picture
    strip: Picture


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
        figures = folder / "figures"
        figures.mkdir()
        chosen = _chosen_cases(evaluation)
        done, total = 0, 1 + len(chosen)

        def advance() -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, total)

        drawn = _charts(evaluation, figures)
        advance()
        cases = []
        for name, index in chosen.items():
            cases.append(_case(evaluation, name, index, figures))
            advance()
        (folder / "report.html").write_text(_page(evaluation, drawn, cases, command), encoding="utf-8")
    return out / "report.html"


def _chosen_cases(evaluation: Evaluation) -> dict[str, int]:
    """Return the median, best and worst sample, each sample once."""
    order = evaluation.ranked()
    chosen = {"median": order[len(order) // 2], "best": order[0], "worst": order[-1]}
    return {name: index for k, (name, index) in enumerate(chosen.items()) if index not in list(chosen.values())[:k]}


def _charts(evaluation: Evaluation, figures: Path) -> list[Picture]:
    scores, first = by_look(evaluation), evaluation.cases.models[0]
    tallies = {"model" if name == first else name: tally for name, tally in evaluation.tallies.items()}
    model = scores["model"]
    lead, crps = scores["lead_times_h"], model["crps_by_lead"]
    coverage = model["coverage"]["fluence"]
    drawn: list[tuple[str, Figure | None, str, str, str]] = [
        (
            "crps-by-lead",
            charts.crps_by_lead(scores),
            "Error by lead time",
            "Fair continuous ranked probability score; lower is better. Band: 95 % interval of the model.",
            f"Line chart of CRPS against lead time. The model goes from {crps[0]:.3g} at {lead[0]:g} h "
            f"to {crps[-1]:.3g} at {lead[-1]:g} h.",
        ),
        (
            "skill-by-lead",
            charts.skill_by_lead(scores),
            "Skill by lead time",
            "1 − CRPS of the model / CRPS of the baseline: above 0 the model is better. Bands: paired 95 % intervals.",
            "Line chart of the model's skill against each baseline, by lead time.",
        ),
        (
            "error-and-spread",
            charts.error_and_spread(scores),
            "Error and spread",
            "In a reliable ensemble the spread (dashed) equals the error of the ensemble mean (solid).",
            "Line chart of RMSE and ensemble spread against lead time. "
            f"In total the model's spread is {_short(model['spread_skill'])} of its error.",
        ),
        (
            "reliability",
            charts.reliability(scores),
            "Do the intervals hold?",
            "How often the truth fell within the model's central intervals of flux quantities. Bars: 95 % intervals.",
            "Reliability diagram, observed against promised coverage. The 50 % interval of the fluence held "
            f"{_percent(coverage['50'])}, the 90 % interval {_percent(coverage['90'])}.",
        ),
        (
            "ranks",
            charts.ranks(scores),
            "Rank of the truth",
            "Where the true pixel falls among the sorted members. Flat: reliable. U-shaped: too narrow. Sloping: bias.",
            "Rank histogram of the truth among the members.",
        ),
        (
            "spread-and-error",
            charts.spread_and_error(scores, tallies),
            "Does it know when it does not know?",
            "Error of the ensemble mean, by the spread predicted. On the line the ensemble knows its own error.",
            "Error found against spread predicted, on logarithmic axes.",
        ),
        (
            "spectra",
            charts.spectra(scores, tallies),
            "Structure at each scale",
            "Power of forecast images over that of the truth. Below 1: too smooth; above: too noisy. A single member "
            "should stay at 1; a mean of members may not.",
            "Power spectrum relative to the truth against wavelength, for one member, the ensemble mean and baselines.",
        ),
    ]
    return [_save(figure, figures / name, *words) for name, figure, *words in drawn if figure is not None]


def _case(evaluation: Evaluation, name: str, index: int, figures: Path) -> CasePictures:
    cases = evaluation.cases
    case = cases[index]
    row = evaluation.samples[index]
    pictures = Pictures.of(case, cases)
    channel = cases.channels[0]
    film, sheet = figures / f"{name}.webp", figures / f"{name}-strip.png"
    animate(pictures, film)
    strip(pictures, sheet)
    crps, persistence = row[f"crps {cases.models[0]}"], row.get("crps persistence")
    skill = 1 - crps / persistence if persistence else None
    against = f", {_signed(100 * skill)} % CRPS skill against persistence" if skill is not None else ""
    where = f"{case.sequence}, issued {row['issue_time'].replace('T', ' ')[:16]} UTC"
    shown = f"Channel {channel}: {pictures.brightness.describe(cases.unit)}."
    return CasePictures(
        name=name,
        description=f"{where}; CRPS {_short(crps)} {cases.unit}{against}",
        fan=_save(
            fan_chart(case, cases),
            figures / f"{name}-flux",
            f"{name.capitalize()} case: total flux",
            f"{where}. Shaded: central 50 and 90 % intervals; thin lines: members.",
            f"Fan chart of the total flux of the {name} case: past, observed future, and forecast intervals.",
        ),
        film=Picture(
            film,
            f"{name.capitalize()} case",
            f"Every panel begins with the past that was seen; at the issue time the members part. {shown} "
            f"Spread: standard deviation, 0 to {pictures.spread_limit:.3g} {cases.unit}, on the same kind of scale.",
            f"Animation of the {name} case: the observed frames beside members, ensemble mean and ensemble spread.",
        ),
        strip=Picture(
            sheet,
            "",
            f"The same, frame by frame. {shown}",
            f"Frames of the {name} case: observed, members, ensemble mean and spread in rows, lead times in columns.",
        ),
    )


def _save(figure: Figure, stem: Path, title: str, caption: str, alt: str) -> Picture:
    """Save ``figure`` as PNG and SVG, and return the SVG: sharp at any size and small."""
    import matplotlib

    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it is laid out: once is enough
    figure.savefig(stem.with_name(f"{stem.name}.png"), dpi=160)
    path = stem.with_name(f"{stem.name}.svg")
    with matplotlib.rc_context({"svg.hashsalt": "framecast"}):
        figure.savefig(path, metadata={"Date": None})
    return Picture(path, title, caption, alt)


def _page(evaluation: Evaluation, drawn: list[Picture], cases: list[CasePictures], command: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("framecast.plots"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    scores = by_look(evaluation)
    provenance = dict(scores["provenance"][evaluation.cases.models[0]])
    provenance_rows = [(label, provenance.pop(key)) for key, label in _PROVENANCE if provenance.get(key) is not None]
    commands = [text for text in (provenance.pop("command", None), command) if text]
    for known in ("format", "version", "unit"):
        provenance.pop(known, None)
    if isinstance(provenance.get("cadence"), int | float):
        provenance["cadence"] = format_duration(provenance["cadence"])
    provenance_rows += sorted((key.replace("_", " ").capitalize(), value) for key, value in provenance.items())
    return environment.get_template("report.html.j2").render(
        title=f"Forecasts by {evaluation.cases.models[0]}",
        scores=scores,
        names=[name for name in LOOKS if name in scores],
        looks=LOOKS,
        rows=headline(scores),
        verdicts=_verdicts(scores),
        charts=drawn,
        cases=cases,
        provenance=provenance_rows,
        commands=commands,
        blocks=_blocks(scores),
        notes=_notes(evaluation),
    )


def by_look(evaluation: Evaluation) -> dict[str, Any]:
    """Return the scores with the forecasts under the names of `LOOKS`: the first file's is ``model``."""
    found = evaluation.scores["forecasts"]
    named = {name: found[name] for name in LOOKS if name in found}
    return {**evaluation.scores, **named, "model": found[evaluation.cases.models[0]]}


def headline(scores: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the headline table: a name, a hint, and for each forecast its figure and interval."""
    names = [name for name in LOOKS if name in scores]
    unit = f" ({scores['unit']})" if scores["unit"] else ""

    def row(
        text: str, hint: str, cell: Callable[[dict[str, Any]], tuple[str, str]], *, best: bool = False
    ) -> dict[str, Any]:
        return {"label": text, "hint": hint, "cells": [cell(scores[name]) for name in names], "best": best}

    def plain(key: str) -> Callable[[dict[str, Any]], tuple[str, str]]:
        return lambda entry: (_short(entry[key]), _range(entry["confidence"][key]["95"]))

    def coverage(quantity: str, level: str) -> Callable[[dict[str, Any]], tuple[str, str]]:
        return lambda entry: (
            _percent(entry["coverage"][quantity][level]) if entry["members"] > 1 else "–",
            _range(entry["confidence"]["coverage"][quantity][level]["95"], percent=True)
            if entry["members"] > 1
            else "",
        )

    def skill(other: str) -> Callable[[dict[str, Any]], tuple[str, str]]:
        def cell(entry: dict[str, Any]) -> tuple[str, str]:
            found = entry["skill"].get(other)
            return ("–", "") if found is None else (_percent(found["value"]), _range(found["95"], percent=True))

        return cell

    rows = [
        row(f"CRPS{unit}", "fair, per pixel; lower is better", plain("crps")),
        row(f"RMSE{unit}", "of the ensemble mean", plain("rmse")),
        row(f"MAE{unit}", "of the ensemble mean", plain("mae")),
        row(
            "Spread / error",
            "1 is reliable",
            lambda entry: plain("spread_skill")(entry) if entry["members"] > 1 else ("–", ""),
        ),
        row(f"Flux CRPS{unit}", "sum over the image", plain("flux_crps")),
        row("Fluence in the 50 % interval", "50 % is reliable", coverage("fluence", "50")),
        row("Fluence in the 90 % interval", "90 % is reliable", coverage("fluence", "90")),
        row("Maximum flux in the 90 % interval", "90 % is reliable", coverage("mpf", "90")),
    ]
    if "persistence" in names:
        rows.append(row("Skill against persistence", "1 − CRPS ratio", skill("persistence")))
    if "dressed_persistence" in names:
        rows.append(row("Skill against dressed persistence", "1 − CRPS ratio", skill("dressed_persistence")))
    if "oracle" in names and "persistence" in names:
        rows.append(
            row(
                "Share of what can be known",
                "0: persistence, 100 %: oracle",
                lambda entry: (
                    (_percent(entry["oracle_skill"]["value"]), _range(entry["oracle_skill"]["95"], percent=True))
                    if "oracle_skill" in entry
                    else ("100 %", "")
                ),
            )
        )
    return rows


def _verdicts(scores: dict[str, Any]) -> list[str]:
    """Return one sentence on each baseline; a verdict only where the 95 % interval excludes zero."""
    sentences = []
    for name, entry in scores["model"]["skill"].items():
        label = LOOKS[name].label.lower()
        low, high = entry["95"]
        if low is None or entry["value"] is None:
            sentences.append(f"Against {label} no interval can be given: there are too few independent blocks.")
            continue
        interval = f"(95 % interval {_percent(low)} to {_percent(high)})"
        if entry["verdict"] == "undecided":
            sentences.append(f"Against {label} the matter is undecided: {_percent(entry['value'])} {interval}.")
        else:
            how = "lower" if entry["verdict"] == "better" else "higher"
            sentences.append(f"Its CRPS is {_percent(abs(entry['value']))} {how} than that of {label} {interval}.")
    return sentences


def _notes(evaluation: Evaluation) -> list[str]:
    """Return what a reader has to know before trusting the table."""
    scores = by_look(evaluation)
    notes = []
    blocks = scores["bootstrap"]["number_of_blocks"]
    if blocks < 8:
        notes.append(f"There are only {blocks} independent blocks: the intervals are rough, and probably too narrow.")
    if scores["judged_samples"] < scores["samples"]:
        notes.append(
            f"{scores['samples'] - scores['judged_samples']} of {scores['samples']} samples hold nothing to judge."
        )
    if scores["left_out"]["by_forecasts"] > 0:
        notes.append(
            f"{100 * scores['left_out']['by_forecasts']:.2g} % of the observed pixels are left out everywhere, "
            "because a forecast says nothing about them."
        )
    for name, look in LOOKS.items():
        if name in scores and scores[name]["missing_members"]:
            notes.append(f"{look.label}: {scores[name]['missing_members']} member values are missing and left out.")
    if "persistence" not in scores:
        notes.append("There is no persistence: a forecast channel is not among the channels seen.")
    elif "dressed_persistence" not in scores:
        notes.append("There is no dressed persistence: the file holds no training residuals.")
    return notes


def _blocks(scores: dict[str, Any]) -> str:
    number = scores["bootstrap"]["number_of_blocks"]
    words = {
        "sequence": "sequence" if number == 1 else "sequences",
        "day": "day" if number == 1 else "days",
        "sequence-day": "days of a sequence",
        "sample": "samples",
    }
    return f"{number} {words[scores['bootstrap']['blocks']]}"


def _short(value: float | None) -> str:
    """Return three digits, and a power of ten where there would be more than six before the point."""
    if value is None:
        return "–"
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-3:
        mantissa, power = f"{value:.2e}".split("e")
        return f"{mantissa} × 10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    if abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}\u202f%".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+.0f}".replace("-", "−")


def _range(bounds: list[float | None], *, percent: bool = False) -> str:
    low, high = bounds
    if low is None or high is None:
        return ""
    if percent:
        return f"{100 * low:.1f} … {100 * high:.1f}".replace("-", "−")
    return f"{_short(low)} … {_short(high)}"
