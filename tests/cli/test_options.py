"""Options made from dataclasses: how they are shown, read and refused."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from framecast.cli.options import _documented, arguments, takes_options
from framecast.core.errors import ConfigError
from framecast.core.options import Seconds, WholeNumbers, Written


@dataclass(frozen=True, kw_only=True)
class Basic:
    """What every command has.

    Attributes:
        every: time between two frames.
    """

    every: Seconds = 7200.0


@dataclass(frozen=True, kw_only=True)
class Options(Basic):
    """What one command has.

    Attributes:
        channels: which are wanted.
        bright: values to reach.
        names: again for another.
        limits: of a channel.
        size: rows x columns.
        future: whether to look for it.
        count: how many.
    """

    channels: WholeNumbers
    bright: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    limits: dict[str, tuple[float, float]] | None = None
    size: Annotated[Path, Written(Path, "a path", "PLACE")] | None = field(default=None, metadata={"flag": "--place"})
    future: bool = True
    count: int = field(default=3, metadata={"min": 1})


def called(*words: str) -> tuple[Options | None, str, BaseException | None]:
    app, seen = typer.Typer(rich_markup_mode=None), []

    @app.command()
    @takes_options
    def command(options: Options) -> None:
        """Run."""
        seen.append(options)

    result = CliRunner().invoke(app, words)
    return (seen[0] if seen else None), result.output, result.exception


def test_every_field_is_an_option_with_its_help_and_default():
    _, shown, _ = called("--help")
    shown = " ".join(shown.split())
    assert "--every <str> Time between two frames. [default: 2h]" in shown  # of the class it is inherited from
    assert "--channels A,B,... Which are wanted. [required]" in shown
    assert "--place PLACE Rows x columns." in shown
    assert "--future / --no-future" in shown or "--future/--no-future" in shown


def test_a_line_that_would_be_lost_from_the_help_is_refused():
    class Lossy:
        """Options.

        Attributes:
            every: time between
            two frames.
        """

    with pytest.raises(TypeError, match=r"two frames\."):
        _documented(Lossy)


def test_values_are_those_that_the_texts_stand_for():
    given = ["--channels", "193, 94", "--bright", "0.5,2", "--names", "a", "--names", "b", "--limits", "x=0:1"]
    options, _, _ = called(*given, "--place", "here", "--no-future", "--every", "12min")
    assert options == Options(
        every=720.0,
        channels=(193, 94),
        bright=(0.5, 2.0),
        names=("a", "b"),
        limits={"x": (0.0, 1.0)},
        size=Path("here"),
        future=False,
    )
    assert called("--channels", "1")[0] == Options(channels=(1,))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--channels", "193;94"], "--channels is '193;94'; write whole numbers"),
        (["--channels", "1", "--bright", "much"], "--bright is 'much'; write numbers"),
        (["--channels", "1", "--limits", "x=1"], "--limits is 'x=1'; write a name and two numbers"),
        (["--channels", "1", "--every", "soon"], "'soon' is not a duration"),
    ],
)
def test_a_text_that_stands_for_nothing_is_refused(given, says):
    _, _, error = called(*given)
    assert isinstance(error, ConfigError)
    assert says in str(error)


def test_a_number_has_its_least_value():
    options, shown, _ = called("--channels", "1", "--count", "0")
    assert options is None
    assert "--count" in shown


def test_options_become_the_arguments_that_give_them():
    assert arguments(Options(channels=(193, 94), bright=(0.5,), every=7200.0, count=4)) == [
        "--channels",
        "193,94",
        "--bright",
        "0.5",
        "--count",
        "4",
    ]
