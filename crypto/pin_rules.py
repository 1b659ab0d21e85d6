"""Which PINs may be chosen, and how the gateway draws one."""

from __future__ import annotations

from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from crypto.errors import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_PIN_DIGITS: Final = 6
MAX_PIN_DIGITS: Final = 12

PIN_FAULT_TEXT: Final = {
    "digits": "A PIN consists of digits only.",
    "length": f"A PIN has {MIN_PIN_DIGITS} to {MAX_PIN_DIGITS} digits.",
    "repeated": "A PIN must not repeat one digit.",
    "run": "A PIN must not count up or down.",
    "personnel-number": "A PIN must not be the personnel number, forwards or backwards.",
    "common": "This PIN is one of those tried first.",
    "date": "A PIN must not be a date.",
}
"""A sentence for people by fault code."""

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def pin_faults(pin: str, personnel_number: str | None) -> list[str]:
    """Return the code of every rule that `pin` breaks, in the order of `PIN_FAULT_TEXT`; none if it may be chosen.

    Args:
        pin: what somebody wants.
        personnel_number: of the person, if there is one.
    """
    faults = []
    digits = pin.isascii() and pin.isdigit()
    if not digits:
        faults.append("digits")
    if not MIN_PIN_DIGITS <= len(pin) <= MAX_PIN_DIGITS:
        faults.append("length")
    if not digits:
        return faults
    if len(set(pin)) == 1:
        faults.append("repeated")
    elif _is_run(pin):
        faults.append("run")
    if personnel_number and _is_number(pin, personnel_number):
        faults.append("personnel-number")
    if pin in _common_pins() or _is_repeated_block(pin):
        faults.append("common")
    if _is_date(pin):
        faults.append("date")
    return faults


def generate_pin(randomness: Callable[[int], bytes], personnel_number: str | None, length: int = 6) -> str:
    """Draw a PIN of `length` digits, uniform over all that break no rule.

    Raises:
        CryptoError: a thousand draws broke a rule; the randomness is none.
    """
    if not MIN_PIN_DIGITS <= length <= MAX_PIN_DIGITS:
        raise ValueError(PIN_FAULT_TEXT["length"])
    for _ in range(1000):
        # 250 is the largest multiple of ten in a byte: what lies above would favour the digits 0 to 5.
        pin = "".join(str(byte % 10) for byte in randomness(4 * length) if byte < 250)[:length]
        if not pin_faults(pin, personnel_number):
            return pin
    raise CryptoError("the source of randomness gives no acceptable PIN")


@cache
def _common_pins() -> frozenset[str]:
    # Keypad shapes, doubled pairs, constants and favourites of published studies of leaked numeric passwords.
    return frozenset(resources.files("crypto").joinpath("common_pins.txt").read_text("ascii").split())


def _is_run(pin: str) -> bool:
    # Keypads wrap: 7890 and 0987 are runs too.
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(pin)}
    return steps in ({1}, {9})


def _is_number(pin: str, personnel_number: str) -> bool:
    # Short numbers are also refused filled with zeros to the length of the PIN.
    spellings = {personnel_number, personnel_number.zfill(len(pin))}
    return pin in spellings or pin[::-1] in spellings


def _is_repeated_block(pin: str) -> bool:
    return len(set(pin)) > 1 and any(
        len(pin) % size == 0 and pin == pin[:size] * (len(pin) // size) for size in range(2, len(pin) // 2 + 1)
    )


def _is_date(pin: str) -> bool:
    """Tell whether six digits are a day, month and year in any usual order, or eight with a year of 1900 to 2099."""
    if len(pin) == 6:
        first, second, third = pin[:2], pin[2:4], pin[4:]
        return _is_day(first, second) or _is_day(second, first) or _is_day(third, second)
    if len(pin) == 8:
        year_last = pin[4:6] in ("19", "20") and (_is_day(pin[:2], pin[2:4]) or _is_day(pin[2:4], pin[:2]))
        return year_last or (pin[:2] in ("19", "20") and _is_day(pin[6:], pin[4:6]))
    return False


def _is_day(day: str, month: str) -> bool:
    return 1 <= int(month) <= 12 and 1 <= int(day) <= _DAYS[int(month) - 1]
