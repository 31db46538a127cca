"""Typed configurations: plain data (YAML, JSON) in, frozen dataclasses out, and back.

A configuration is a tree of frozen dataclasses whose constructor arguments are the keys of the file. Pydantic checks
it; here its findings become one line that names every wrong key with the nearest right one.
"""

import copy
import dataclasses
import difflib
import json
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from framecast.core.errors import ConfigError

T = TypeVar("T")

_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def from_plain(kind: type[T], data: object, *, where: str) -> T:
    """Return the configuration of dataclass ``kind`` that ``data`` describes.

    Args:
        kind: a frozen dataclass.
        data: nested mappings, lists, strings and numbers.
        where: what the user calls this configuration, for errors.

    Raises:
        ConfigError: keys are unknown, values of a wrong type or out of range; all of them in one line.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where} holds {type(data).__name__}; it must hold a mapping of sections")
    try:
        checked: T = _adapter(kind).validate_python(data)
        return checked
    except ValidationError as error:
        findings = _findings(kind, data, error)
    raise ConfigError(f"{where}: {'; '.join(findings)}")


def to_plain(configuration: object) -> dict[str, Any]:
    """Return nested dicts, lists, strings and numbers from which `from_plain` makes the same configuration."""
    plain = json.loads(_adapter(type(configuration)).dump_json(configuration))
    assert isinstance(plain, dict)
    return plain


def _adapter(kind: type) -> TypeAdapter[Any]:
    """Return pydantic's view of a dataclass, which takes a tenth of a second to make and is made once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _findings(kind: type, data: Mapping[Any, Any], error: ValidationError | None) -> list[str]:
    """Return what is wrong, also what a section can only say of itself once its keys are known and of the right type.

    For that, what was found is taken out, and the rest is looked at again with defaults in its place.
    """
    findings: dict[str, None] = {}
    rest, gone = copy.deepcopy(dict(data)), set[str]()
    while error is not None:
        for finding in (finding for entry in error.errors() for finding in _said(kind, entry)):
            if not any(name in finding for name in gone):  # the default in the place of what is told already
                findings[finding] = None
        taken = {name for entry in error.errors() if (name := _take_out(kind, rest, entry))}
        gone |= taken
        error = _error(kind, rest) if taken else None
    return list(findings)


def _error(kind: type, data: object) -> ValidationError | None:
    try:
        _adapter(kind).validate_python(data)
    except ValidationError as error:
        return error
    return None


def _take_out(kind: type, data: dict[Any, Any], entry: Any) -> str | None:
    """Take what ``entry`` is about out of ``data``; return where it was, None if it is not there or a whole section."""
    path = _without_tags(kind, list(entry["loc"]))
    here: Any = data
    for part in path[:-1]:
        here = here.get(part) if isinstance(here, dict) else None
    if entry["type"] == "value_error" or not path or not isinstance(here, dict) or path[-1] not in here:
        return None
    del here[path[-1]]
    return ".".join(map(str, path))


def _said(kind: type, entry: Any) -> tuple[str, ...]:
    """Return what a section says of itself, or the one thing that is wrong with a key."""
    if entry["type"] != "value_error":
        return (_finding(kind, entry),)
    error = entry["ctx"]["error"]
    return error.findings if isinstance(error, ConfigError) else (str(error),)


def _finding(kind: type, entry: Any) -> str:
    location = list(entry["loc"])
    dotted = ".".join(str(part) for part in _without_tags(kind, location))
    if entry["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        names = _names(_follow(kind, location[:-1]))
        nearest = difflib.get_close_matches(str(location[-1]), names, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(names)}"
        return f"{dotted} is unknown ({hint})"
    if entry["type"].startswith("union_tag"):
        context = entry.get("ctx", {})
        given = f"kind {context['tag']!r}" if "tag" in context else "no kind"
        return f"{dotted} has {given}; known kinds: {context.get('expected_tags', _tags(_follow(kind, location)))}"
    if entry["type"] in ("missing", "missing_argument"):
        return f"{dotted} is missing"
    given = json.dumps(entry["input"], default=str)
    return f"{dotted} is {given}: {entry['msg'][0].lower()}{entry['msg'][1:]}"


def _members(annotation: Any) -> list[Any]:
    """Return the alternatives of an annotation: ``A | B`` gives A and B, anything else itself."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in _members(part)]
    return [annotation]


def _kind(member: Any) -> str | None:
    if dataclasses.is_dataclass(member):
        for field in dataclasses.fields(member):
            hint = get_type_hints(member).get(field.name) if field.name == "kind" else None
            if get_origin(hint) is Literal:
                return str(get_args(hint)[0])
    return None


def _follow(kind: type, location: Iterable[Any]) -> list[Any]:
    """Return the dataclasses that may stand at ``location``; union tags in it choose among them."""
    here: list[Any] = [kind]
    for part in location:
        tagged = [member for member in here if _kind(member) == part]
        if tagged:
            here = tagged
            continue
        hints = [get_type_hints(member) for member in here if dataclasses.is_dataclass(member)]
        here = [member for hint in hints if part in hint for member in _members(hint[part])]
    return here


def _without_tags(kind: type, location: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for position, part in enumerate(location):
        before = _follow(kind, location[:position])
        if not any(_kind(member) == part for member in before):
            kept.append(part)
    return kept


def _names(members: Iterable[Any]) -> list[str]:
    classes = [member for member in members if dataclasses.is_dataclass(member)]
    return list(dict.fromkeys(field.name for member in classes for field in dataclasses.fields(member)))


def _tags(members: Iterable[Any]) -> str:
    return ", ".join(repr(_kind(member)) for member in members if _kind(member))
