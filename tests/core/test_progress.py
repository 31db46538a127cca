"""Progress where there is no terminal, in a notebook, and told to a function."""

import sys
import types

from framecast.core import progress


def test_away_from_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.track("regions", 100) as task:
        for _ in range(100):
            now[0] += 1.0
            task.advance(note="loss 0.5")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "regions: 3/100  loss 0.5  1 min 37 s left"  # soon, so that one sees that it goes on
    assert lines[1].startswith("regions: 18/100")
    assert lines[-1] == "regions: 100/100  loss 0.5"
    assert len(lines) == 1 + (100 - 3) // 15 + 1


def test_a_total_may_become_known_later(capsys):
    with progress.track("files") as task:
        task.reach(3, 7)
    assert capsys.readouterr().err == "files: 3/7\n"


def test_what_is_half_done_is_counted_when_it_is_done_and_tells_the_time_that_is_left(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.track("windows", 2) as task:
        now[0] += 5.0
        task.reach(0.5)
        task.reach(2)
    assert capsys.readouterr().err.splitlines() == ["windows: 0/2  0 min 15 s left", "windows: 2/2"]


def test_what_was_said_last_is_not_said_again_at_the_end(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.track("windows", 2) as task:
        for _ in range(2):
            now[0] += 20.0
            task.advance()
    assert capsys.readouterr().err.splitlines() == ["windows: 1/2  0 min 20 s left", "windows: 2/2"]


def test_a_function_is_told_what_is_done_and_the_total(capsys):
    told = []
    with progress.track("windows", 3, lambda done, total: told.append((done, total))) as task:
        task.advance()
        task.reach(3)
        task.tell("a remark")
    assert told == [(1, 3), (3, 3)]
    assert capsys.readouterr().err == ""


def test_without_progress_nothing_is_printed(capsys):
    with progress.track("windows", 3, False) as task:
        task.reach(3)
        task.tell("a remark")
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook_one_line_changes(monkeypatch):
    shown = []
    handle = types.SimpleNamespace(update=lambda data, raw: shown.append(data["text/plain"]))
    display = types.ModuleType("IPython.display")
    display.display = lambda data, raw, display_id: shown.append(data["text/plain"]) or handle
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0.0)
    with progress.track("windows", 2) as task:
        task.advance(note="loss 1")
        task.advance()
    assert shown == ["windows …", "windows: 1/2  loss 1", "windows: 2/2  loss 1"]
