"""Where forecasts come from: data, model, settings, and the commands that make them again."""

from dataclasses import dataclass
from typing import Any

from framecast.frames import format_duration

_FIRST = {
    "model": "Model",
    "model_hash": "Model weights",
    "archive": "Archive",
    "data_hash": "Archive's content",
    "split": "Split",
    "sampler": "Sampler",
    "steps": "Steps",
    "seed": "Seed",
    "created": "Forecast made",
    "evaluated_with": "framecast version (evaluation)",
}
_UNTOLD = ("format", "version", "unit", "command")


@dataclass(frozen=True)
class Origin:
    """What is known of one forecast: its name and rows of what and value."""

    name: str
    rows: list[tuple[str, str]]


def origins(scores: dict[str, Any]) -> list[Origin]:
    """Return the provenance of each file: what matters most first, then everything else by name."""
    return [Origin(name, _rows(dict(attributes))) for name, attributes in scores["provenance"].items()]


def commands(scores: dict[str, Any], last: str) -> list[str]:
    """Return the command lines that made the forecasts, and ``last`` that judged them."""
    known = [attributes.get("command") for attributes in scores["provenance"].values()]
    return [text for text in (*dict.fromkeys(known), last) if text]


def _rows(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    for key in _UNTOLD:
        attributes.pop(key, None)
    if isinstance(attributes.get("cadence"), int | float):
        attributes["cadence"] = format_duration(attributes["cadence"])
    rows = [(label, attributes.pop(key)) for key, label in _FIRST.items() if attributes.get(key) is not None]
    rows += sorted(
        (key.replace("_", " ").capitalize(), value) for key, value in attributes.items() if value is not None
    )
    return [(label, str(value)) for label, value in rows]
