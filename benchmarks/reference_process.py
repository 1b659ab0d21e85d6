"""What the gateway is divided by: a bare aiohttp handler that verifies the same signature and does nothing else."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path

from aiohttp import web

from benchmarks.signing import ACTION, AUTHORITY
from crypto.message_signatures import KIOSK_TAG, IncomingRequest, Verifier
from crypto.nonces import Nonces
from crypto.secrets_file import Secrets
from gateway.app import NONCE_KEY
from gateway.server import settle_memory


async def serve(secrets: Secrets, keys: dict[str, bytes], port: int) -> None:
    """Serve until killed."""
    nonces = Nonces(secrets.purpose_keys(NONCE_KEY), secrets.current_version, os.urandom)
    verifier = Verifier(frozenset({AUTHORITY}), nonces, "http")

    async def verify(request: web.Request) -> web.Response:
        body = await request.read()
        incoming = IncomingRequest(request.method, request.raw_path, request.raw_headers, body)
        claimed = verifier.read(incoming, KIOSK_TAG)
        verifier.verify(claimed, keys[claimed.keyid], time.time())
        return web.Response(status=201)

    app = web.Application()
    app.router.add_post(ACTION, verify)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    settle_memory()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("secrets", type=Path)
    parser.add_argument("keys", type=Path)
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    known = {keyid: bytes.fromhex(key) for keyid, key in json.loads(given.keys.read_text("ascii")).items()}
    asyncio.run(serve(Secrets.load(given.secrets), known, given.port))
