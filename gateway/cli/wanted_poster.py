"""The poster that somebody asks for on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.cli.refusals import WrongUse

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from gateway.phone.poster import FileFormat, Paper


@dataclass(frozen=True, slots=True)
class WantedPoster:
    """Where the poster goes, and how it is drawn."""

    path: Path
    file_format: FileFormat
    paper: Paper

    def draw(self, company: str, link: str, issued: date) -> bytes:
        """The file's content."""
        from gateway.phone.poster import poster

        return poster(company, link, issued, file_format=self.file_format, paper=self.paper)


def wanted_poster(path: Path | None, paper: str | None) -> WantedPoster | None:
    """Read the two options; None without a file. Raises WrongUse for an ending or paper that there is not."""
    if path is None:
        if paper is not None:
            raise WrongUse("--paper goes with --poster FILE")
        return None
    from gateway.phone.poster import FILE_FORMATS, PAPERS

    ending = path.suffix.lower().removeprefix(".")
    size = (paper or PAPERS[0]).lower()
    for known in FILE_FORMATS:
        if ending == known:
            break
    else:
        raise WrongUse(f"{path}: the poster must end in {', '.join(f'.{known}' for known in FILE_FORMATS)}")
    for sheet in PAPERS:
        if size == sheet:
            return WantedPoster(path, known, sheet)
    raise WrongUse(f"paper: must be one of {', '.join(PAPERS)}")
