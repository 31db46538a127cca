"""How the core finds what is particular to a kind of data, and whose code it imports for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from framecast.core.domain import VARIABLE, Domain, built_in_domains, domains, find_domain
from framecast.core.errors import ConfigError


def found(unit: str, *channels: str, **attrs: object) -> str:
    return find_domain(attrs, unit=unit, channels=channels).name


def test_a_file_says_which_domain_it_is_of():
    assert found("mm/h", "rain", domain="solar") == "solar"
    assert found("DN/s", "171", domain="corona") == "corona"


def test_a_file_of_before_is_recognised_by_what_it_says():
    assert found("DN/s", "193", "211", "94") == "solar"
    assert found("DN/s", "AIA 171") == "solar"
    assert found("DN/s", "193", generator="framecast synthetic corona") == "corona"


@pytest.mark.parametrize(("unit", "channel"), [("mm/h", "rain"), ("K", "171"), ("dBZ", "reflectivity"), ("", "")])
def test_other_data_are_of_no_particular_kind(unit, channel):
    assert found(unit, channel) == ""


def test_a_domain_that_is_not_installed_has_a_name_and_nothing_else():
    assert find_domain({"domain": "radar"}, unit="mm/h", channels=["rain"]) == Domain(name="radar")
    assert find_domain({"domain": 7}, unit="mm/h", channels=["rain"]) == Domain()


def test_the_names_of_the_domains_differ():
    names = [domain.name for domain in built_in_domains()]
    assert len(set(names)) == len(names)
    assert all(names)


def test_knowing_the_domains_imports_nothing_heavy():
    code = (
        "import sys; from framecast.core.domain import domains; domains();"
        "print([m for m in ('torch', 'numpy', 'matplotlib', 'astropy', 'typer') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A package of someone else's, installed: it provides the domain ``ocean`` and two that are none."""
    (tmp_path / "their_ocean.py").write_text(
        "from pathlib import Path\n"
        "from framecast.core.domain import Domain\n"
        "Path(__file__).with_name('imported').touch()\n"
        "def buoys(path): raise NotImplementedError('buoys at sea')\n"
        "OCEAN = Domain(name='ocean', labels={'total': 'Volume'}, importers={'buoys': buoys},\n"
        "               recipes={'currents': Path(__file__).with_name('currents.yaml')})\n"
        "NONE = 'something else'\n"
    )
    (tmp_path / "currents.yaml").write_text(
        "name: currents\nnetwork: {kind: video-unet, width: 8}\ntraining: {steps: 2}\n"
    )
    metadata = tmp_path / "their_ocean-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-ocean\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[framecast.domains]\nocean = their_ocean:OCEAN\nnone = their_ocean:NONE\nlost = their_lost:LOST\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("their_ocean", None)


def test_a_domain_of_another_package_is_imported_only_if_the_user_names_it(package, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert find_domain({"domain": "ocean"}, unit="m", channels=["height"]).labels == {}
    assert not (package / "imported").exists()
    monkeypatch.setenv(VARIABLE, "ocean")
    assert find_domain({"domain": "ocean"}, unit="m", channels=["height"]).labels == {"total": "Volume"}
    assert domains()[: len(built_in_domains())] == built_in_domains()


def test_its_recipes_are_known_by_their_names(package, monkeypatch):
    from framecast.training.recipe import load_recipe

    monkeypatch.setenv(VARIABLE, "ocean")
    assert load_recipe("currents").network.width == 8
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ConfigError, match="currents"):
        load_recipe("currents")


@pytest.mark.parametrize(
    ("named", "says"), [("mars", "installed: lost, none, ocean"), ("none", "str"), ("lost", "their_lost")]
)
def test_a_domain_that_cannot_be_had_is_an_error(package, monkeypatch, named, says):
    monkeypatch.setenv(VARIABLE, named)
    with pytest.raises(ConfigError, match=says):
        domains()


def test_the_command_line_says_so_in_one_line(package, monkeypatch, capsys):
    from framecast.cli import run

    monkeypatch.setenv(VARIABLE, "mars")
    assert run(["info", "nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_its_importers_are_known_by_their_names(package, monkeypatch, tmp_path):
    from framecast.importers.importing import import_data

    monkeypatch.setenv(VARIABLE, "ocean")
    with pytest.raises(NotImplementedError, match="buoys at sea"):
        import_data(tmp_path / "currents.yaml", tmp_path / "out.zarr", importer="buoys")
