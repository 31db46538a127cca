"""Run a notebook of this folder and keep what it shows: `solar_prediction.py` becomes `solar_prediction.ipynb`.

    FRAMECAST_MODEL=sun-171 FRAMECAST_JSOC_URL=https://… python examples/execute.py examples/solar_prediction.py

What the notebook shows must not tell where it was run: an absolute path in an output is an error.
"""

import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

LIMIT = 500_000
_PATH = re.compile(r"(?<![\w:/.])/(?:home|root|tmp|Users|work|mnt|opt|var)/[\w./-]+")


def execute(source: Path, destination: Path) -> None:
    """Run the notebook ``source`` (percent format) in a fresh kernel and write it with its outputs.

    Raises:
        ValueError: an output holds a path of this machine, or the notebook is too large to be kept.
    """
    notebook = jupytext.read(source)
    NotebookClient(notebook, timeout=1800, startup_timeout=600, kernel_name="python3").execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it ran
        for output in cell.get("outputs", ()):
            if found := _PATH.search(str({k: v for k, v in output.items() if k != "metadata"})):
                raise ValueError(f"an output of {source.name} holds the path {found[0]}: print it another way")
    notebook.metadata["language_info"] = {"name": "python"}
    text = nbformat.writes(notebook)
    if len(text) > LIMIT:
        raise ValueError(f"{destination.name} takes {len(text)} bytes, over {LIMIT}: draw smaller figures")
    destination.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(Path(name), Path(name).with_suffix(".ipynb"))
