"""Labels: for each frame the class of what happens within some hours after it, such as the strength of a storm.

They are facts about the future, from a list of events. A network with labels as an input learns what each class looks
like; a forecast is made for a given class, or with the class left open. `docs/data-format.md` says how they are stored.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import zarr

from framecast.core.errors import DataError
from framecast.core.files import held
from framecast.core.fingerprint import digest
from framecast.data.archive.format import CLASSES, UNKNOWN, check_classes, check_labels, consolidate
from framecast.data.archive.guard import open_store
from framecast.data.archive.identity import LABELS
from framecast.data.archive.reader import Archive

LABEL = "label"


def write_labels(
    path: str | Path, labels: Mapping[str, npt.NDArray[np.integer]], classes: Sequence[str], *, meaning: str
) -> None:
    """Give the frames of the archive at ``path`` their labels, in place of any they have.

    All labels are there when this returns. While it works, and if it is interrupted, the archive has none.

    Args:
        path: the archive.
        labels: for each sequence ``[time]``: an index into ``classes``, or `UNKNOWN`; frames of sequences that are not
            named are `UNKNOWN`.
        classes: names of the classes, in order.
        meaning: what a label means, in a few words; stored with it.

    Raises:
        DataError: the archive has no such sequence, or labels do not fit its frames or the classes.
        ConfigError: the classes are not names, each once.
        FramecastError: another process is labelling the archive.
    """
    archive = Archive.open(path)
    check_classes(classes)
    for name, values in labels.items():
        check_labels(f"{path}/{name}", np.asarray(values), len(archive.times(name)), classes)
    try:
        with held(Path(path), doing=f"labelling {path}"):
            root = open_store(path, mode="r+", use_consolidated=False)
            for name in {CLASSES, LABELS} & set(root.attrs):
                del root.attrs[name]
            for name in archive.sequences:
                group = root.require_group(name)
                if LABEL in group:
                    del group[LABEL]
                if name in labels:
                    _store(group, np.asarray(labels[name], np.int8), classes, meaning)
            marked = digest(classes, {name: np.asarray(values).tolist() for name, values in labels.items()})
            root.attrs.update({CLASSES: list(classes), LABELS: marked})
            consolidate(Path(path), archive.sequences)
    except PermissionError as error:
        raise DataError(f"{path} cannot be changed ({error.strerror}): labels are written into the archive") from None


def _store(group: zarr.Group, values: npt.NDArray[np.int8], classes: Sequence[str], meaning: str) -> None:
    array = group.create_array(
        LABEL, shape=values.shape, chunks=values.shape, dtype="int8", dimension_names=("time",), fill_value=UNKNOWN
    )
    array[:] = values
    array.attrs.update(  # the last two are how CF names the meaning of numbers
        {
            "long_name": meaning,
            "flag_values": list(range(UNKNOWN, len(classes))),
            "flag_meanings": " ".join(["unknown", *(name.replace(" ", "_") for name in classes)]),
        }
    )


def count_labels(archive: Archive) -> dict[str, int]:
    """Return how many frames of ``archive`` have each class, and how many are ``unknown``."""
    every = np.concatenate([archive.labels(name) for name in archive.sequences])
    counts = {name: int((every == k).sum()) for k, name in enumerate(archive.classes)}
    return counts | {"unknown": int((every == UNKNOWN).sum())}
