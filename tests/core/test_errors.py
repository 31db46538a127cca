import pytest

from framecast.core.errors import ConfigError, DataError, FramecastError


@pytest.mark.parametrize("kind", [FramecastError, ConfigError, DataError])
def test_one_except_clause_catches_every_mistake_of_a_user(kind):
    with pytest.raises(FramecastError, match="what came"):
        raise kind("what came")


def test_a_caller_who_expects_a_value_error_gets_one():
    with pytest.raises(ValueError, match="what came"):
        raise DataError("what came")


def test_a_wrong_option_is_told_from_wrong_data():
    assert not issubclass(ConfigError, DataError)
    assert not issubclass(DataError, ConfigError)
