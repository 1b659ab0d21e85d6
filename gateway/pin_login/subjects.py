"""Whose wrong tries are counted: a name for a personnel number that does not tell the number.

Counters in Redis and the yearly rows in SQL are kept for numbers nobody has, too. A keyed hash makes known and unknown
ones look alike, and neither store a list of personnel numbers.
"""

from __future__ import annotations

from crypto.tokens import keyed_hash


def number_subject(guard_key: bytes, company_id: str, tier: str, number: str) -> bytes:
    """32 bytes that stand for (company, tier, personnel number): locking one tier never locks the other."""
    return keyed_hash(guard_key, company_id, tier, number)
