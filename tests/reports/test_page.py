"""Where a forecast comes from is told in words, what matters most first."""

from types import SimpleNamespace

from framecast.reports.page import origins, title


def test_names_of_attributes_become_words() -> None:
    assert title("framecast_version") == "framecast version"
    assert title("split_seed") == "Split seed"
    assert title("steps") == "Network evaluations per member"


def test_what_matters_most_comes_first_and_nothing_known_is_left_out() -> None:
    attributes = {"zeta": 1, "command": "framecast …", "seed": 3, "cadence": 7200.0, "label": None, "model": "sun"}
    (origin,) = origins(SimpleNamespace(provenance={"sun": attributes}))
    assert origin.rows == [("Model", "sun"), ("Seed", "3"), ("Cadence", "2h"), ("Zeta", "1")]
