from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from kiosk_client.answers import Status
from kiosk_client.errors import refusal
from kiosk_client.fault_texts import FAULTS_ENGLISH, FAULTS_GERMAN
from kiosk_client.wording import ENGLISH, GERMAN, duration, plain, wording_for

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2025, 11, 21, 11, 0, tzinfo=UTC)


def test_both_languages_tell_the_same_faults() -> None:
    assert FAULTS_ENGLISH.keys() == FAULTS_GERMAN.keys()
    for problem in FAULTS_ENGLISH:
        assert ("{}" in FAULTS_ENGLISH[problem]) >= ("{}" in FAULTS_GERMAN[problem])


def test_the_names_of_the_actions_are_the_agreed_ones() -> None:
    assert list(ENGLISH.actions.values()) == ["Clock in", "Clock out", "Start break", "End break"]
    assert list(GERMAN.actions.values()) == ["Kommen", "Gehen", "Pause beginnen", "Pause beenden"]
    assert (ENGLISH.done, GERMAN.done, GERMAN.personnel_number) == ("Done", "Fertig", "Personalnummer")


def test_state_is_told_in_words_and_local_time() -> None:
    status = Status(state="in", since=datetime(2025, 11, 21, 6, 58, tzinfo=UTC))
    assert ENGLISH.state(status, BERLIN, NOON) == "In since 07:58"
    assert GERMAN.state(status, BERLIN, NOON) == "Anwesend seit 07:58"


def test_a_state_of_another_day_names_the_day() -> None:
    status = Status(state="break", since=datetime(2025, 11, 19, 22, 58, tzinfo=UTC))
    assert ENGLISH.state(status, BERLIN, NOON) == "On break since Wed 2025-11-19 23:58"
    assert GERMAN.state(status, BERLIN, NOON) == "In Pause seit Mi 19.11.2025 23:58"


def test_someone_who_never_stamped_is_just_out() -> None:
    assert ENGLISH.state(Status(state="out"), BERLIN, NOON) == "Out"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 min"), (59.9, "0 min"), (900, "15 min"), (27_180, "7 h 33 min"), (-5, "0 min")]
)
def test_durations_are_hours_and_minutes(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("de_AT", "de"), ("de-CH", "de"), ("en-GB", "en"), ("fr", "en"), (None, "en")],
)
def test_the_language_follows_the_locale(locale: str | None, language: str) -> None:
    assert wording_for(locale).language == language


def test_names_from_the_network_cannot_steer_the_terminal() -> None:
    assert plain("Ada\x1b[2J\r\n\x07") == "Ada[2J"


def test_an_unknown_problem_is_told_all_the_same() -> None:
    fault = refusal("brand-new", status=403, cause="Something\x1b new.\nReally.")
    assert fault.message == "The gateway refused: brand-new. Something new.Really."
    assert "abgelehnt: brand-new" in fault.told(GERMAN)


def test_a_lock_says_when_in_the_companys_time() -> None:
    fault = refusal("login-throttled", status=429, retry_after=300, retry_at=NOON)
    assert fault.told(ENGLISH, BERLIN) == "Too many wrong tries. Try again at 12:00."
    assert fault.told(GERMAN, BERLIN) == "Zu viele Fehlversuche. Neuer Versuch um 12:00 möglich."
    assert refusal("login-throttled", status=429, retry_after=300).message.endswith("Try again in 300 s.")


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        (NOON - timedelta(milliseconds=1), "12:00"),
        (NOON, "12:00"),
        (NOON + timedelta(milliseconds=1), "12:01"),
        (NOON + timedelta(seconds=59), "12:01"),
        (datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC), "03:00"),  # the clocks go forward
    ],
)
def test_at_the_minute_shown_the_lock_has_ended(ends: datetime, shown: str) -> None:
    fault = refusal("login-throttled", status=429, retry_after=300, retry_at=ends)
    assert fault.told(ENGLISH, BERLIN).endswith(f"Try again at {shown}.")


def test_a_short_wait_is_told_in_seconds() -> None:
    fault = refusal("login-throttled", status=429, retry_after=5, retry_at=NOON)
    assert fault.told(ENGLISH, BERLIN).endswith("Try again in 5 s.")
