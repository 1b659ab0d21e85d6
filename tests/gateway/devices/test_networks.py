"""Networks as people type them."""

from __future__ import annotations

import pytest

from gateway.devices.networks import read_network
from gateway.http.field_faults import FieldFault


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_a_network_is_kept_as_addresses_are_compared_with_it(typed: str, meant: str) -> None:
    assert read_network(typed) == meant


@pytest.mark.parametrize("typed", ["10.0.3.7/8", "2001:db8::1/32", "::ffff:10.0.3.7/104"])
def test_bits_behind_the_prefix_are_refused_and_explained(typed: str) -> None:
    with pytest.raises(FieldFault, match="bits set behind its prefix"):
        read_network(typed)


@pytest.mark.parametrize(
    "typed", ["", "home", "[::1]", "10.0.0.1:80", "10.0.0.0/33", "10.0.0.0/8/8", "fe80::1%eth0", "fe80::%1/64"]
)
def test_what_is_no_network_is_refused(typed: str) -> None:
    with pytest.raises(FieldFault, match="must be an address or a network"):
        read_network(typed)
