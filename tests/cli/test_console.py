"""Results, remarks and tables."""

from framecast.cli import console


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
