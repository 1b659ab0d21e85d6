"""Certificates for tests: made as a trial makes them, at whatever time."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

from gateway.tls.trial import TrialFiles, make_trial

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ["localhost", "127.0.0.1", "::1"]


def pair(data_dir: Path, *, names: list[str] | None = None, at: float | None = None) -> TrialFiles:
    """Make one in a data directory; `at` is when, in Unix seconds."""
    files = TrialFiles.of(data_dir)
    make_trial(files, names or NAMES, time.time() if at is None else at)
    return files


def trusting(*files: TrialFiles) -> ssl.SSLContext:
    """A client that trusts the roots of these and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for each in files:
        context.load_verify_locations(each.root)
    return context
