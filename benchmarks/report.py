"""The figures of a run, printed for people and written as JSON for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, and the limit it is held against (`None`: reported only)."""

    name: str
    value: float
    unit: str = ""
    bound: Literal["at least", "at most"] | None = None
    limit: float = 0.0

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its limit."""
        if self.bound is None:
            return True
        return self.value >= self.limit if self.bound == "at least" else self.value <= self.limit


def at_least(limit: float, name: str, value: float, unit: str = "") -> Figure:
    """Return a figure that should not be lower."""
    return Figure(name, value, unit, "at least", limit)


def at_most(limit: float, name: str, value: float, unit: str = "") -> Figure:
    """Return a figure that should not be higher."""
    return Figure(name, value, unit, "at most", limit)


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print one group."""
    print(f"\n{title}")
    for figure in figures:
        bound = f"{figure.bound} {figure.limit:g}" if figure.bound else ""
        verdict = ("" if figure.is_met else "MISSED") if figure.bound else ""
        print(f"  {figure.name:<72} {figure.value:>10.3f} {figure.unit:<4} {bound:<14} {verdict}".rstrip(), flush=True)


def read(path: Path) -> tuple[dict[str, object], dict[str, list[Figure]]]:
    """Return what an earlier run wrote, so that a part of it can be measured anew; nothing when there was none."""
    if not path.exists():
        return {}, {}
    content = json.loads(path.read_text("utf-8"))
    names = [one.name for one in fields(Figure)]
    return content["setup"], {
        title: [Figure(**{name: one[name] for name in names}) for one in some]
        for title, some in content["figures"].items()
    }


def write(path: Path, setup: Mapping[str, object], groups: Mapping[str, Sequence[Figure]]) -> None:
    """Write everything as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "setup": dict(setup),
        "figures": {title: [{**asdict(one), "is_met": one.is_met} for one in some] for title, some in groups.items()},
    }
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
