"""What the protocol fixes about a signature: its tags, its covered components, its signature base.

A profile of RFC 9421: of all that a signature may cover, exactly one list fits a given request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

KIOSK_TAG: Final = "stampgate-kiosk"
"""Every ordinary request of a terminal."""

ENROL_TAG: Final = "stampgate-enrol"
"""The enrolment request, signed by the key it brings."""

REKEY_TAG: Final = "stampgate-rekey"
"""The second signature of a key change, by the new key."""

CONTENT_TYPE: Final = "application/json"

ALWAYS_COVERED: Final = '"@method" "@authority" "@path" "@query" "content-digest"'
_COMPONENTS = {
    (False, False): f"({ALWAYS_COVERED})",
    (True, False): f'({ALWAYS_COVERED} "content-type")',
    (False, True): f'({ALWAYS_COVERED} "authorization")',
    (True, True): f'({ALWAYS_COVERED} "content-type" "authorization")',
}

ACCEPT_SIGNATURE: Final = f'sig={_COMPONENTS[False, False]};created;tag="{KIOSK_TAG}"'
"""What a refused request should have carried at least (RFC 9421 §5.1). The nonce travels in Replay-Nonce."""


def covered_components(body: bool, authorization: bool) -> str:
    """Return the inner list that a request with or without body and Authorization must cover."""
    return _COMPONENTS[body, authorization]


def request_base(
    method: str,
    authority: str,
    path: str,
    query: str,
    content_digest: str,
    has_body: bool,
    authorization: str | None,
    signature_params: str,
) -> bytes:
    """Return the bytes that are signed for a request of this profile: its components in their order (see
    `signature_base`, of which this is the one case that every request pays for). `query` includes its `?`."""
    content_type = f'"content-type": {CONTENT_TYPE}\n' if has_body else ""
    authorized = "" if authorization is None else f'"authorization": {authorization}\n'
    return (
        f'"@method": {method}\n"@authority": {authority}\n"@path": {path}\n"@query": {query}\n'
        f'"content-digest": {content_digest}\n{content_type}{authorized}"@signature-params": {signature_params}'
    ).encode("ascii")


def signature_base(components: Sequence[tuple[str, str]], signature_params: str) -> bytes:
    """Return the bytes that are signed (RFC 9421 §2.5).

    Args:
        components: name and value, in the order of `signature_params`; no name has parameters.
        signature_params: the inner list and its parameters as they stand in Signature-Input.
    """
    lines = "".join([f'"{name}": {value}\n' for name, value in components])
    return f'{lines}"@signature-params": {signature_params}'.encode("ascii")
