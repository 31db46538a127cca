"""The domain of the synthetic corona, which looks like the Sun and has a known law."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framecast.core.domain import Domain
from framecast.domains.corona import GENERATOR, NAME
from framecast.domains.solar.domain import SOLAR

if TYPE_CHECKING:
    import typer

    from framecast.data.archive.reader import Archive


def _recognises(attrs: Mapping[str, Any], unit: str, channels: Sequence[str]) -> bool:
    return attrs.get("generator") == GENERATOR


def _oracle(archive: "Archive") -> Callable[..., Any] | None:
    if not _recognises(archive.attrs, archive.unit, archive.channels):
        return None  # before anything heavy is imported
    from functools import partial

    from framecast.domains.corona.oracle import has_oracle, oracle_ensemble

    return partial(oracle_ensemble, archive) if has_oracle(archive) else None


def _add_commands(app: "typer.Typer") -> None:
    from framecast.domains.corona.commands import add_commands

    add_commands(app)


CORONA = Domain(
    name=NAME,
    recognises=_recognises,
    totals=True,
    labels=SOLAR.labels,
    colours=SOLAR.colours,
    oracle=_oracle,
    add_commands=_add_commands,
)
