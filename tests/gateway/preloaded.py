"""What a forked process of ours has imported before it begins; see `forked.py`."""

from __future__ import annotations

import gateway.cli
import gateway.server
import gateway.workers
import storage.migrating  # noqa: F401 - loaded here, used by what is forked

gateway.cli._command()
