"""Options of commands, made from dataclasses: a field is an option, its line in the docstring is the help.

    @takes_options
    def forecast(model: Path, ..., sampling: Sampling) -> None: ...

A parameter whose annotation is a dataclass is replaced by that dataclass's fields; the command receives the value that
they make. Several commands share a group of options by naming the same dataclass.

A field of the type ``tuple[float, ...]`` is written ``A,B,...``, one of ``tuple[str, ...]`` is given once for each, and
``dict[str, tuple[float, float]]`` is ``NAME=LOW:HIGH``, once for each.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, get_args, get_type_hints

import typer

from framecast.core.errors import ConfigError

Range = dict[str, tuple[float, float]]


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return ``command`` with the fields of its dataclasses for parameters, as typer reads them."""
    signature, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}

    def called(**given: Any) -> None:
        for name, group in groups.items():
            own = {field.name: given.pop(field.name) for field in dataclasses.fields(group)}
            given[name] = _value(group, own)
        command(**given)

    parameters = []
    for name, parameter in signature.parameters.items():
        if name in groups:
            parameters += _parameters(groups[name])
        else:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
    called.__name__, called.__doc__, called.__module__ = command.__name__, command.__doc__, command.__module__
    called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    return called


def arguments(options: Any) -> list[str]:
    """Return the command-line arguments that give these options, those with their defaults left out."""
    found = []
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if value != field.default and value is not None:
            flag = f"--{field.name.replace('_', '-')}"
            if isinstance(value, tuple):
                value = ",".join(f"{each:g}" for each in value)
            found += [flag] if value is True else [flag, str(value)]
    return found


def _parameters(group: type) -> list[inspect.Parameter]:
    hints, helps = get_type_hints(group), _documented(group)
    found = []
    for field in dataclasses.fields(group):
        shown, metavar, default = _shown(hints[field.name], field.default)
        flags = [f"--{field.name.replace('_', '-')}"] if shown is bool else []
        option = typer.Option(*flags, help=helps[field.name], metavar=field.metadata.get("metavar", metavar))
        found.append(
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[shown, option]
            )
        )
    return found


def _shown(hint: Any, default: Any) -> tuple[Any, str | None, Any]:
    """Return the type that typer reads, how a value is written where typer cannot tell, and the default."""
    if hint == tuple[float, ...]:
        return str, "A,B,...", ",".join(f"{value:g}" for value in default)
    if hint == tuple[str, ...]:
        return list[str] | None, None, list(default) or None
    if Range in (hint, *get_args(hint)):
        return list[str] | None, "NAME=LOW:HIGH", None
    return hint, None, default


def _value(group: type, given: Mapping[str, Any]) -> Any:
    hints = get_type_hints(group)
    own = {}
    for name, value in given.items():
        if hints[name] == tuple[float, ...]:
            value = _numbers(name, value)
        elif hints[name] == tuple[str, ...]:
            value = tuple(value or ())
        elif Range in (hints[name], *get_args(hints[name])):
            value = _ranges(name, value) if value else None
        own[name] = value
    return group(**own)


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise ConfigError(f"--{name} is {text!r}; write numbers with commas between them, such as 0.5,2,5") from None


def _ranges(name: str, texts: list[str]) -> Range:
    ranges = {}
    for text in texts:
        key, _, limits = text.rpartition("=")
        try:
            low, high = map(float, limits.split(":"))
        except ValueError:
            raise ConfigError(f"--{name} is {text!r}; write a name and two numbers, such as rain=0:150") from None
        ranges[key] = (low, high)
    return ranges


@cache
def _documented(group: type) -> dict[str, str]:
    """Return what the docstring says of each field, as a sentence."""
    _, _, attributes = (inspect.getdoc(group) or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, flags=re.MULTILINE)
    return {name: _sentence(" ".join(text.split())) for name, text in entries}


def _sentence(text: str) -> str:
    text = text.replace("``", "")
    return text[0].upper() + text[1:]
