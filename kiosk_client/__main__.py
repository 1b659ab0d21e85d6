"""``python -m kiosk_client``: the same as ``stampgate-kiosk``."""

from __future__ import annotations

from kiosk_client.cli import main

main()
