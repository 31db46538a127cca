"""Small files that others wrote."""

import json
import os
import socket
import time

import pytest

from framecast.core.errors import ConfigError, DataError
from framecast.core.reading import MOST_DEPTH, check_document, parse_json, parse_yaml, read_bytes, read_json, read_text


def test_a_file_is_read_up_to_its_bound(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert read_bytes(tmp_path / "a", most=100) == b"x" * 100
    with pytest.raises(DataError, match=r"has 100 bytes; .* at most 99"):
        read_bytes(tmp_path / "a", most=99)


@pytest.mark.skipif(os.name != "posix", reason="no pipes, devices and sockets in folders here")
def test_what_is_no_file_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for path in (tmp_path / "pipe", "/dev/zero", tmp_path / "socket"):
            with pytest.raises(DataError, match="a pipe, a device or a socket"):
                read_text(path)
    with pytest.raises(IsADirectoryError):
        read_text(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "absent")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b"[" * 10**6, b"9" * 10**5, b'{"a": 1e400'])
def test_what_is_no_json_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError) as error:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(error.value)
    assert str(tmp_path / "a.json") in str(error.value)


def test_depth_and_number_of_values_are_bounded():
    deepest = json.loads("[" * MOST_DEPTH + "]" * MOST_DEPTH)
    check_document(deepest, where="x")
    for document in ([deepest], {"a": deepest}):
        with pytest.raises(DataError, match="nested deeper than 64"):
            check_document(document, where="x")
    circle = []
    circle.append(circle)
    with pytest.raises(DataError, match="nested"):
        check_document(circle, where="x")
    with pytest.raises(DataError, match="more than 1000000 values"):
        check_document([[0] * 600_000, [0] * 600_000], where="x")
    with pytest.raises(DataError, match="more than 5000000 values"):  # before they take a gigabyte
        parse_json("[" + "[]," * 2_500_001 + "[]]", where="x")


@pytest.mark.thorough
def test_a_few_lines_of_yaml_stand_for_no_billion_values():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
    began = time.process_time()
    with pytest.raises(ConfigError, match="more than 1000000 values"):
        parse_yaml("\n".join(lines), "recipe.yaml")
    with pytest.raises(ConfigError, match="characters of YAML"):
        parse_yaml("#" * 2**17, "recipe.yaml")
    with pytest.raises(ConfigError):
        parse_yaml("[" * 5000, "recipe.yaml")
    assert parse_yaml("a: &x [1]\nb: *x", "recipe.yaml") == {"a": [1], "b": [1]}
    assert time.process_time() - began < 30
