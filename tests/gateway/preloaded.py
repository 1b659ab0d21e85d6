"""What a forked process of ours has imported before it begins; see `forked.py`."""

from __future__ import annotations

import gc

import gateway.cli
import gateway.server
import gateway.workers
import kiosk_client.cli
import kiosk_client.clock_app  # noqa: F401 - loaded here, used by what is forked
import storage.migrating  # noqa: F401

gateway.cli._command()

# Or the first collection in each forked process, which a gateway makes at its start, would copy all of it.
gc.collect()
gc.freeze()
