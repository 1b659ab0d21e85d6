from __future__ import annotations

import pytest

from kiosk_client.errors import InsecureAddress, WrongUse
from kiosk_client.gateway_address import read_address


@pytest.mark.parametrize(
    ("text", "origin", "authority", "code"),
    [
        ("https://stamp.example", "https://stamp.example", "stamp.example", None),
        ("https://STAMP.example:443/", "https://stamp.example", "stamp.example", None),
        ("https://stamp.example:8443", "https://stamp.example:8443", "stamp.example:8443", None),
        ("https://stamp.example/kiosk#enrol=WDJB-MJHT", "https://stamp.example", "stamp.example", "WDJB-MJHT"),
        ("http://localhost:8080", "http://localhost:8080", "localhost:8080", None),
        ("http://127.0.0.1:80/", "http://127.0.0.1", "127.0.0.1", None),
        ("http://[::1]:8080", "http://[::1]:8080", "[::1]:8080", None),
        ("https://bäckerei.example", "https://xn--bckerei-5wa.example", "xn--bckerei-5wa.example", None),
    ],
)
def test_an_address_is_read(text: str, origin: str, authority: str, code: str | None) -> None:
    address, found = read_address(text, insecure_http=False)
    assert (address.origin, address.authority, found) == (origin, authority, code)
    assert str(address.url("/api/x?y=%41")) == origin + "/api/x?y=%41"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("https://localhost:8080", "http://localhost:8080"),
        ("https://stamp.example", "http://stamp.example:443"),
        ("https://[::1]", "http://[::1]:443"),
    ],
)
def test_the_same_port_by_plain_http(text: str, plain: str) -> None:
    address, _ = read_address(text, insecure_http=False)
    assert address.without_tls == plain
    assert read_address(plain, insecure_http=True)[0].authority == plain.removeprefix("http://")


@pytest.mark.parametrize(
    "text",
    [
        "stamp.example",
        "ftp://stamp.example",
        "https://",
        "https://user:password@stamp.example",
        "https://stamp.example/prefix",
        "https://stamp.example/?a=b",
        "https://stamp.example:port",
        "https://stamp!.example",
        "",
    ],
)
def test_what_is_no_address_of_a_gateway_is_wrong_use(text: str) -> None:
    with pytest.raises(WrongUse) as caught:
        read_address(text, insecure_http=True)
    assert "password" not in caught.value.message


@pytest.mark.parametrize("host", ["192.0.2.1:8080", "stamp.example", "[2001:db8::1]"])
def test_plain_http_to_another_machine_has_to_be_allowed(host: str) -> None:
    with pytest.raises(InsecureAddress, match="--insecure-http"):
        read_address(f"http://{host}", insecure_http=False)
    address, _ = read_address(f"http://{host}", insecure_http=True)
    assert not address.encrypted
    assert not address.loopback
