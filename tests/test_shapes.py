"""The shapes in annotations are enforced while the tests run, in every file that has some."""

import importlib
from pathlib import Path

import pytest
import torch

import framecast

SOURCE = Path(framecast.__file__).parent
SHAPED = sorted(path for path in SOURCE.rglob("*.py") if "from jaxtyping import" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SHAPED, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_file_with_shapes_is_checked(path):
    module = importlib.import_module(".".join(("framecast", *path.relative_to(SOURCE).with_suffix("").parts)))
    assert "jaxtyping" in type(module.__loader__).__module__


def test_a_wrong_shape_is_refused():
    from framecast.diffusion.schedule.base import broadcast

    broadcast(torch.ones(2, dtype=torch.float64), torch.ones(2, 3))
    with pytest.raises(Exception, match="coefficient"):
        broadcast(torch.ones(2, 2, 2, dtype=torch.float32), torch.ones(2, 3))
