"""The notebook runs from top to bottom, and what is kept of it is what its source says."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

jupytext = pytest.importorskip("jupytext", reason="the notebook needs pip install 'framecast[notebook]'")
pytest.importorskip("sunpy", reason="the Sun needs pip install 'framecast[solar]'")

EXAMPLES = Path(__file__).parents[2] / "examples"
SOURCE = EXAMPLES / "solar_prediction.py"


def cells(notebook: Any) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_the_notebook_is_its_source() -> None:
    assert cells(jupytext.read(SOURCE.with_suffix(".ipynb"))) == cells(jupytext.read(SOURCE)), (
        "run: python examples/execute.py examples/solar_prediction.py"
    )


@pytest.mark.slow
def test_the_notebook_runs_without_a_network(
    real_data: Path, serve_archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = importlib.util.spec_from_file_location("execute", EXAMPLES / "execute.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setenv("FRAMECAST_MODEL", "sun-171")
    with serve_archive(real_data / "aia171-fulldisk-2017") as server:
        monkeypatch.setenv("FRAMECAST_JSOC_URL", server.url)
        module.execute(SOURCE, tmp_path / "run.ipynb")
    told = "".join(
        output["text"]
        for cell in jupytext.read(tmp_path / "run.ipynb").cells
        for output in cell.get("outputs", ())
        if output.output_type == "stream"
    )
    assert "12 requested, 12 downloaded, 0 missing" in told
    (fluence,) = [line for line in told.splitlines() if line.startswith("fluence")]
    median, low, _, high, observed = (part for part in fluence.removeprefix("fluence (DN/s h)").split())
    assert float(low) < float(median) < float(high)
    assert float(observed) == pytest.approx(float(median), rel=0.2)
