from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.http.client_address import ClientAddresses, ForwardedHeader, address_key
from tests.samples import samples

if TYPE_CHECKING:
    from aiohttp import web

TRUSTED = [ip_network(text) for text in ("10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1/32")]
XFF, FORWARDED = "X-Forwarded-For", "Forwarded"


def request_from(
    peer: str | None, *headers: tuple[str, str], family: socket.AddressFamily = socket.AF_INET
) -> web.Request:
    transport = mock.Mock()
    peername: Any = (peer, 4711) if peer else peer
    known = {"peername": peername, "socket": mock.Mock(family=family)}
    transport.get_extra_info.side_effect = known.get
    return make_mocked_request("GET", "/", CIMultiDict(headers), transport=transport)


def client(peer: str | None, *headers: tuple[str, str], header: ForwardedHeader = "x-forwarded-for") -> str:
    return str(ClientAddresses(TRUSTED, header).of(request_from(peer, *headers)))


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_a_peer_that_is_no_proxy_is_the_client_whatever_it_says(header: ForwardedHeader) -> None:
    headers = ((XFF, "1.1.1.1"), (FORWARDED, "for=1.1.1.1"))
    assert client("203.0.113.9", *headers, header=header) == "203.0.113.9"


def test_without_trusted_proxies_nothing_is_believed() -> None:
    assert str(ClientAddresses().of(request_from("10.0.0.1", (XFF, "1.1.1.1")))) == "10.0.0.1"


X_FORWARDED_FOR: dict[str, tuple[list[str], str]] = {
    "one proxy": (["198.51.100.7"], "198.51.100.7"),
    "the client's own entries stay unread": (["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
    "a client that names a trusted proxy gains nothing": (["10.9.9.9, 198.51.100.7"], "198.51.100.7"),
    "a chain of trusted proxies": (["6.6.6.6, 198.51.100.7, 10.0.0.2,10.0.0.3"], "198.51.100.7"),
    "only trusted ones": (["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
    "lines are one list": (["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
    "lines are one list across a proxy": (["6.6.6.6, 198.51.100.7", "10.0.0.2"], "198.51.100.7"),
    "with a port": (["198.51.100.7:1234"], "198.51.100.7"),
    "IPv6": (["2001:db8::7"], "2001:db8::7"),
    "IPv6 in brackets": (["[2001:db8::7]"], "2001:db8::7"),
    "IPv6 in brackets with a port": (["[2001:db8::7]:1234"], "2001:db8::7"),
    "IPv6 upper case and long": (["2001:DB8:0:0:0:0:0:7"], "2001:db8::7"),
    "a trusted IPv6 proxy": (["198.51.100.7, 2001:db8:ffff::1"], "198.51.100.7"),
    "IPv4 inside IPv6": (["::ffff:198.51.100.7"], "198.51.100.7"),
    "a trusted proxy inside IPv6": (["198.51.100.7, ::ffff:10.0.0.2"], "198.51.100.7"),
    "spaces and tabs": (["6.6.6.6 ,\t 198.51.100.7\t"], "198.51.100.7"),
    "garbage at the right": (["198.51.100.7, rubbish"], "10.0.0.1"),
    "garbage behind a proxy": (["6.6.6.6, rubbish, 10.0.0.2"], "10.0.0.2"),
    "an empty entry ends the reading": (["6.6.6.6, , 10.0.0.2"], "10.0.0.2"),
    "an empty field": ([""], "10.0.0.1"),
    "a comma alone": ([","], "10.0.0.1"),
    "unknown": (["6.6.6.6, unknown"], "10.0.0.1"),
    "a Unix socket": (["6.6.6.6, unix:"], "10.0.0.1"),
    "a host name": (["localhost"], "10.0.0.1"),
    "a zone": (["fe80::1%eth0"], "10.0.0.1"),
    "leading zeros": (["198.051.100.007"], "10.0.0.1"),
    "a network": (["198.51.100.0/24"], "10.0.0.1"),
    "IPv4 in brackets": (["[198.51.100.7]"], "10.0.0.1"),
    "open bracket": (["[2001:db8::7"], "10.0.0.1"),
    "a number": (["3325256711"], "10.0.0.1"),
    "a quoted entry": (['"198.51.100.7"'], "10.0.0.1"),
    "a port of letters": (["198.51.100.7:http"], "10.0.0.1"),
    "letters beyond ASCII": (["198.51.100.7é"], "10.0.0.1"),
}


@pytest.mark.parametrize("case", X_FORWARDED_FOR)
def test_x_forwarded_for_is_read_from_right_to_left(case: str) -> None:
    lines, found = X_FORWARDED_FOR[case]
    assert client("10.0.0.1", *((XFF, line) for line in lines)) == found


RFC_7239: dict[str, tuple[list[str], str]] = {
    "one proxy": (["for=198.51.100.7"], "198.51.100.7"),
    "all parameters": (["for=198.51.100.7;proto=https;by=10.0.0.1;host=a.example"], "198.51.100.7"),
    "any order and case": (["Proto=http;FOR=198.51.100.7"], "198.51.100.7"),
    "the client's own elements stay unread": (["for=6.6.6.6, for=198.51.100.7"], "198.51.100.7"),
    "a chain of trusted proxies": (["for=6.6.6.6,for=198.51.100.7,for=10.0.0.2"], "198.51.100.7"),
    "lines are one list": (["for=6.6.6.6", "for=198.51.100.7"], "198.51.100.7"),
    "quoted IPv6": (['for="[2001:db8::7]"'], "2001:db8::7"),
    "quoted IPv6 with a port": (['for="[2001:db8::7]:4711"'], "2001:db8::7"),
    "quoted IPv4 with a port": (['for="198.51.100.7:4711"'], "198.51.100.7"),
    "an obfuscated port": (['for="198.51.100.7:_p1"'], "198.51.100.7"),
    "an escaped character": ([r'for="198.51.100.\7"'], "198.51.100.7"),
    "a quoted comma on the right": (['for=198.51.100.7;host="a,for=6.6.6.6"'], "198.51.100.7"),
    "an escaped quote on the right": ([r'for=198.51.100.7;host="\",for=6.6.6.6;x=\""'], "198.51.100.7"),
    "many quoted commas": ([f'for=198.51.100.7;host="{"," * 14}"'], "198.51.100.7"),
    "too many quoted commas": ([f'for=198.51.100.7;host="{"," * 17}"'], "10.0.0.1"),
    "an open quote of the client swallows nothing": (['for="6.6.6.6, for=198.51.100.7'], "198.51.100.7"),
    "an open quote in a line before": (['for="6.6.6.6', 'for="[2001:db8::7]"'], "2001:db8::7"),
    "an open quote behind a proxy": (['for="x, for=198.51.100.7, for=10.0.0.2'], "198.51.100.7"),
    "an obfuscated client": (["for=6.6.6.6, for=_hidden"], "10.0.0.1"),
    "an obfuscated client behind a proxy": (["for=6.6.6.6, for=_SEVKISEK, for=10.0.0.2"], "10.0.0.2"),
    "unknown": (["for=6.6.6.6, for=unknown"], "10.0.0.1"),
    "no for": (["for=6.6.6.6, proto=https"], "10.0.0.1"),
    "for twice": (["for=6.6.6.6;for=198.51.100.7"], "10.0.0.1"),
    "for inside another value": (['by="for=6.6.6.6";proto=https'], "10.0.0.1"),
    "IPv6 without quotes": (["for=[2001:db8::7]"], "10.0.0.1"),
    "garbage at the right": (["for=198.51.100.7, ;;;"], "10.0.0.1"),
    "empty": ([""], "10.0.0.1"),
    "no pair": (["198.51.100.7"], "10.0.0.1"),
    "a quote alone": (['"'], "10.0.0.1"),
}


@pytest.mark.parametrize("case", RFC_7239)
def test_rfc_7239_is_read_from_right_to_left(case: str) -> None:
    lines, found = RFC_7239[case]
    assert client("10.0.0.1", *((FORWARDED, line) for line in lines), header="forwarded") == found


def test_only_the_chosen_header_is_read_even_when_it_is_missing() -> None:
    both = ((XFF, "198.51.100.7"), (FORWARDED, "for=203.0.113.5"))
    assert client("10.0.0.1", *both) == "198.51.100.7"
    assert client("10.0.0.1", *both, header="forwarded") == "203.0.113.5"
    assert client("10.0.0.1", (FORWARDED, "for=6.6.6.6")) == "10.0.0.1"
    assert client("10.0.0.1", (XFF, "6.6.6.6"), header="forwarded") == "10.0.0.1"


@pytest.mark.parametrize("peer", ["", None])
def test_a_unix_socket_peer_is_a_trusted_proxy_on_this_machine(peer: str | None) -> None:
    forwarded = request_from(peer, (XFF, "198.51.100.7"), family=socket.AF_UNIX)
    assert str(ClientAddresses(TRUSTED).of(forwarded)) == "198.51.100.7"
    assert str(ClientAddresses(TRUSTED).of(request_from(peer, family=socket.AF_UNIX))) == "127.0.0.1"


@pytest.mark.parametrize("peer", ["", None])
def test_a_peer_whose_address_cannot_be_had_is_believed_nothing(peer: str | None) -> None:
    assert client(peer, (XFF, "198.51.100.7")) == "127.0.0.1"


def test_a_peer_that_is_ipv4_inside_ipv6_is_its_ipv4_address() -> None:
    assert client("::ffff:10.0.0.1", (XFF, "198.51.100.7")) == "198.51.100.7"
    assert client("::ffff:203.0.113.9", (XFF, "198.51.100.7")) == "203.0.113.9"


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_a_chain_longer_than_any_real_one_is_cut_off(header: ForwardedHeader) -> None:
    entries = ["6.6.6.6", *(f"10.0.1.{number}" for number in range(60))]
    line = ",".join(entries if header == "x-forwarded-for" else [f"for={entry}" for entry in entries])
    assert client("10.0.0.1", (header, line), header=header) == "10.0.1.28"


@settings(max_examples=samples(40), deadline=None)
@given(st.text(max_size=60), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_what_a_client_writes_never_changes_what_its_proxy_appended(text: str, header: ForwardedHeader) -> None:
    appended = "198.51.100.7" if header == "x-forwarded-for" else 'for="198.51.100.7:80"'
    assert client("10.0.0.1", (header, f"{text},{appended}"), header=header) == "198.51.100.7"
    assert client("10.0.0.1", (header, text), (header, appended), header=header) == "198.51.100.7"


@settings(max_examples=samples(40), deadline=None)
@given(st.text(max_size=60), st.sampled_from(["x-forwarded-for", "forwarded"]))
def test_no_header_text_is_an_error(text: str, header: ForwardedHeader) -> None:
    assert str(ip_address(client("10.0.0.1", (header, text), header=header)))


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
    ],
)
def test_a_source_is_an_ipv4_address_or_the_subscribers_ipv6_network(address: str, key: str) -> None:
    assert address_key(ip_address(address)) == key
