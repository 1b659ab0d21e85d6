"""Routes of the kiosk tier. All but the request for a nonce are behind the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from crypto.tokens import new_token, token_hash
from gateway.devices.heartbeats import Heartbeat
from gateway.devices.lifecycle import DeviceState, state_now
from gateway.devices.models import ClientInfo
from gateway.http.bodies import parse, parse_query
from gateway.http.client_address import address_key
from gateway.http.plain import PlainAnswer, json_answer
from gateway.http.problems import Problem
from gateway.http.routes import Route
from gateway.kiosk.enrolment_body import EnrolmentBody
from gateway.kiosk.gate import REPLAY_NONCE
from gateway.kiosk.models import (
    CompanyAnswer,
    DeviceAnswer,
    EnrolmentAnswer,
    HeartbeatBody,
    KioskSessionAnswer,
    NonceQuery,
    PinChangeBody,
)
from gateway.pin_login.models import CredentialsBody, EmployeeAnswer
from gateway.pin_login.service import Credentials
from gateway.stamping.models import (
    ActionBody,
    DaysAnswer,
    RecordedAnswer,
    StatusAnswer,
    days_answer,
    read_action,
    recorded_json,
    status_answer,
)
from gateway.stamping.records import StampRequest
from storage.ephemeral.device_trust import SESSION_SECONDS, KioskSession

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.http.plain import PlainRequest
    from gateway.kiosk.gate import EnrolmentRequest, SignedRequest

TAG: Final = "kiosk"
IDLE_TIMEOUT: Final = 20
"""Seconds after which a terminal's page signs out by itself; the gateway's own limit is longer, for lost answers."""


class KioskRoutes:
    """The handlers, over the services of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Return the routes of this tier."""
        gate, base = self._gateway.gate, "/api/time/kiosk"
        login = ("login-failed", "login-throttled", "busy")
        return [
            Route(
                method="HEAD",
                path=f"{base}/nonce",
                handler=self.nonce,
                summary="Get a fresh nonce for a key",
                tag=TAG,
                access="public",
                query=NonceQuery,
                answers={204: None},
            ),
            Route(
                method="POST",
                path=f"{base}/enrolments",
                handler=gate.enrolling(self.enrol),
                summary="Enrol this terminal with a code, proving possession of its key",
                tag=TAG,
                access="enrolment",
                body=EnrolmentBody,
                answers={201: EnrolmentAnswer},
                problems=("enrolment-code-invalid", "weak-key", "key-reused", "too-many-requests"),
            ),
            Route(
                method="GET",
                path=f"{base}/device",
                handler=gate.signed(self.device, pending=True),
                summary="What the gateway knows of this terminal; polled while approval is waited for",
                tag=TAG,
                access="signed",
                answers={200: DeviceAnswer},
            ),
            Route(
                method="POST",
                path=f"{base}/heartbeat",
                handler=gate.signed(self.heartbeat),
                summary="A sign of life with version and clock offset",
                tag=TAG,
                access="signed",
                body=HeartbeatBody,
            ),
            Route(
                method="POST",
                path=f"{base}/auth",
                handler=gate.signed(self.auth),
                summary="Sign an employee in",
                tag=TAG,
                access="signed",
                body=CredentialsBody,
                answers={200: KioskSessionAnswer},
                problems=login,
            ),
            Route(
                method="GET",
                path=f"{base}/status",
                handler=gate.signed(self.status, session=True),
                summary="What is true of the employee now",
                tag=TAG,
                access="signed-session",
                answers={200: StatusAnswer},
            ),
            Route(
                method="GET",
                path=f"{base}/days",
                handler=gate.signed(self.days, session=True),
                summary="The employee's own last seven days",
                tag=TAG,
                access="signed-session",
                answers={200: DaysAnswer},
            ),
            Route(
                method="POST",
                path=f"{base}/action",
                handler=gate.signed(self.action, session=True, stamping=True),
                summary="Stamp",
                tag=TAG,
                access="signed-session",
                body=ActionBody,
                answers={201: RecordedAnswer, 200: RecordedAnswer},
                problems=("action-not-valid", "stamp-id-reused"),
            ),
            Route(
                method="POST",
                path=f"{base}/pin",
                handler=gate.signed(self.change_pin, session=True),
                summary="Change one's own PIN",
                tag=TAG,
                access="signed-session",
                body=PinChangeBody,
                problems=login,
            ),
            Route(
                method="POST",
                path=f"{base}/logout",
                handler=gate.signed(self.logout, session=True),
                summary="Sign the employee out",
                tag=TAG,
                access="signed-session",
            ),
        ]

    async def nonce(self, request: web.Request) -> web.Response:
        """Mint a nonce. It costs Redis nothing, so anybody may ask."""
        query = parse_query(NonceQuery, request)
        return web.Response(status=204, headers={REPLAY_NONCE: self._gateway.gate.fresh_nonce(query.keyid)})

    async def enrol(self, request: PlainRequest, signed: EnrolmentRequest) -> PlainAnswer:
        """Take a code and a proven key; five wrong codes from one address pause further tries."""
        gateway = self._gateway
        source, attempt = address_key(gateway.addresses.of(request)), gateway.administration.new_id()
        retry_after = await gateway.enrolment_quota.reserve(source, attempt, signed.now)
        if retry_after:
            raise Problem("too-many-requests", retry_after=retry_after, cause="wrong enrolment codes")
        try:
            await signed.burn_nonce()
            body = parse(EnrolmentBody, signed.body)
            started = await gateway.administration.devices.enrol(
                body.code,
                signed.public_key,
                ClientInfo(body.client.name, body.client.version, body.client.platform),
                request_id=request.id,
            )
        except Exception as error:
            # Whatever was not a wrong code does not count as one.
            if not (isinstance(error, Problem) and error.name == "enrolment-code-invalid"):
                await gateway.enrolment_quota.right(source, attempt)
            raise
        await gateway.enrolment_quota.right(source, attempt)
        answer = EnrolmentAnswer(
            device_id=started.device_id,
            enrolment_id=started.enrolment_id,
            state=started.state,
            gateway_keyid=started.gateway_keyid,
        )
        return json_answer(answer, 201)

    async def device(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """Tell the terminal what it is."""
        device, company = signed.device, self._gateway.companies_known.get(signed.device.company_id)
        state = state_now(
            device.state,
            signed.now,
            enrolment_started_at=device.enrolment_started_at,
            key_expires_at=device.key_expires_at,
        )
        answer = DeviceAnswer(
            device_id=device.device_id,
            enrolment_id=device.enrolment_id if state is DeviceState.PENDING else None,
            gateway_keyid=self._gateway.administration.secrets.gateway_key.keyid,
            state=state,
            label=device.label,
            location=device.location,
            company=CompanyAnswer(name=company.name, timezone=company.timezone, locale=company.locale),
            key_expires_at=device.key_expires_at,
            server_time=signed.now,
        )
        return json_answer(answer)

    async def heartbeat(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """Note a sign of life; written in batches, so that a fleet's heartbeats cost one commit."""
        body = parse(HeartbeatBody, signed.body)
        client = ClientInfo(body.client.name, body.client.version, body.client.platform)
        beat = Heartbeat(signed.device.device_id, signed.now, client, body.clock_offset_ms)
        await self._gateway.heartbeats.beat(beat)
        return PlainAnswer(204)

    async def auth(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """Sign an employee in at this terminal; a session that was open here ends."""
        gateway, device = self._gateway, signed.device
        body = parse(CredentialsBody, signed.body)
        trust_seq = gateway.feed.seen
        signed_in = await gateway.pin_login.sign_in(
            Credentials(
                tier="kiosk",
                company_id=device.company_id,
                personnel_number=body.personnel_number,
                pin=body.pin,
                request_id=request.id,
                device_id=device.device_id,
            )
        )
        user, token = signed_in.user, new_token(gateway.administration.randomness)
        status = await gateway.stamping.status(user.id, user.company_id)
        session = KioskSession(user.id, user.company_id, trust_seq, gateway.administration.clock())
        await gateway.device_trust.open_session(device.keyid, token_hash(token), session, session.started)
        answer = KioskSessionAnswer(
            session_token=token,
            expires_in=int(SESSION_SECONDS),
            idle_timeout=IDLE_TIMEOUT,
            employee=EmployeeAnswer(display_name=user.full_name),
            failed_attempts=signed_in.failed_attempts,
            status=status_answer(status),
        )
        return json_answer(answer)

    async def status(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """Tell what is true of the employee now."""
        session = _session(signed)
        return json_answer(status_answer(await self._gateway.stamping.status(session.user_id, session.company_id)))

    async def days(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """Tell the employee's own last days."""
        session = _session(signed)
        return json_answer(days_answer(await self._gateway.stamping.days(session.user_id, session.company_id)))

    async def action(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """Stamp. The path every wage depends on: nothing here but parsing, recording and answering."""
        session = _session(signed)
        stamp_id, action = read_action(signed.body)
        recorded = await self._gateway.stamping.record(
            StampRequest(
                session.user_id,
                session.company_id,
                stamp_id,
                action,
                "kiosk",
                request.id,
                signed.device.device_id,
            )
        )
        return PlainAnswer(200 if recorded.repeated else 201, recorded_json(recorded))

    async def change_pin(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """Change one's own PIN; the current one is checked through the guard and counts."""
        session = _session(signed)
        body = parse(PinChangeBody, signed.body)
        await self._gateway.own_pin.change(
            user_id=session.user_id,
            company_id=session.company_id,
            current_pin=body.current_pin,
            new_pin=body.new_pin,
            device_id=signed.device.device_id,
            request_id=request.id,
        )
        return PlainAnswer(204)

    async def logout(self, request: PlainRequest, signed: SignedRequest) -> PlainAnswer:
        """End the employee's session."""
        if signed.session_hash is not None:
            await self._gateway.device_trust.end_session(signed.device.keyid, signed.session_hash)
        return PlainAnswer(204)


def _session(signed: SignedRequest) -> KioskSession:
    """Return the session that the gate has made sure of."""
    if signed.session is None:
        raise Problem("session-expired", cause="route without a session")
    return signed.session
