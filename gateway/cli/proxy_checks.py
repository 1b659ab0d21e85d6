"""What `doctor proxy` sends through a deployment, and how it judges what arrived.

Each check sends a few probes and gives a row for each thing that the kiosk protocol needs from a proxy
(docs/protocol.md: X of terminals need (the client's address). None reads or changes anything of the gateway's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from crypto.message_signatures import NonCanonicalTarget, normalise_authority, read_target
from gateway.cli.deployment import NoAnswer
from gateway.cli.proxy_advice import advice
from gateway.cli.proxy_answers import AnswerChecks
from gateway.cli.proxy_probes import BASE, NotOurAnswer, Row, value, values
from gateway.proxy_probe.tokens import SEEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.cli.deployment import Reply
    from gateway.proxy_probe.models import Seen

CANONICAL: Final = (
    f"{BASE}/plain",
    f"{BASE}/a.b_c~d-e",
    f"{BASE}?a=b&&c=%20+%2B%2f&d",
    f"{BASE}?x=1;y=2",
    f"{BASE}?u=http://h/p?q",
)
"""Targets as terminals may sign them: these must arrive as they are."""

OTHERS: Final = (
    f"/{BASE}",
    f"{BASE}//a",
    f"{BASE}/",
    f"{BASE}/a/../b",
    f"{BASE}/./a",
    f"{BASE}/%2e%2e/a",
    f"{BASE}/%2E/a",
    f"{BASE}/a%2Fb",
    f"{BASE}/%61bc",
    f"{BASE}/a;p=1",
    f"{BASE}?",
)
"""Targets that the gateway refuses: a proxy may refuse them too, but not make others of them."""

FORGED: Final = "203.0.113.77"
"""An address nobody has (RFC 5737)."""

BODY: Final = b'{ "name":"M\xc3\xbcller\\u00e9",\r\n\t"list":[1,2 ,3],"empty":{} }\n '
LARGE_BODY_BYTES: Final = 60 * 1024
LARGE_FIELD_CHARACTERS: Final = 2048
"""What the protocol allows in Signature-Input."""


class ProxyDoctor(AnswerChecks):
    """Examines one deployment."""

    async def examine(self) -> list[Row]:
        """Try everything, and nothing more if not even a plain probe arrives."""
        try:
            reply, seen = await self._probe("GET", BASE)
        except NoAnswer as error:
            return [
                Row("fault", "reached", f"GET {BASE}", str(error), "address, name resolution, certificate, --connect")
            ]
        except NotOurAnswer as error:
            return [Row("fault", "reached", f"GET {BASE}", str(error), _not_ours(error.reply))]
        self._server = reply.one("server")
        checks: Sequence[Callable[[], Awaitable[list[Row]]]] = (
            self._targets,
            self._fields,
            self._bodies,
            self._methods,
            self._client,
            self.answers,
            self.cache,
            self.compression,
            self.slow,
        )
        found = await asyncio.gather(*(self._safely(check) for check in checks))
        # Last and alone: a proxy sends again what was lost on a connection used before, and the others would have it.
        found.append(await self._safely(self.dropped))
        return [*self._address(reply, seen), *(row for rows in found for row in rows)]

    async def _safely(self, check: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
        try:
            return await check()
        except (NoAnswer, NotOurAnswer) as error:
            about = check.__name__.lstrip("_")
            return [Row("fault", about, "a probe", str(error), advice("answer", self._server))]

    def _address(self, reply: Reply, seen: Seen) -> list[Row]:
        """The scheme, the authority and the version, told by the first probe."""
        here = self._deployment
        scheme = urlsplit(here.url).scheme
        rows = [
            Row("ok", "TLS", here.url, reply.tls)
            if reply.tls
            else Row("note", "TLS", here.url, "none", "browsers sign only over https: let the proxy do TLS"),
            self._judge(seen.host == (here.host,), "Host", here.host, ", ".join(seen.host) or "nothing", "host"),
        ]
        rows.append(
            Row("ok", "authority", here.host, "known")
            if seen.authority_is_known
            else Row("fault", "authority", here.host, "unknown", "STAMPGATE_PUBLIC_URL or STAMPGATE_EXTRA_AUTHORITIES")
        )
        mine = f"{scheme}://{normalise_authority(here.host, scheme)}"
        rows.append(
            Row("ok", "public address", mine, seen.public_url)
            if seen.public_url == mine
            else Row(
                "note", "public address", mine, seen.public_url, f"STAMPGATE_PUBLIC_URL={mine}, if it is the main one"
            )
        )
        rows.append(self._judge(seen.version == "1.1", "version", "HTTP/1.1", f"HTTP/{seen.version}", "version"))
        # Of nginx this is the default, and a pity; Caddy does so because deploy/Caddyfile says it.
        if value(seen, "connection").lower() == "close" and "nginx" in self._server:
            rows.append(
                Row("note", "connections", "kept open", "closed after each request", advice("version", self._server))
            )
        return rows

    async def _targets(self) -> list[Row]:
        return await asyncio.gather(*(self._target(target) for target in (*CANONICAL, *OTHERS)))

    async def _target(self, target: str) -> Row:
        try:
            _, seen = await self._probe("GET", target)
        except (NoAnswer, NotOurAnswer) as error:
            status = error.reply.status if isinstance(error, NotOurAnswer) else 0
            refused = 400 <= status < 500 or status == 0
            if refused and not _is_canonical(target):
                return Row("ok", "target", target, f"refused by the proxy ({status or error})")
            # A redirect to another spelling: a terminal does not follow, it would have signed something else.
            return Row("fault", "target", target, str(error), advice("target", self._server))
        return self._judge(seen.target == target, "target", target, seen.target, "target")

    async def _fields(self) -> list[Row]:
        bearer = f"Bearer {self._tokens.fingerprint('a session')}"
        long = f'sig=("@method");tag="{"x" * LARGE_FIELD_CHARACTERS}"'[:LARGE_FIELD_CHARACTERS]
        signature = f"sig=:{base64.b64encode(bytes(64)).decode()}:"
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256().digest()).decode()}:"
        sent = [
            ("Authorization", bearer),
            ("Signature-Input", long),
            ("Signature", signature),
            ("Content-Digest", digest),
            ("X-Stampgate-Twice", "a"),
            ("X-Stampgate-Twice", "b"),
            ("Connection", "X-Stampgate-Hop"),
            ("X-Stampgate-Hop", "1"),
        ]
        try:
            _, seen = await self._probe("GET", f"{BASE}/fields", sent)
        except (NoAnswer, NotOurAnswer) as error:
            size = f"{LARGE_FIELD_CHARACTERS} characters"
            return [Row("fault", "fields", f"a field of {size}", str(error), advice("large", self._server))]
        rows = [
            self._judge(
                seen.authorization == (self._tokens.fingerprint(bearer),),
                "Authorization",
                "a session token",
                "the same" if seen.authorization else "nothing",
                "fields",
            )
        ]
        for name, wanted in sent[1:4]:
            arrived = values(seen, name)
            rows.append(
                self._judge(
                    arrived == [wanted],
                    f"{name} with GET" if name == "Content-Digest" else name,
                    f"{len(wanted)} characters",
                    "the same" if arrived == [wanted] else f"{len(', '.join(arrived))} characters",
                    "fields",
                )
            )
        twice = value(seen, "x-stampgate-twice")
        kept = twice.replace(" ", "") == "a,b"
        rows.append(
            self._judge(kept, "a field twice", "a · b", " · ".join(values(seen, "x-stampgate-twice")), "fields")
        )
        hop = values(seen, "x-stampgate-hop")
        rows.append(
            # Nothing here acts on such fields, so one that is handed on does no harm.
            Row("ok", "hop-by-hop", "Connection: X-Stampgate-Hop", "handed on" if hop else "removed")
        )
        added = values(seen, "content-type")
        rows.append(self._judge(not added, "Content-Type", "none, with GET", ", ".join(added) or "none", "fields"))
        rows.append(self._judge(not seen.body_bytes, "no body", "none, with GET", f"{seen.body_bytes} bytes", "body"))
        return rows

    async def _bodies(self) -> list[Row]:
        rows = []
        for about, body in (("body", BODY), ("large body", (BODY * LARGE_BODY_BYTES)[:LARGE_BODY_BYTES])):
            sent = f"{len(body)} bytes"
            try:
                _, seen = await self._probe("POST", f"{BASE}/body", [("Content-Type", "application/json")], body)
            except (NoAnswer, NotOurAnswer) as error:
                rows.append(Row("fault", about, sent, str(error), advice("body", self._server)))
                continue
            same = seen.body_sha256 == hashlib.sha256(body).hexdigest()
            arrived = "the same bytes" if same else f"{seen.body_bytes} bytes, others"
            rows.append(self._judge(same, about, sent, arrived, "body"))
            kind = value(seen, "content-type")
            if body is BODY:
                same = kind == "application/json"
                rows.append(self._judge(same, "Content-Type", "application/json", kind or "nothing", "fields"))
        return rows

    async def _methods(self) -> list[Row]:
        reply, token = await self._send("HEAD", f"{BASE}/head")
        wanted = f"HEAD {self._tokens.fingerprint(token)}"
        arrived = reply.one(SEEN.lower()).partition(" ")[0] or f"status {reply.status}"
        rows = [self._judge(reply.one(SEEN.lower()) == wanted, "method", "HEAD", arrived, "answer")]
        for method in ("PUT", "PATCH", "DELETE"):
            try:
                _, seen = await self._probe(method, f"{BASE}/method")
                arrived = seen.method
            except (NoAnswer, NotOurAnswer) as error:
                arrived = str(error)
            rows.append(self._judge(arrived == method, "method", method, arrived, "answer"))
        return rows

    async def _client(self) -> list[Row]:
        """The client's address: told by the proxy, not by the client, and not to be taken away by `Connection`."""
        _, plain = await self._probe("GET", f"{BASE}/client")
        header = plain.forwarded_header
        forged = FORGED if header == "x-forwarded-for" else f"for={FORGED}"
        _, lied = await self._probe("GET", f"{BASE}/client", [(header, forged)])
        _, robbed = await self._probe("GET", f"{BASE}/client", [("Connection", f"close, {header}")])
        written = value(plain, header)
        if not plain.peer_is_trusted:
            direct = not written and plain.peer == self._deployment.local_address
            return [
                Row("note", "client address", "no header", plain.client, "no proxy seems to stand between")
                if direct
                else Row(
                    "fault",
                    "client address",
                    "no header",
                    f"{plain.client}, the proxy's own",
                    f"STAMPGATE_TRUSTED_PROXIES={plain.peer}, if that is your proxy",
                )
            ]
        rows = [
            self._judge(
                bool(written), "client address", "no header", plain.client if written else f"no {header}", "client"
            ),
        ]
        believed = lied.client == FORGED
        if believed and value(lied, header).endswith(self._deployment.local_address):
            rows.append(
                Row(
                    "note",
                    "a forged address",
                    forged,
                    lied.client,
                    "this machine is a trusted proxy itself, so its word counts: run the doctor from another one too",
                )
            )
        else:
            rows.append(self._judge(not believed, "a forged address", forged, lied.client, "client"))
        same = robbed.client == plain.client and bool(values(robbed, header)) == bool(written)
        rows.append(self._judge(same, "address kept", f"Connection: {header}", robbed.client, "robbed"))
        return rows


def _is_canonical(target: str) -> bool:
    try:
        read_target(target)
    except NonCanonicalTarget:
        return False
    return True


def _not_ours(reply: Reply) -> str:
    if 300 <= reply.status < 400:
        return f"the proxy redirects to {reply.one('location')}: examine that address"
    if reply.status in (502, 503, 504):
        return "is the gateway running where the proxy looks for it?"
    return (
        "is this the gateway's data directory, its clock right, and does the proxy hand on the field Stampgate-Probe?"
    )
