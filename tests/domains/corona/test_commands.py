import sys
from pathlib import Path

import pytest

from framecast.cli import run

pytestmark = pytest.mark.thorough


@pytest.mark.slow
def test_the_demo_goes_the_whole_way(tmp_path, monkeypatch, capsys):
    for name, value in {"REGIONS": 24, "FRAMES": 12, "WINDOWS": 2, "MEMBERS": 3}.items():
        monkeypatch.setattr(sys.modules["framecast.domains.corona.commands"], name, value)
    out = tmp_path / "demo"
    assert run(["demo", "--out", str(out)]) == 0
    page = Path(capsys.readouterr().out.split()[-1])
    assert page == out / "report" / "report.html"
    assert "corona-synth-one-shot" in page.read_text(encoding="utf-8")
