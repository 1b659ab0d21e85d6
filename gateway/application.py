"""The aiohttp application of a gateway: every route behind the one outer middleware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway import well_known
from gateway.accounts.routes import AccountRoutes
from gateway.audit.routes import AuditRoutes
from gateway.companies.routes import CompanyRoutes
from gateway.devices.routes import DeviceRoutes
from gateway.http import health, openapi, problem_pages
from gateway.http.bodies import BODY_LIMIT
from gateway.http.connections import SHORT_WAYS, ShortWays
from gateway.http.middlewares import Outer
from gateway.http.routes import Route, register
from gateway.kiosk.key_change import KeyChangeRoute
from gateway.kiosk.routes import KioskRoutes
from gateway.lockouts.routes import LockoutRoutes
from gateway.pages import kiosk as kiosk_page
from gateway.pages import nowhere
from gateway.pages import phone as phone_page
from gateway.pages import trust as trust_page
from gateway.pages.console import routes as console
from gateway.people.routes import PeopleRoutes
from gateway.phone.poster_route import PosterRoute
from gateway.phone.routes import PhoneRoutes
from gateway.product import product_version
from gateway.stamping.routes import StampRoutes

if TYPE_CHECKING:
    from gateway.app import Gateway


def make_application(gateway: Gateway) -> web.Application:
    """Return the application that serves `gateway`."""
    # One byte more than a body may have, so that our own limit answers and not the framework's.
    outer = Outer(gateway.metrics, probes=gateway.probes, nowhere=nowhere.NowherePage())
    routes = all_routes(gateway)
    app = web.Application(middlewares=[outer.middleware()], client_max_size=BODY_LIMIT + 1)
    register(app, routes)
    app[SHORT_WAYS] = ShortWays(outer, gateway.metrics, routes)
    return app


def all_routes(gateway: Gateway) -> list[Route]:
    """Return every route of the product: the interface and the pages of the console."""
    return [*interface(gateway), *console.routes(gateway)]


def interface(gateway: Gateway) -> list[Route]:
    """Return the routes that programs call, and the pages that stand on it; the OpenAPI document of all others last."""

    async def trust_feed() -> None:
        if not gateway.feed.is_fresh:
            raise TimeoutError("the trust feed is too old")

    checks = {
        "database": gateway.administration.database.ping,
        "redis": gateway.ephemeral.ping,
        "trust-feed": trust_feed,
    }
    routes = [
        *KioskRoutes(gateway).routes(),
        *KeyChangeRoute(gateway).routes(),
        *PhoneRoutes(gateway).routes(),
        *AccountRoutes(gateway).routes(),
        *_administration(gateway),
        *phone_page.routes(),
        *kiosk_page.routes(),
        *trust_page.routes(gateway.administration.settings.data_dir, gateway.administration.public_url),
        *health.routes(checks),
        *problem_pages.routes(),
        *well_known.routes(gateway.administration.secrets.gateway_key),
    ]
    return [*routes, openapi.route(routes, product_version())]


def _administration(gateway: Gateway) -> list[Route]:
    """Return the routes for people who run a company."""
    gate, site = gateway.account_gate, gateway.administration
    return [
        *CompanyRoutes(gate=gate, companies=site.companies, invitations=gateway.invitations).routes(),
        *PosterRoute(gate=gate, posters=gateway.posters).routes(),
        *PeopleRoutes(gate=gate, people=site.people, own_account=gateway.own_account).routes(),
        *DeviceRoutes(gate=gate, devices=site.devices).routes(),
        *StampRoutes(gate=gate, history=site.history, corrections=site.corrections).routes(),
        *LockoutRoutes(gate=gate, lockouts=site.lockouts).routes(),
        *AuditRoutes(gate=gate, audit=site.audit).routes(),
    ]
