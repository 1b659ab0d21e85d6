"""Bodies that are files: larger than JSON may be, of one media type, read no further than a limit."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs

from gateway.http.bodies import CLOSING, CONTENT_ENCODING
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from aiohttp import web

FILE_SECONDS: Final = 60.0
"""How long a file may take to arrive: a few megabytes over a slow line."""


async def read_file(request: web.Request, media_type: str, limit: int) -> bytes:
    """Return the body of a request that sends a file of `media_type` in UTF-8, `limit` bytes at most.

    Raises Problem `unsupported-media-type` (with a sentence that names what is wanted), `body-too-large` and
    `request-timeout`.
    """
    said = ",".join(request.headers.getall(hdrs.CONTENT_TYPE, ()))
    wanted = rf'{re.escape(media_type)}(?:[ \t]*;[ \t]*(?:charset="?utf-8"?|header="?present"?))*'
    if re.fullmatch(wanted, said, re.ASCII | re.IGNORECASE) is None or CONTENT_ENCODING in request.headers:
        sentence = f"The body must be {media_type} in UTF-8, without a content encoding."
        raise Problem("unsupported-media-type", sentence, cause=f"not {media_type}")
    if (request.content_length or 0) > limit:
        raise Problem("body-too-large", cause="declared too large", headers=CLOSING)
    data = bytearray()
    try:
        async with asyncio.timeout(FILE_SECONDS):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > limit:
                    raise Problem("body-too-large", cause="larger than it may be", headers=CLOSING)
    except TimeoutError:
        raise Problem("request-timeout", cause="the file did not arrive", headers=CLOSING) from None
    return bytes(data)
