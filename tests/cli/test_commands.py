"""Every command: its help, and how quickly it answers."""

import json
import subprocess
import sys

import pytest
import typer

from framecast._version import __version__
from framecast.cli import app, run

pytestmark = pytest.mark.thorough

HEAVY = ("torch", "zarr", "xarray", "matplotlib", "sunpy", "astropy", "scipy", "pandas")


def commands() -> dict[str, typer.main.TyperCommand]:
    """Every command by the words that call it, such as ``solar prepare``."""
    found = {}

    def walk(command, words):
        if hasattr(command, "commands"):
            for name, child in command.commands.items():
                walk(child, [*words, name])
        else:
            found[" ".join(words)] = command

    walk(typer.main.get_command(app), [])
    return found


@pytest.mark.parametrize("words", commands())
def test_help_explains_every_option_and_ends_with_an_example(words, capsys):
    assert run([*words.split(), "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"Example: framecast {words}" in shown
    for parameter in commands()[words].params:
        assert getattr(parameter, "help", None), f"{words}: {parameter.name} has no help"


@pytest.mark.parametrize("words", commands())
def test_required_options_come_first(words):
    required = [each.required for each in commands()[words].params if each.param_type_name == "option"]
    assert required == sorted(required, reverse=True)


@pytest.mark.parametrize("words", commands())
def test_the_example_of_each_command_is_one_that_parses(words):
    """The example's options exist and its values lie within their ranges (nothing is run)."""
    command = commands()[words]
    example = command.epilog.splitlines()[-1].split()
    assert example[0] == "framecast"
    command.make_context(words, example[1 + len(words.split()) :])


def test_the_commands_are_those_the_documentation_names():
    assert {"demo", "synth", "solar prepare", "train", "forecast", "evaluate", "info"} <= set(commands())


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded after ``code`` has run in a Python of its own."""
    script = f"import json, sys\n{code}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def test_help_imports_nothing_heavy():
    loaded = loaded_by("from framecast.cli import run\nassert run(['--help']) == 0")
    assert "typer" in loaded
    assert not loaded.intersection(HEAVY)


def test_the_help_of_every_command_imports_nothing_heavy():
    calls = "\n".join(f"assert run({[*words.split(), '--help']}) == 0" for words in commands())
    assert not loaded_by(f"from framecast.cli import run\n{calls}").intersection(HEAVY)


def test_importing_the_package_imports_nothing_heavy():
    loaded = loaded_by("import framecast")
    assert "framecast" in loaded
    assert not loaded.intersection({*HEAVY, "numpy", "typer", "rich"})


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"framecast {__version__}\n"


@pytest.mark.parametrize("words", [[], ["solar"]])
def test_without_a_command_the_help_is_shown(words, capsys):
    assert run(words) == 2
    told = capsys.readouterr().err
    assert run([*words, "--help"]) == 0
    assert told == capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["solar"]])
def test_the_summary_of_each_command_fits_on_a_line_of_80_characters(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*words, "--help"]) == 0
    assert "..." not in capsys.readouterr().out.partition("Commands:")[2]
