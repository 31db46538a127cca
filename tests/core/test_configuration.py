from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from pydantic import Field

from framecast.core.configuration import from_plain, to_plain
from framecast.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Circle:
    __pydantic_config__ = {"extra": "forbid"}
    radius: float
    kind: Literal["circle"] = "circle"


@dataclass(frozen=True, kw_only=True)
class Square:
    __pydantic_config__ = {"extra": "forbid"}
    side: float = 1.0
    kind: Literal["square"] = "square"

    def __post_init__(self) -> None:
        if not self.side > 0:
            raise ConfigError(f"side is {self.side}; it must be positive")


@dataclass(frozen=True, kw_only=True)
class Drawing:
    __pydantic_config__ = {"extra": "forbid"}
    title: str
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    tags: tuple[str, ...] = ()
    depth: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Strict:
    __pydantic_config__ = {"extra": "forbid"}
    side: float | None = None
    deep: int = 0

    def __post_init__(self) -> None:
        findings = ["side is None: set it"] if self.side is None else []
        if self.deep > 1:
            findings.append("deep is over 1")
        if findings:
            raise ConfigError(*findings)


def test_a_configuration_comes_back_from_its_plain_form():
    drawing = Drawing(title="a", shape=Circle(radius=2.0), tags=("x", "y"), depth={"k": 3})
    plain = to_plain(drawing)
    assert plain == {"title": "a", "shape": {"radius": 2.0, "kind": "circle"}, "tags": ["x", "y"], "depth": {"k": 3}}
    assert from_plain(Drawing, plain, where="here") == drawing


def test_all_findings_stand_in_one_line_with_the_nearest_names():
    plain = {"titel": "a", "shape": {"kind": "circle", "radios": 1}, "tags": 3}
    with pytest.raises(ConfigError) as caught:
        from_plain(Drawing, plain, where="drawing.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("drawing.yaml: ")
    for part in (
        "titel is unknown (did you mean title?)",
        "title is missing",
        "shape.radios is unknown (did you mean radius?)",
        "shape.radius is missing",
        "tags is 3",
    ):
        assert part in message


def test_values_out_of_range_stand_beside_wrong_types_and_names_of_the_same_section():
    plain = {"title": 3, "shape": {"kind": "square", "side": -1, "sides": 4, "round": False}, "tags": [7]}
    with pytest.raises(ConfigError) as caught:
        from_plain(Drawing, plain, where="x")
    for part in (
        "title is 3",
        "shape.sides is unknown",
        "shape.round is unknown",
        "tags.0 is 7",
        "side is -1.0; it must",
    ):
        assert str(caught.value).count(part) == 1
    assert "missing" not in str(caught.value)


def test_a_default_in_the_place_of_what_is_wrong_is_not_complained_of():
    with pytest.raises(ConfigError) as caught:
        from_plain(Strict, {"side": "long", "deep": 2}, where="x")
    assert str(caught.value).startswith('x: side is "long": ')
    assert str(caught.value).endswith("; deep is over 1")
    assert "None" not in str(caught.value)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"shape .*'circel'; .*'circle', 'square'"):
        from_plain(Drawing, {"title": "a", "shape": {"kind": "circel"}}, where="x")
    with pytest.raises(ConfigError, match=r"shape has no kind; .*'circle', 'square'"):
        from_plain(Drawing, {"title": "a", "shape": {}}, where="x")


def test_what_the_value_itself_refuses_is_passed_on_as_it_was_said():
    with pytest.raises(ConfigError, match=r"side is -1\.0; it must be positive"):
        from_plain(Drawing, {"title": "a", "shape": {"kind": "square", "side": -1}}, where="x")


@pytest.mark.parametrize("data", [None, [1], "text"])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(ConfigError, match="mapping"):
        from_plain(Drawing, data, where="x")
