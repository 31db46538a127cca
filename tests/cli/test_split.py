"""``framecast split``: the same split as training's, written down, compared and used again."""

import json

import pytest

from framecast.cli import run
from framecast.data.archive.reader import Archive
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe

pytestmark = pytest.mark.thorough

CHANGES = ("data.past=2", "data.future=3", "network.width=4")


def test_its_checksums_are_those_of_a_run(small_archive, tmp_path, capsys):
    assert run(["split", "tiny", *CHANGES, "--data", str(small_archive), "--out", str(tmp_path / "s.csv")]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == str(tmp_path / "s.csv")
    record = prepare(load_recipe("tiny", CHANGES), Archive.open(small_archive)).data_record
    for digest in record["hashes"].values():
        assert digest in said
        assert digest in (tmp_path / "s.csv").read_text()


def test_a_table_is_a_split_and_two_can_be_compared(small_archive, tmp_path, capsys):
    table = tmp_path / "s.csv"
    command = ["split", "tiny", *CHANGES, "--data", str(small_archive)]
    assert run([*command, "data.split.kind=region", "data.split.seed=1", "--out", str(table)]) == 0
    own = ["data.split.kind=table", f"data.split.table={table}"]
    assert run([*command, *own, "--compare", str(table)]) == 0
    assert "No difference" in capsys.readouterr().out
    assert run([*command, "data.split.kind=region", "data.split.seed=2", "--compare", str(table)]) == 2
    assert "windows are in another part of the split in" in capsys.readouterr().err
    prepared = prepare(load_recipe("tiny", [*CHANGES, *own]), Archive.open(small_archive))
    record = json.loads(json.dumps(prepared.data_record))
    assert len(record["split"]["sha256"]) == 64
    assert prepared.model.split.divide(prepared.data.windows)["train"] == prepared.data.sides["train"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["data.split.kind=table", "data.split.table=absent.csv"], "absent.csv, cannot be read"),
        (["--compare", "absent.csv"], "absent.csv cannot be read as a table"),
    ],
)
def test_mistakes_are_one_line(small_archive, capsys, options, complaint):
    assert run(["split", "tiny", *CHANGES, "--data", str(small_archive), *options]) != 0
    assert complaint in capsys.readouterr().err.splitlines()[-1]
