"""The folder of a training run: recipe, record of the data, log, and atomic checkpoints.

    RUN/recipe.yaml                 the recipe, as resolved
    RUN/data.json                   archive, numbers of windows, rejections, hash of the split
    RUN/log.jsonl                   one line per logged step, validation, checkpoint and beginning of a session
    RUN/checkpoints/00000500/model  config.json and weights.safetensors (averaged): a model folder
    RUN/checkpoints/00000500/state.safetensors     what is needed to resume from there
    RUN/checkpoints/00000500/manifest.json         sizes and checksums of these files

A checkpoint is written under a hidden name and renamed when all of it is on the disk. It is used only if every file has
the checksum of its manifest; otherwise it is set aside as ``checkpoints/damaged-00000500``.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from framecast.core.configuration import from_plain, to_plain
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import RUN, clear, flush_folder, held, refuse_existing, write_atomically
from framecast.core.manifest import check_seal, seal
from framecast.core.reading import parse_json, parse_yaml, read_bytes, read_json, read_text
from framecast.core.stored import DocumentFormat, NewerVersionError, typed
from framecast.training.recipe import Recipe

FORMAT = DocumentFormat("framecast-checkpoint", 1, "checkpoint")

_STATE = "state.safetensors"

_MOST_RECORDS = 10**6

_LOST_DATA = (
    "what the run was trained on is unknown: restore the file, choose another --out, or pass --overwrite to start over"
)

_WITHOUT_EFFECT = (
    "name",
    "watch.",
    "training.keep",
    "training.checkpoint_every",
    "training.workers",
    "training.cache_gib",
)
"""Settings, or prefixes of their names, that do not affect the weights: a run may resume with different ones."""


@dataclass(frozen=True, kw_only=True)
class CheckpointRecord:
    """Record beside the state: the lowest validation loss, its step, and the duration of the run in seconds."""

    best_loss: float | None
    best_step: int | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Event:
    """Fields of the lines of the log."""

    event: str = ""
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class _Step(_Event):
    step: int = field()
    loss: float | None = None
    seconds: float | None = None
    waited: float | None = None
    elapsed: float = 0.0
    skipped: bool = False
    spike: bool = False


@dataclass(frozen=True, kw_only=True)
class _Validation(_Event):
    step: int = field()
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class _SessionBegan(_Event):
    step: int = field()
    began: str
    processes: int
    device: str
    framecast: str
    python: str
    versions: dict[str, str] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    commit: str | None = None
    framecast_commit: str | None = None


_EVENTS = {"step": _Step, "validation": _Validation, "session": _SessionBegan}


class Run:
    """A run's folder.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._holding = ExitStack()

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def checkpoints(self) -> list[Path]:
        """The complete checkpoints, oldest first."""
        found = [path for path in self.path.glob("checkpoints/[0-9]*") if path.name.isdecimal() and path.is_dir()]
        return sorted(found, key=lambda path: int(path.name))

    @property
    def step(self) -> int:
        """Steps made up to the newest checkpoint; 0 without one."""
        return int(self.checkpoints[-1].name) if self.checkpoints else 0

    def settings(self) -> dict[str, Any]:
        """Return the recipe in the folder as plain data; empty without one that can be read."""
        try:
            plain = parse_yaml(read_text(self.path / "recipe.yaml"), "recipe.yaml")
        except (OSError, DataError, ConfigError):
            return {}
        return plain if isinstance(plain, dict) else {}

    def archive(self) -> str | None:
        """Return the path of the archive that it was trained on, as far as that is known."""
        found = _read_record(self.path / "data.json").get("archive")
        return str(found) if found else None

    def begin(self, recipe: str, data: Mapping[str, Any], *, overwrite: bool, longer: bool = False) -> None:
        """Make the folder, or resume the run in it if ``recipe`` (resolved, as YAML) and ``data`` are the same.

        With ``longer`` it may be the run of a recipe with fewer steps, with ``overwrite`` any other, which is replaced.

        Raises:
            ConfigError: the folder holds a run of another recipe or other data.
            FramecastError: the folder holds something else.
        """
        record = json.dumps(data, indent=2) + "\n"
        recipe_path, data_path = self.path / "recipe.yaml", self.path / "data.json"
        empty = data_path.is_file() and not any(self.path.glob("checkpoints/*"))  # nothing to overwrite
        if recipe_path.is_file() and empty and _differences(recipe_path, recipe):
            (self.path / "log.jsonl").unlink(missing_ok=True)
        elif recipe_path.is_file() and not overwrite:
            different = _differences(recipe_path, recipe)
            if longer and different == ["training.steps"]:
                if (steps := parse_yaml(recipe, "recipe.yaml")["training"]["steps"]) < self.step:
                    raise ConfigError(f"{self.path} has made {self.step} steps: training.steps={steps} must be more")
                different = []
            if different:
                raise ConfigError(self._other(f"a different recipe ({', '.join(different[:4])})", recipe_path))
            if data_path.is_file() and (changed := _changed(_read_record(data_path), data)):
                raise ConfigError(self._other(changed, data_path))
        elif self.path.exists():
            refuse_existing(self.path, overwrite=overwrite or not any(self.path.glob("*")), kind=RUN)
            clear(self.path, last="recipe.yaml")  # until then it is a run's
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(recipe_path, recipe)
        write_atomically(data_path, record)

    def hold(self) -> None:
        """Keep other processes from training in the folder, made if it is missing, until `release` or the end.

        Nothing is held where the system or the file system has no such locks.

        Raises:
            FramecastError: another process holds it, or it is a file or cannot be made.
        """
        self.release()
        if not self.path.is_dir():
            refuse_existing(self.path, overwrite=False)
            self.path.mkdir(parents=True, exist_ok=True)
        holding = ExitStack()
        holding.enter_context(held(self.path, doing=f"training in {self.path}"))
        self._holding = holding

    def discard(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Delete the folder of a run that ended with an error before its first step (the exit of a context)."""
        if kind is not None and issubclass(kind, Exception) and not self.checkpoints:
            shutil.rmtree(self.path, ignore_errors=True)

    def release(self) -> None:
        """Release the lock of the folder."""
        self._holding.close()

    def _other(self, what: str, path: Path) -> str:
        return (
            f"{self.path} contains a run of {what} (compare {path.name}): choose another --out, or pass "
            "--overwrite to start over"
        )

    def newest(self) -> tuple[Path | None, list[str]]:
        """Return the newest checkpoint that is undamaged, and what was wrong with those newer than it.

        The damaged ones are set aside, so that the run can write these steps again.

        Raises:
            DataError: there are checkpoints, and none of them is undamaged or one was written by a newer framecast.
        """
        findings: list[str] = []
        for path in reversed(self.checkpoints):
            try:
                check_seal(path, FORMAT)
            except NewerVersionError:
                raise
            except DataError as error:
                findings.append(f"checkpoint {path.name} is damaged and was set aside: {error}")
                aside = path.with_name(f"damaged-{path.name}")
                shutil.rmtree(aside, ignore_errors=True)
                path.rename(aside)
            else:
                return path, findings
        if findings:
            raise DataError(f"no checkpoint in {self.path} is undamaged: pass --overwrite to start over")
        return None, findings

    def load(self, checkpoint: Path) -> tuple[dict[str, Tensor], CheckpointRecord]:
        """Return the state in a checkpoint that `newest` named, and the record kept with it.

        Raises:
            DataError: the state cannot be read.
        """
        record = typed(CheckpointRecord, check_seal(checkpoint, FORMAT), where=str(checkpoint))
        try:
            return load_file(checkpoint / _STATE), record
        except (SafetensorError, OSError) as error:
            raise DataError(f"{checkpoint / _STATE} cannot be read ({error})") from None

    def save(
        self,
        step: int,
        write_model: Callable[[Path], None],
        state: Mapping[str, Tensor],
        record: Mapping[str, Any],
    ) -> Path:
        """Write the checkpoint of ``step``: the model, the state to resume from, a JSON record; return its folder."""
        folder = self.path / "checkpoints" / f"{step:08d}"
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            write_model(partial / "model")
            save_file(dict(state), partial / _STATE)
            seal(partial, FORMAT, record)
            _discard(folder)
            partial.rename(folder)
            flush_folder(folder.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return folder

    def prune(self, *, keep: int, best: int | None, extra: int | None = None) -> None:
        """Delete all checkpoints but the ``keep`` newest and that of ``best``; ``extra`` stays only as the last."""
        for path in self.checkpoints[:-1]:
            if int(path.name) == extra:
                _discard(path)
        for path in self.checkpoints[:-keep]:
            if int(path.name) != best:
                _discard(path)
        for path in self.path.glob("checkpoints/.*"):  # what a kill in the middle of writing or deleting left
            shutil.rmtree(path, ignore_errors=True)

    def log(self, **record: Any) -> None:
        """Append one line to the log."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")

    def records(self) -> list[dict[str, Any]]:
        """Return the lines of the log; a last line cut short by a power failure is left out.

        Raises:
            DataError: a line is damaged; the message names it.
        """
        path = self.path / "log.jsonl"
        text = read_bytes(path).decode("utf-8", "replace") if path.is_file() else ""
        if text.count("\n") > _MOST_RECORDS:
            raise DataError(f"{path} has more than {_MOST_RECORDS} lines: keep the newest, and rerun the command")
        records = []
        for number, line in enumerate(text[: text.rfind("\n") + 1].splitlines(), 1):
            where = f"{path}, line {number}"
            try:
                record = parse_json(line, where=where)
                event = str(record.get("event")) if isinstance(record, dict) else ""
                known: _Event = typed(_EVENTS.get(event, _Event), record, where=where)
            except DataError as error:
                raise DataError(f"{error}: delete that line") from None
            records.append(record | {name: getattr(known, name) for name in record if hasattr(known, name)})
        return records

    def rewind(self, step: int) -> None:
        """Remove log and averages of steps after ``step``, which will be repeated."""
        for path in self.path.glob("averages/*.safetensors*"):
            if not (number := path.name.lstrip(".").partition(".")[0]).isdecimal() or int(number) > step:
                path.unlink()
        kept = [record for record in self.records() if record.get("step", 0) <= step]
        write_atomically(self.path / "log.jsonl", "".join(json.dumps(record) + "\n" for record in kept))


def _discard(folder: Path) -> None:
    """Delete a checkpoint so that a kill in the middle leaves nothing that looks like one."""
    if folder.exists():
        hidden = folder.with_name(f".{folder.name}.discarded")
        shutil.rmtree(hidden, ignore_errors=True)
        folder.rename(hidden)
        shutil.rmtree(hidden)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return how the data differ, if they do; the path of the archive does not matter. Old runs have no fingerprint."""
    apart = ("archive", "fingerprint")
    if {k: v for k, v in before.items() if k not in apart} != {k: v for k, v in now.items() if k not in apart}:
        return "other data"
    same = before.get("fingerprint") in (None, now.get("fingerprint"))
    return "" if same else "an archive with the same windows and different content"


def _read_record(path: Path) -> dict[str, Any]:
    """Return the record of a run's data, or raise `DataError` where it is damaged."""
    try:
        plain = read_json(path)
    except DataError as error:
        raise DataError(f"{error}; {_LOST_DATA}") from None
    if not isinstance(plain, dict):
        raise DataError(f"{path} contains {type(plain).__name__}, not an object; {_LOST_DATA}")
    return plain


def _differences(path: Path, recipe: str) -> list[str]:
    """Return the dotted names of the settings that differ from the recipe at ``path`` and matter for the weights."""
    try:
        text = path.read_text(encoding="utf-8")
        first, second = (dict(_flat(_completed(parse_yaml(own, str(path))))) for own in (text, recipe))
    except (ConfigError, UnicodeDecodeError):
        return ["one of them is not valid YAML"]
    names = (name for name in sorted({*first, *second}) if first.get(name) != second.get(name))
    return [name for name in names if not name.startswith(_WITHOUT_EFFECT)]


def _completed(plain: Any) -> Any:
    """Return a recipe with the defaults of settings that did not exist when it was written."""
    try:
        return to_plain(from_plain(Recipe, plain, where="recipe", trusted=True))
    except (ConfigError, ImportError):
        return plain


def _flat(plain: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and single values of nested sections."""
    if isinstance(plain, dict):
        for key, value in plain.items():
            yield from _flat(value, f"{name}.{key}".lstrip("."))
    else:
        yield name, plain
