import pytest

from framecast.core.errors import ConfigError, DataError, FramecastError


def test_what_a_caller_catches():
    """All mistakes of a user by one clause, also by the one for values; of options and of data by their own."""
    for kind, others in ((ConfigError, DataError), (DataError, ConfigError)):
        assert issubclass(kind, FramecastError)
        assert issubclass(kind, ValueError)
        assert not issubclass(kind, others)


def test_all_that_is_wrong_with_a_configuration_is_told_on_one_line():
    with pytest.raises(ConfigError) as caught:
        raise ConfigError("steps is 0; it must be positive", "batch is -1; it must be positive")
    assert str(caught.value) == "steps is 0; it must be positive; batch is -1; it must be positive"
    assert len(caught.value.findings) == 2
