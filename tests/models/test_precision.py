"""The precision that ``auto`` comes to: what the device can do first, then a measurement that is made once."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from framecast.generators.kinds import OneShotOptions
from framecast.models import precision
from framecast.models.checkpoint import load, read_config
from framecast.models.config import attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.models.header import CONFIG, find_model
from framecast.models.precision import WORTHWHILE, asked, choose, forget_measurements, measurements

pytestmark = pytest.mark.portable

CPU = torch.device("cpu")


@pytest.fixture
def config(small_run):
    return read_config(find_model(small_run))


@pytest.fixture
def network(config):
    return build_network(config)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FRAMECAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def native(monkeypatch):
    """A device with bf16 instructions."""
    monkeypatch.setattr(precision, "lacks_bf16", lambda device: None)


@pytest.fixture
def ratios(monkeypatch, native):
    """What the next measurements give, the last one first."""
    values = []
    monkeypatch.setattr(precision, "_measure", lambda *_: values.pop())
    return values


def test_a_device_without_bf16_is_given_float32_and_nothing_is_measured(monkeypatch, config):
    monkeypatch.setattr(precision, "lacks_bf16", lambda device: "an abacus")
    choice = choose(lambda: pytest.fail("built"), CPU, config, job="forecast")
    assert (choice.precision, choice.reason) == ("float32", "an abacus")
    assert str(choice) == "precision float32: an abacus"
    assert measurements() == []


def test_the_faster_one_is_chosen_and_stays_chosen(ratios, config, network):
    for ratio, expected in ((2.0, "bf16"), (0.2, "float32"), (WORTHWHILE - 0.01, "float32")):
        ratios.append(ratio)
        for _ in range(2):  # measured, then remembered
            assert choose(lambda: network, CPU, config, job="forecast").precision == expected
        assert [kept["ratio"] for kept in measurements()] == [ratio]
        assert forget_measurements() == 1
    assert measurements() == []


def test_jobs_and_networks_are_measured_each_for_itself(ratios, config, network):
    ratios += [2.0, 0.5, 3.0]
    assert choose(lambda: network, CPU, config, job="forecast").precision == "bf16"
    assert choose(lambda: network, CPU, config, job="training").precision == "float32"
    wider = build_network(replace(config, network=replace(config.network, width=8)))
    assert choose(lambda: wider, CPU, config, job="forecast").precision == "bf16"
    assert len(measurements()) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ratio": "nan", "measured": "today"}', '{"ratio": -1}'])
def test_a_damaged_measurement_is_made_again(ratios, config, network, cache, text):
    ratios += [0.5, 2.0]
    choose(lambda: network, CPU, config, job="forecast")
    (file,) = cache.rglob("*.json")
    file.write_text(text)
    assert choose(lambda: network, CPU, config, job="forecast").precision == "float32"


def test_a_cache_that_cannot_be_written_is_said_and_stops_nobody(ratios, config, network, cache):
    cache.write_text("a file where the folder should be")
    ratios += [2.0, 2.0]
    choice = choose(lambda: network, CPU, config, job="forecast")
    assert choice.precision == "bf16"
    assert str(cache) in choice.reason
    assert measurements() == []


@pytest.mark.thorough
@pytest.mark.parametrize("job", ["forecast", "training"])
def test_a_network_that_is_given_fields_of_noise_is_measured(native, config, job):
    config = replace(config, generator=OneShotOptions(fields=3))
    assert choose(lambda: build_network(config), CPU, config, job=job).precision in ("bf16", "float32")


@pytest.mark.thorough
@pytest.mark.parametrize("job", ["forecast", "training"])
def test_measuring_leaves_the_network_as_it_is(native, config, network, job):
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    choose(lambda: network, CPU, config, job=job)
    (kept,) = measurements()
    assert kept["ratio"] > 0
    assert kept["job"] == job
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_is_asked_for_is_taken_and_slow_bf16_is_said(monkeypatch):
    monkeypatch.setattr(precision, "lacks_bf16", lambda device: "an abacus")
    assert asked("bf16", CPU).precision == "bf16"
    assert "slower" in asked("bf16", CPU).reason
    assert asked("float32", CPU).reason == "as asked"
    monkeypatch.setattr(precision, "lacks_bf16", lambda device: None)
    assert asked("bf16", CPU).reason == "as asked"


def test_a_forecast_says_the_precision_it_was_drawn_in(ratios, config):
    past = torch.ones(config.frames.past_shape)

    def drawn(**choices):
        forecaster = Forecaster(config, attach(config, build_network(config)))
        return forecaster.forecast(past, members=1, steps=2, **choices).attrs["precision"]

    assert drawn(precision="float32") == "float32"
    assert drawn(precision="bf16") == "bf16"
    ratios += [0.5, 2.0]
    assert [drawn(), drawn()] == ["bf16", "bf16"]
    forget_measurements()
    assert drawn(precision="auto") == "float32"


def test_bf16_in_the_file_of_a_model_is_read_as_auto(small_run, tmp_path):
    folder = shutil.copytree(find_model(small_run), tmp_path / "model")
    plain = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    for stored, read in (("bf16", "auto"), ("float32", "float32"), ("auto", "auto")):
        plain["sampling"]["precision"] = stored
        (folder / CONFIG).write_text(json.dumps(plain))
        assert load(folder).sampling.precision == read
