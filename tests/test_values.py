"""What is read or written for every event by the fast way is what the plain way gives."""

import ipaddress
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st
from ultravires.reading.addresses import is_address
from ultravires.reading.values import LAST_MICROS, iso

WRITTEN = st.one_of(
    st.text(),
    st.text("0123456789abcdef.:%/ ", max_size=24),
    st.builds(str, st.ip_addresses()),
    st.builds("{}%{}".format, st.ip_addresses(), st.text("eth0%/.:", max_size=5)),
)


@given(WRITTEN)
@example("01.2.3.4")
@example("::ffff:192.0.2.7")
@example("fe80::1%eth0")
@example("1.2.3.4\x00")
@example("\ud800")
def test_an_address_is_what_the_standard_library_takes_for_one(value: str) -> None:
    """Also where it is nearly one."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        assert not is_address(value)
    else:
        assert is_address(value)


@given(st.integers(0, LAST_MICROS))
@example(LAST_MICROS)
@example(999_999)
def test_a_time_is_written_with_all_its_microseconds(moment: int) -> None:
    """In UTC, with a Z."""
    plain = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)
    assert iso(moment) == plain.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
