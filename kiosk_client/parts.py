"""The client's parts as the commands need them: with this machine's clock, randomness, environment and name."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from typing import TYPE_CHECKING

from kiosk_client.client import KioskClient
from kiosk_client.enrolment import Enrolment
from kiosk_client.key_change import KeyChange
from kiosk_client.key_sealing import wrap_of
from kiosk_client.key_store import KeyStore
from kiosk_client.state_directory import default_state_dir

if TYPE_CHECKING:
    from pathlib import Path

    from kiosk_client.key_store import StoredKey


def store_of(state_dir: Path | None) -> KeyStore:
    """Return where the key is kept: in the directory that was given, else in the usual one."""
    return KeyStore(state_dir or default_state_dir(os.environ), wrap_of(os.environ, os.urandom))


def client_of(stored: StoredKey, ca_file: Path | None = None) -> KioskClient:
    """Return the client of an enrolled key; `ca_file` holds further authorities for TLS."""
    kind = f"{platform.system()} {platform.machine()}".strip() or "unknown"
    return KioskClient.of(stored, ca_file=None if ca_file is None else str(ca_file), platform=kind)


def ceremony_of(store: KeyStore) -> Enrolment:
    """Return the enrolment ceremony that keeps its key in `store`."""
    return Enrolment(store, client_of, clock=time.time, sleep=asyncio.sleep, randomness=os.urandom)


def key_change_of(store: KeyStore, client: KioskClient) -> KeyChange:
    """Return what changes the key in `store` over `client`."""
    return KeyChange(store, client, randomness=os.urandom)
