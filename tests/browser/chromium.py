"""Which Chromium the tests drive and how it is started: the system's own, without anything that calls home."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHOSEN = "STAMPGATE_TEST_CHROMIUM"

"""The first is Chromium without what only a window needs: it takes a third of the processor time."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Another machine's name, as the browser sees it: no loopback name, and so not trusted without TLS.
    "--host-resolver-rules=MAP stamp.test 127.0.0.1",
)


def executable() -> str:
    """Return the path of a Chromium, the one named by `STAMPGATE_TEST_CHROMIUM` before those on the PATH.

    Raises `FileNotFoundError`: a browser test without a browser must fail, not pass unseen.
    """
    found = os.environ.get(CHOSEN) or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise FileNotFoundError(f"no Chromium: install the package chromium, or name one in {CHOSEN}")
    return found
