"""PIN records: Argon2id, sealed under a pepper key that the database never sees.

    0x01 ‖ pepper version (2) ‖ SecretBox nonce (24) ‖ SecretBox(encoded Argon2id hash)

A stolen database alone is useless; unsealed, a PIN of some 20 bits would fall to plain search whatever its hash costs.
The pepper is versioned; records are re-sealed without knowing the PIN.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final

from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret, verify_secret
from nacl.exceptions import CryptoError as NaclError
from nacl.secret import SecretBox

from crypto.argon2_cost import PIN_COST, Argon2Cost
from crypto.errors import CryptoError
from crypto.pin_rules import PIN_FAULT_TEXT, generate_pin, pin_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "PIN_COST",
    "PIN_FAULT_TEXT",
    "Argon2Cost",
    "PinHasher",
    "UnreadablePinRecord",
    "generate_pin",
    "pin_faults",
]

_FORMAT = 1
_HEAD_BYTES: Final = 3
_SALT_BYTES = 16
_HASH_BYTES = 32


class UnreadablePinRecord(CryptoError):
    """The record cannot be opened: no pepper of its version, or it was altered."""


class PinHasher:
    """Makes and checks PIN records. It holds no state that changes: any number of threads may use one.

    Args:
        pepper_keys: keys of 32 bytes by version, 0 to 65535.
        current: the version new records are sealed under.
        cost: of one hash.
        randomness: returns that many random bytes.
    """

    def __init__(
        self,
        pepper_keys: Mapping[int, bytes],
        current: int,
        cost: Argon2Cost,
        randomness: Callable[[int], bytes],
    ) -> None:
        if current not in pepper_keys:
            raise ValueError("the current pepper version needs a key")
        self._boxes = {version: SecretBox(key) for version, key in pepper_keys.items()}
        self._current = current
        self._cost = cost
        self._randomness = randomness
        self.dummy_record = self._dummy()

    def hash(self, pin: str) -> bytes:
        """Return a new record of `pin`. Takes the full cost of one hash."""
        encoded = hash_secret(
            _encoded(pin),
            self._randomness(_SALT_BYTES),
            time_cost=self._cost.time,
            memory_cost=self._cost.memory_kib,
            parallelism=self._cost.lanes,
            hash_len=_HASH_BYTES,
            type=Type.ID,
        )
        return self._seal(encoded)

    def verify(self, record: bytes, pin: str) -> bool:
        """Tell whether `pin` is the one of `record`. Takes the full cost of one hash, also for the dummy record.

        Raises:
            UnreadablePinRecord: the record cannot be opened; somebody must look, it is not a wrong PIN.
        """
        encoded = self._open(record)
        try:
            return verify_secret(encoded, _encoded(pin), Type.ID)
        except VerifyMismatchError:
            return False
        except VerificationError:
            raise UnreadablePinRecord("the PIN record holds no Argon2id hash") from None

    def needs_rewrap(self, record: bytes) -> bool:
        """Tell whether the record is sealed under another pepper version than the current one."""
        return record[1:_HEAD_BYTES] != self._current.to_bytes(2, "big")

    def rewrap(self, record: bytes) -> bytes:
        """Return the record sealed anew under the current pepper. Needs no PIN and no hash.

        Raises:
            UnreadablePinRecord: the record cannot be opened.
        """
        return self._seal(self._open(record))

    def _dummy(self) -> bytes:
        """Return a record that costs and looks like any other, with 32 random bytes for a hash: no PIN fits it.

        A hash is not computed for it, which every command would wait for at its start.
        """
        salt, tag = (b64encode(self._randomness(length)).rstrip(b"=") for length in (_SALT_BYTES, _HASH_BYTES))
        cost = b"m=%d,t=%d,p=%d" % (self._cost.memory_kib, self._cost.time, self._cost.lanes)
        return self._seal(b"$argon2id$v=%d$%s$%s$%s" % (ARGON2_VERSION, cost, salt, tag))

    def _seal(self, encoded: bytes) -> bytes:
        head = bytes((_FORMAT,)) + self._current.to_bytes(2, "big")
        return head + self._boxes[self._current].encrypt(encoded, self._randomness(SecretBox.NONCE_SIZE))

    def _open(self, record: bytes) -> bytes:
        if len(record) <= _HEAD_BYTES or record[0] != _FORMAT:
            raise UnreadablePinRecord("not a PIN record")
        version = int.from_bytes(record[1:_HEAD_BYTES], "big")
        box = self._boxes.get(version)
        if box is None:
            raise UnreadablePinRecord(f"there is no pepper key of version {version}")
        try:
            return box.decrypt(record[_HEAD_BYTES:])
        except (NaclError, ValueError):
            raise UnreadablePinRecord(f"the PIN record does not open under pepper version {version}") from None


def _encoded(pin: str) -> bytes:
    # JSON can carry half a surrogate pair; it is a wrong PIN, not an error.
    return pin.encode(errors="surrogatepass")
