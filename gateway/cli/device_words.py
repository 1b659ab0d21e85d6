"""The two words asked at approval: read from options, or asked for one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.output import ask
from gateway.cli.refusals import Refusal, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.devices import Device


def read(options: Iterable[str]) -> dict[int, str]:
    """`["2=apple", "5=tree"]` as words by position. Raises WrongUse."""
    words: dict[int, str] = {}
    for option in options:
        position, separator, word = option.partition("=")
        if not (separator and word.strip() and position.strip().isascii() and position.strip().isdigit()):
            raise WrongUse(f"--word {option!r}: write a number and a word, like --word 2=apple")
        if int(position) in words:
            raise WrongUse(f"--word {option!r}: this word is given twice")
        words[int(position)] = word.strip()
    return words


def ask_for(device: Device) -> dict[int, str]:
    """Ask for the words of a pending terminal. Raises Refusal when it is not pending."""
    if device.words_asked is None:
        raise Refusal(f"{device.label} is {device.state}: it does not wait for approval")
    return {
        position: ask(f"Word {position} on the terminal's screen", option=f"--word {position}=WORD")
        for position in device.words_asked
    }
