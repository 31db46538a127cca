"""The code of docs/python.md runs, from top to bottom."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


@pytest.mark.slow
def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    blocks = re.findall(r"```python(?: file=(\S+))?\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    assert len(blocks) >= 10
    names: dict[str, object] = {"__name__": "page"}
    for file, code in blocks:
        if file:
            Path(file).write_text(code, encoding="utf-8")
        else:
            exec(compile(code, str(PAGE), "exec"), names)
    assert Path(names["page"]).is_file()
    assert names["ensembles"].dims == ("sample", "member", "lead_time", "channel", "y", "x")
    assert names["intervals"].sizes["bound"] == 2
