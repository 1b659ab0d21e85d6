from __future__ import annotations

import pytest

from gateway.http.field_faults import FieldFault
from gateway.mail.server import SmtpServer, read_smtp_url
from gateway.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", SmtpServer("mail.example.com", 587, use_tls=False, start_tls=True)),
        ("smtps://mail.example.com", SmtpServer("mail.example.com", 465, use_tls=True, start_tls=False)),
        ("smtp://localhost:25", SmtpServer("localhost", 25, use_tls=False, start_tls=None)),
        ("smtp://[::1]:25", SmtpServer("::1", 25, use_tls=False, start_tls=None)),
        ("smtp://m.example?starttls=offered", SmtpServer("m.example", 587, use_tls=False, start_tls=None)),
        ("smtp://m.example/?starttls=never", SmtpServer("m.example", 587, use_tls=False, start_tls=False)),
        ("smtp://localhost?starttls=required", SmtpServer("localhost", 587, use_tls=False, start_tls=True)),
        (
            "smtp://user%40example.com:p%40ss%2Fword@m.example:2525",
            SmtpServer("m.example", 2525, False, True, "user@example.com", "p@ss/word"),
        ),
    ],
)
def test_an_address_names_a_server(url: str, server: SmtpServer) -> None:
    assert read_smtp_url(url) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://m.example/path",
        "smtp://m.example#x",
        "smtp://m.example:99999",
        "smtp://geheim:geheim@m.example:x",
        "smtp://m.example?starttls=perhaps",
        "smtp://m.example?tls=1",
        "smtps://m.example?starttls=required",
    ],
)
def test_another_is_refused_at_start_without_repeating_it(url: str) -> None:
    with pytest.raises(FieldFault):
        read_smtp_url(url)
    with pytest.raises(SettingsError) as refused:
        Settings.load(smtp_url=url)
    assert str(refused.value).startswith("STAMPGATE_SMTP_URL ")
    assert "geheim" not in str(refused.value)


def test_mail_comes_from_the_public_address_unless_another_is_set() -> None:
    public = {"public_url": "https://stamp.example.com:8443"}
    assert Settings.load(**public).mail_sender == "stampgate@stamp.example.com"
    assert Settings.load(**public, mail_from="Time@Example.com").mail_sender == "time@example.com"
    assert Settings.load().mail_sender == "stampgate@localhost"
    with pytest.raises(SettingsError, match="STAMPGATE_MAIL_FROM must be an e-mail address"):
        Settings.load(mail_from="Time Clock <time@example.com>")


def test_a_password_never_shows_in_a_repr() -> None:
    assert "geheim" not in repr(read_smtp_url("smtp://user:geheim@m.example"))
