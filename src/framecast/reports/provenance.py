"""Provenance of forecasts: data, model, settings, and the commands that reproduce them."""

from dataclasses import dataclass
from typing import Any

from framecast.core.options import format_duration
from framecast.verification.results import Scores

_FIRST = ("model", "weights_sha256", "archive", "split", "sampler", "steps", "seed", "members", "evaluated_with")
_WORDS = {
    "weights_sha256": "Checksum of the weights (SHA-256)",
    "framecast_version": "framecast version",
    "evaluated_with": "framecast version (evaluation)",
    "steps": "Network evaluations per member",
    "grid": "Diffusion times",
}
"""Labels of attributes whose names are not self-explanatory."""

_UNTOLD = ("format", "version", "unit", "command")


@dataclass(frozen=True)
class Origin:
    """Provenance of one forecast: its name and rows of labels and values."""

    name: str
    rows: list[tuple[str, str]]


def origins(scores: Scores) -> list[Origin]:
    """Return the provenance of each file: the most important first, then the others by name."""
    return [Origin(name, _rows(dict(attributes))) for name, attributes in scores.provenance.items()]


def commands(scores: Scores, last: str) -> list[str]:
    """Return the command lines that made the forecasts, and ``last``, which evaluated them."""
    known = [attributes.get("command") for attributes in scores.provenance.values()]
    return [text for text in (*dict.fromkeys(known), last) if text]


def title(name: str) -> str:
    """Return the name of an attribute in words: ``split_seed`` is ``Split seed``."""
    return _WORDS.get(name, name[:1].upper() + name[1:].replace("_", " "))


def _rows(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    for key in _UNTOLD:
        attributes.pop(key, None)
    if isinstance(attributes.get("cadence"), int | float):
        attributes["cadence"] = format_duration(attributes["cadence"])
    names = sorted(attributes, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), title(name)))
    return [(title(name), str(attributes[name])) for name in names if attributes[name] is not None]
