"""Progress away from a terminal, and tables."""

from framecast.cli import console


def test_away_from_a_terminal_progress_is_a_line_now_and_then(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with console.progress("regions", 100) as task:
        for _ in range(100):
            now[0] += 1.0
            task.advance(note="loss 0.5")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "regions: 3/100  loss 0.5  1 min 37 s left"  # soon, so that one sees that it goes on
    assert lines[1].startswith("regions: 18/100")
    assert lines[-1] == "regions: 100/100  loss 0.5"
    assert len(lines) == 1 + (100 - 3) // 15 + 1


def test_a_total_may_become_known_later(capsys):
    with console.progress("files") as task:
        task.reach(3, 7)
    assert capsys.readouterr().err == "files: 3/7\n"


def test_what_is_half_done_is_counted_when_it_is_done_and_tells_the_time_that_is_left(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with console.progress("windows", 2) as task:
        now[0] += 5.0
        task.reach(0.5)
        task.reach(2)
    assert capsys.readouterr().err.splitlines() == ["windows: 0/2  0 min 15 s left", "windows: 2/2"]


def test_what_was_said_last_is_not_said_again_at_the_end(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    with console.progress("windows", 2) as task:
        for _ in range(2):
            now[0] += 20.0
            task.advance()
    assert capsys.readouterr().err.splitlines() == ["windows: 1/2  0 min 20 s left", "windows: 2/2"]


def test_results_and_remarks_go_different_ways(capsys):
    console.say("out.zarr")
    console.note("took a while")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("out.zarr\n", "took a while\n")


def test_a_table_shows_values_as_they_are(capsys):
    console.print_table("archive x", [("attrs", "[bold]not markup[/bold]"), ("size", "64 × 64")])
    out = capsys.readouterr().out
    assert "[bold]not markup[/bold]" in out
    assert "64 × 64" in out
