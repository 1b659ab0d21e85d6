"""A terminal's side of the kiosk protocol: the reference client, and an example for other client writers.

Read it in this order: ``key_store`` (the key and what it is enrolled for), ``signed_http`` (one signed request),
``client`` (the calls), ``enrolment`` (the ceremony), ``clock_prompt`` (a real use of all of it).
"""

from __future__ import annotations

from kiosk_client.answers import Company, DeviceAnswer, Enrolled, SignIn, Stamp, Stamped, Status
from kiosk_client.client import KioskClient
from kiosk_client.errors import KioskError
from kiosk_client.key_store import KeyStore, StoredKey

__all__ = [
    "Company",
    "DeviceAnswer",
    "Enrolled",
    "KeyStore",
    "KioskClient",
    "KioskError",
    "SignIn",
    "Stamp",
    "Stamped",
    "Status",
    "StoredKey",
]
