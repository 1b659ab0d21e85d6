"""A terminal's side: the fields that make a request a signed one."""

from __future__ import annotations

import re
from binascii import b2a_base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crypto.message_signatures.problems import SignatureMalformed
from crypto.message_signatures.profile import (
    CONTENT_TYPE,
    KIOSK_TAG,
    covered_components,
    request_base,
)
from crypto.message_signatures.targets import read_target
from crypto.message_signatures.verifier import content_digest_of

if TYPE_CHECKING:
    from crypto.device_keys import DeviceKey

_LABEL = re.compile(r"[a-z*][a-z0-9_.*-]*")
_PLAIN_STRING = re.compile(r"[ !#-\[\]-~]*")
_AUTHORIZATION = re.compile(r"[!-~](?:[ -~]*[!-~])?")


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """A request about to be sent.

    `authority` is what the gateway is called: lower case, no default port (`normalise_authority`). A body is JSON.
    """

    method: str
    authority: str
    target: str
    body: bytes = b""
    authorization: str | None = None


def sign(
    request: OutgoingRequest, key: DeviceKey, *, created: int, nonce: str, tag: str = KIOSK_TAG, label: str = "sig"
) -> dict[str, str]:
    """Return the fields to add: Content-Digest, Signature-Input, Signature, and Content-Type if there is a body.

    The caller sends Authorization itself, exactly as given in the request, and no Content-Type without a body.

    Args:
        request: what is sent.
        key: the device's key.
        created: Unix seconds, by the gateway's clock.
        nonce: from a Replay-Nonce, used once.
        tag: which kind of request it is.
        label: tells two signatures on one request apart; it carries no meaning.

    Raises:
        NonCanonicalTarget: the gateway would refuse the target.
        SignatureMalformed: the label, the nonce or the Authorization could not be written in a field.
    """
    path, query = read_target(request.target)
    if _LABEL.fullmatch(label) is None or _PLAIN_STRING.fullmatch(nonce) is None:
        raise SignatureMalformed("the label or the nonce cannot be written in Signature-Input")
    authorization = request.authorization
    if authorization is not None and _AUTHORIZATION.fullmatch(authorization) is None:
        raise SignatureMalformed("authorization is not printable ASCII")
    body = bool(request.body)
    components = covered_components(body, authorization is not None)
    signature_params = f'{components};created={created};nonce="{nonce}";keyid="{key.keyid}";tag="{tag}"'
    content_digest = content_digest_of(request.body)
    base = request_base(
        request.method, request.authority, path, query, content_digest, body, authorization, signature_params
    )
    signature = key.sign(base)
    fields = {
        "Content-Digest": content_digest,
        "Signature-Input": f"{label}={signature_params}",
        "Signature": f"{label}=:{b2a_base64(signature, newline=False).decode()}:",
    }
    if body:
        fields["Content-Type"] = CONTENT_TYPE
    return fields


def combine(first: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """Return the fields of one request with both signatures, as a key change needs them. Their labels must differ.

    Raises:
        SignatureMalformed: the two have one label, or were made for different requests.
    """
    joined = ("Signature-Input", "Signature")
    labels = [fields["Signature"].partition("=")[0] for fields in (first, second)]
    if labels[0] == labels[1] or any(
        first.get(name) != second.get(name) for name in ("Content-Digest", "Content-Type")
    ):
        raise SignatureMalformed("two signatures of one request need two labels and one body")
    return first | {name: f"{first[name]}, {second[name]}" for name in joined}
