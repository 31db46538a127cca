"""No path leads from a stranger's file or folder to code: each way that there was, with a payload that must not run.

Zarr's codecs are tried in `data/archive/test_guard.py`, HDF5's filters in `importers/test_netcdf.py`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framecast.core.environment import commit, describe_environment
from framecast.core.errors import DataError, FramecastError

POSIX = pytest.mark.skipif(os.name != "posix", reason="the payload is a shell script")


def framecast(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in ``folder`` as a user does: without the working folder on Python's path."""
    start = "import sys; from framecast.cli import main; sys.argv[0] = 'framecast'; main()"
    return subprocess.run(
        [sys.executable, "-P", "-c", start, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )


def payload(path: Path, trace: Path) -> Path:
    """Write a program that leaves a trace."""
    path.write_text(f"#!/bin/sh\ntouch '{trace}'\n")
    path.chmod(0o755)
    return path


@POSIX
def test_the_configuration_of_a_repository_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = tmp_path / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "objects").mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs/heads/main").write_text("0123456789" * 4 + "\n")
    program = payload(tmp_path / "program", tmp_path / "trace")
    (git / "config").write_text(f"[core]\n\tfsmonitor = {program}\n\tpager = {program}\n\tsshCommand = {program}\n")
    monkeypatch.chdir(tmp_path)
    assert describe_environment()["commit"] == "0123456789" * 4
    assert not (tmp_path / "trace").exists()


def test_the_commit_is_read_as_git_tells_it(tmp_path: Path) -> None:
    """Branches, packed branches, a commit without a branch, and a second working tree."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()

    def git(*arguments: str, where: Path = folder) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    (folder / "deep").mkdir()
    assert commit(folder / "deep") == git("rev-parse", "HEAD")
    git("pack-refs", "--all")
    assert commit(folder) == git("rev-parse", "HEAD")
    git("worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    git("commit", "-q", "--allow-empty", "-m", "second", where=tmp_path / "other")
    assert commit(tmp_path / "other") == git("rev-parse", "other") != commit(folder)
    git("checkout", "-q", "--detach")
    assert commit(folder) == git("rev-parse", "HEAD")


@pytest.mark.parametrize("head", ["ref: ../../secret", "ref: refs/heads/../../../secret", "x" * 10**5, "", "hello"])
def test_a_strange_repository_has_no_commit(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text(head)
    (tmp_path / "secret").write_text("a" * 40)
    assert commit(tmp_path) in (None, commit(tmp_path.parent))


def test_a_model_names_no_code(small_run: Path, tmp_path: Path) -> None:
    """A configuration can name networks, samplers and the rest only among those of the package."""
    from framecast.models.checkpoint import load
    from framecast.models.header import find_model

    (tmp_path / "stranger.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\nclass Network: ...\n")
    found = find_model(small_run)
    config = json.loads((found / "config.json").read_text())
    sys.path.insert(0, str(tmp_path))
    try:
        for section in ("network", "target", "generator", "split", "sampling"):
            for kind in ("stranger:Network", "stranger.Network", "stranger"):
                model = shutil.copytree(found, tmp_path / "model", dirs_exist_ok=True)
                changed = json.loads(json.dumps(config))
                changed[section] = {"kind": kind}
                (model / "config.json").write_text(json.dumps(changed))
                with pytest.raises(FramecastError):
                    load(model)
    finally:
        sys.path.remove(str(tmp_path))
    assert not (tmp_path / "trace").exists()


@POSIX
def test_a_picture_of_another_kind_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow runs Ghostscript to show PostScript, whatever the file is called."""
    from framecast.domains.solar.jp2 import SIGNATURE
    from framecast.domains.solar.png import parse_name, read_picture
    from framecast.domains.solar.reader import read_image

    (tmp_path / "bin").mkdir()
    payload(tmp_path / "bin/gs", tmp_path / "trace")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 20\n%%EndComments\nshowpage\n%%EOF\n"
    path = tmp_path / "7115_20170906_0800_171.png"
    path.write_bytes(script)
    picture = parse_name(path)
    assert picture is not None
    with pytest.raises(DataError, match="PNG"):
        read_picture(picture, (1.0,))
    (tmp_path / "a.jp2").write_bytes(SIGNATURE + script)
    with pytest.raises(DataError):
        read_image(tmp_path / "a.jp2")
    assert not (tmp_path / "trace").exists()


@pytest.mark.thorough
@POSIX
@pytest.mark.slow
def test_settings_of_matplotlib_in_the_working_folder_start_no_program(gaussian_forecast, tmp_path: Path) -> None:
    """With ``text.usetex`` matplotlib runs LaTeX for each text."""
    (tmp_path / "bin").mkdir()
    for name in ("latex", "kpsewhich", "dvipng"):
        payload(tmp_path / "bin" / name, tmp_path / "trace")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nbackend: module://stranger\n")
    gaussian_forecast(tmp_path / "forecast.zarr", samples=2, members=2)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = framecast(tmp_path, "evaluate", "forecast.zarr", "--out", "report", "--replicates", 100, PATH=path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "trace").exists()


@pytest.mark.thorough
def test_processes_that_are_started_import_nothing_from_the_working_folder(tmp_path: Path) -> None:
    """Python puts the working folder first on the path of a process that multiprocessing starts."""
    for name in ("multiprocessing", "numpy", "random"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w')\n")
    script = tmp_path / "elsewhere"
    script.mkdir()
    (script / "start.py").write_text(
        "import sys\n"
        "from framecast import cli\n"
        "from framecast.domains.solar.parallel import worker_pool\n"
        "def work():\n"
        "    with worker_pool(2) as workers:\n"
        "        print(list(workers(len, ['a', 'bc', 'def'])))\n"
        "if __name__ == '__main__':\n"
        "    cli.run = work\n"
        "    cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, script / "start.py"], cwd=tmp_path, capture_output=True, text=True, env=os.environ
    )
    assert "[1, 2, 3]" in done.stdout, done.stderr
    assert not (tmp_path / "trace").exists()


def test_local_workers_open_no_port(tmp_path: Path) -> None:
    """Whoever reaches a worker's port runs code as its owner."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("the system does not list its ports")
    import psutil

    from framecast.domains.solar.parallel import worker_pool

    def listening() -> set[object]:
        ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
        found = (c for process in ours for c in process.net_connections("inet"))
        return {c.laddr for c in found if c.status == psutil.CONN_LISTEN}

    before = listening()  # of other tests
    with worker_pool(2) as workers:
        results = workers(len, ["a", "bc", "def"])
        assert next(results) == 1
        assert len(psutil.Process().children(recursive=True)) >= 2
        assert listening() <= before
        assert list(results) == [2, 3]


def test_no_format_runs_code_when_it_is_read() -> None:
    """What unpickles, evaluates or imports what a file names is not in the package at all."""
    package = Path(__file__).parents[1] / "src/framecast"
    forbidden = (
        "import pickle",
        "pickle.load",
        "torch.load(",
        "allow_pickle",
        "yaml.load(",
        "yaml.unsafe",
        "shell=True",
    )
    forbidden += (" eval(", " exec(", "subprocess")
    for path in package.rglob("*.py"):
        found = [word for word in forbidden if word in path.read_text(encoding="utf-8")]
        assert not found, f"{path}: {found}"
