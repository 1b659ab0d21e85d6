"""SECURITY.md names a test for each claim; this holds that there is one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text("utf-8"))


@cache
def _tests_of(path: str) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / path).read_text("utf-8"), re.MULTILINE))


def test_every_test_that_the_security_page_names_exists() -> None:
    assert NAMED
    missing = [f"{path}::{name}" for path, name in NAMED if not (ROOT / path).exists() or name not in _tests_of(path)]
    assert missing == []


def test_every_claim_names_its_test() -> None:
    claims = (
        (ROOT / "SECURITY.md").read_text("utf-8").partition("## What we claim")[2].partition("## What we do not")[0]
    )
    rows = [line for line in claims.splitlines() if line.startswith("|") and not line.startswith(("| claim", "|---"))]
    assert [row for row in rows if "`tests/" not in row] == []
