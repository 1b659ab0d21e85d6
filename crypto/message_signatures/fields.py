"""The grammar of Signature-Input and Signature, as far as the protocol needs it.

Not a general structured-field parser (RFC 9651): it accepts only what has one spelling, so that the text received *is*
the text that was signed and nothing is ever serialised again. Other signatures on the request are ignored, but they
must be readable by the same grammar: whatever is accepted here, a general parser reads to the same values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from crypto.message_signatures.problems import SignatureMalformed, SignatureMissing
from crypto.message_signatures.profile import ALWAYS_COVERED

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FIELD_BYTES: Final = 2048
"""Signature-Input and Signature each: two signatures fit three times over."""

MAX_SIGNATURES: Final = 4
"""On one request, ours included: reading what is ignored must stay cheaper than verifying."""

_MAX_COMPONENTS = 16
_MAX_PARAMETERS = 8

_KEY = r"[a-z*][a-z0-9_.*-]*+"
_PLAIN = r"[ !#-\[\]-~]*+"
_STRING = rf'"{_PLAIN}(?>(?:\\["\\]{_PLAIN})*)"'
_NUMBER = r"-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})(?![0-9.])"
_TOKEN = r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*+"  # noqa: S105 - a structured-field token
_PARAMETER = rf"(?:;{_KEY}(?:=(?:{_STRING}|{_NUMBER}|{_TOKEN}|\?[01]))?)"
_PARAMETERS = rf"(?>{_PARAMETER}{{0,{_MAX_PARAMETERS}}})"
_COMPONENT = rf"{_STRING}{_PARAMETERS}"

# Nothing is given back, so every field is read once, from left to right, whatever it holds: by possessive quantifiers
# for characters of one class, by atomic groups for the rest. Possessive quantifiers of groups let through what they
# must not before Python 3.11.5 (python/cpython#106052), and may raise SystemError when something in them is captured,
# up to 3.12.7 (python/cpython#101955): the one place that captures has a plain quantifier.
_INPUT_MEMBER = re.compile(
    rf"({_KEY})=(\((?:{_COMPONENT}(?>(?: {_COMPONENT}){{0,{_MAX_COMPONENTS - 1}}}))?\))({_PARAMETERS})"
)
_INPUT_PARAMETER = re.compile(rf";({_KEY})(?:=({_STRING}|{_NUMBER}|{_TOKEN}|\?[01]))?")
_SIGNATURE_MEMBER = re.compile(
    rf"({_KEY})=:((?>(?:[A-Za-z0-9+/]{{4}})*)(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{{2}}[AEIMQUYcgkosw048]=)?):"
)
_COMMA = re.compile(r"[ \t]*+,[ \t]*+")

# What terminals send, in one step each: a single signature of the profile, its parameters in any order. Whatever these
# accept is well-formed by every rule for keyid, created, nonce, tag and the signature, so nobody looks at it again.
_PLAIN_INPUT = re.compile(
    rf"({_KEY})=((\({ALWAYS_COVERED}(?: \"content-type\")?(?: \"authorization\")?\))"
    r'(?:;(?:created=([1-9][0-9]{0,14})|nonce="([ !#-\[\]-~]*+)"|keyid="([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"'
    r'|tag="([a-z-]*+)")){4})'
)
_PLAIN_SIGNATURE = re.compile(rf"({_KEY})=:([A-Za-z0-9+/]{{85}}[AQgw]==):")

_STRINGS = ("alg", "keyid", "nonce", "tag")
_INTEGERS = ("created", "expires")


class SignatureInput(NamedTuple):
    """One member of Signature-Input, its values still as they were spelled.

    `components` is the text of the inner list, brackets included; `signature_params` is that and everything behind it:
    the value of `@signature-params` (RFC 9421 §2.3). A parameter without value is None.
    """

    label: str
    components: str
    parameters: Mapping[str, str | None]
    signature_params: str


def read_plain(signature_input: str, signature: str, tag: str) -> tuple[str, str, str, str, str, str] | None:
    """Return what the two fields say if they are of the one form that terminals send, and all of it is well-formed.

    These are keyid, created, nonce, components and signature_params (see `SignatureInput`), and the signature's base64;
    without quotes. None: only `read_signature_input`, `read_signatures` and `select` can tell. A plain tuple because
    every request pays for it.
    """
    plain_input = _PLAIN_INPUT.fullmatch(signature_input)
    plain_signature = _PLAIN_SIGNATURE.fullmatch(signature)
    if plain_input is None or plain_signature is None:
        return None
    label, signature_params, components, created, nonce, keyid, found_tag = plain_input.groups()
    if found_tag != tag or label != plain_signature[1] or created is None or nonce is None or keyid is None:
        return None  # four parameters and none of them missing: none occurs twice
    return keyid, created, nonce, components, signature_params, plain_signature[2]


def read_signature_input(text: str) -> list[SignatureInput]:
    """Return the members of a Signature-Input field in their order.

    Raises:
        SignatureMalformed: not of the grammar, or a label or a parameter of one member occurs twice.
    """
    members: list[SignatureInput] = []
    position = 0
    while True:
        match = _INPUT_MEMBER.match(text, position)
        if match is None:
            raise SignatureMalformed("Signature-Input is not of the protocol's grammar")
        label, components, spelled = match.groups()
        found = _INPUT_PARAMETER.findall(spelled)
        parameters: dict[str, str | None] = {name: value or None for name, value in found}
        if len(parameters) != len(found):
            raise SignatureMalformed("a signature parameter occurs twice")
        members.append(SignatureInput(label, components, parameters, components + spelled))
        position = match.end()
        if position == len(text):
            break
        position = _after_comma(text, position, "Signature-Input")
        if len(members) == MAX_SIGNATURES:
            raise SignatureMalformed(f"more than {MAX_SIGNATURES} signatures")
    if len(members) > 1 and len({member.label for member in members}) != len(members):
        raise SignatureMalformed("a label of Signature-Input occurs twice")
    return members


def read_signatures(text: str) -> dict[str, str]:
    """Return the members of a Signature field: canonical base64 by label.

    Raises:
        SignatureMalformed: not of the grammar, or a label occurs twice.
    """
    signatures: dict[str, str] = {}
    position = 0
    while True:
        match = _SIGNATURE_MEMBER.match(text, position)
        if match is None:
            raise SignatureMalformed("Signature is not of the protocol's grammar")
        label, encoded = match.groups()
        if label in signatures:
            raise SignatureMalformed("a label of Signature occurs twice")
        signatures[label] = encoded
        position = match.end()
        if position == len(text):
            return signatures
        position = _after_comma(text, position, "Signature")
        if len(signatures) == MAX_SIGNATURES:
            raise SignatureMalformed(f"more than {MAX_SIGNATURES} signatures")


def select(inputs: list[SignatureInput], signatures: dict[str, str], tag: str) -> tuple[SignatureInput, str]:
    """Return the one signature with `tag` and its base64.

    Raises:
        SignatureMalformed: the two fields have different labels, more than one signature has the tag, or an ignored
            one has a registered parameter of the wrong type (RFC 9421 §2.3).
        SignatureMissing: none has the tag.
    """
    if len(inputs) != len(signatures) or any(member.label not in signatures for member in inputs):
        raise SignatureMalformed("Signature-Input and Signature have different labels")
    wanted = f'"{tag}"'
    ours = None
    for member in inputs:
        if member.parameters.get("tag") != wanted:
            _require_registered_types(member.parameters)
        elif ours is None:
            ours = member
        else:
            raise SignatureMalformed("more than one signature has the tag")
    if ours is None:
        raise SignatureMissing("no signature has the tag")
    return ours, signatures[ours.label]


def _require_registered_types(parameters: Mapping[str, str | None]) -> None:
    for name in _STRINGS:
        if name in parameters and not (parameters[name] or "").startswith('"'):
            raise SignatureMalformed(f"{name} of another signature is not a string")
    for name in _INTEGERS:
        if name in parameters and not (parameters[name] or "").removeprefix("-").isdigit():
            raise SignatureMalformed(f"{name} of another signature is not an integer")


def _after_comma(text: str, position: int, field: str) -> int:
    match = _COMMA.match(text, position)
    if match is None:
        raise SignatureMalformed(f"{field} has trailing characters")
    return match.end()
