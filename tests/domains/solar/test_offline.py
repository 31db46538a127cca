"""astropy is kept from the network while framecast asks it something, and only then."""

from astropy.utils import iers

from framecast.domains.solar.offline import offline


def test_settings_hold_within_the_block_and_are_the_users_afterwards() -> None:
    with iers.conf.set_temp("auto_download", True), iers.conf.set_temp("auto_max_age", 17.0):
        with offline():
            assert iers.conf.auto_download is False
            assert iers.conf.auto_max_age is None
        assert iers.conf.auto_download is True
        assert iers.conf.auto_max_age == 17.0


def test_positions_far_in_the_future_need_no_table() -> None:
    from sunpy.coordinates.sun import L0

    with offline():
        assert 0 <= L0("2031-05-01T00:00:00").deg <= 360
