"""The PyPI library `http-message-signatures` as oracle: whether it verifies a request that was signed for our gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from http_message_signatures import HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.algorithms import ED25519

from crypto.message_signatures import KIOSK_TAG, IncomingRequest
from tests.protocol.signed_requests import COMPONENTS


class Fields:
    """Field lines as the library wants them: repeatable, in order."""

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self.lines = lines

    def items(self) -> list[tuple[str, str]]:
        return self.lines

    def __iter__(self) -> Any:
        return iter(dict.fromkeys(name for name, _ in self.lines))

    def __contains__(self, name: str) -> bool:
        return any(known.lower() == name.lower() for known, _ in self.lines)

    def __setitem__(self, name: str, value: str) -> None:
        del self[name]
        self.lines.append((name, value))

    def __delitem__(self, name: str) -> None:
        self.lines = [line for line in self.lines if line[0].lower() != name.lower()]


@dataclass
class Message:
    method: str
    url: str
    headers: Fields = field(default_factory=lambda: Fields([]))


class PatientVerifier(HTTPMessageVerifier):  # type: ignore[misc,unused-ignore]
    """With the protocol's clock skew instead of the library's five seconds."""

    max_clock_skew = timedelta(seconds=60)


def oracle_accepts(
    request: IncomingRequest,
    authority: str,
    keys: MappingKeyResolver,
    *,
    tag: str = KIOSK_TAG,
    max_age: timedelta | None = timedelta(0),
) -> str:
    """Return the keyid the library has verified on this request; it raises otherwise.

    `max_age`: how old a signature may be, beside the clock skew; `None`: as old as it likes.
    """
    lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
    message = Message(request.method, f"https://{authority}{request.target}", Fields(lines))
    required = [f'"{name}"' for name in COMPONENTS[:5]]
    (result,) = PatientVerifier(signature_algorithm=ED25519, key_resolver=keys).verify(
        message, expect_tag=tag, max_age=max_age, require_components=required, body=request.body
    )
    assert result.body == request.body
    return str(result.parameters["keyid"])
