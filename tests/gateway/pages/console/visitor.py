"""Somebody who uses the console with a browser, as far as a browser is cookies, forms and addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

from aiohttp import FormData

from gateway.pages.console.cookies import SESSION
from tests.gateway.waiting import until

if TYPE_CHECKING:
    import io

    from multidict import CIMultiDictProxy

    from gateway.http.routes import Route
    from tests.gateway.house import House

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Shown:
    """An answer: a page, a file, or the way to another page."""

    status: int
    text: str
    raw: bytes
    headers: CIMultiDictProxy[str]

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def words(self) -> str:
        """What there is to read, white space made single."""
        bare = re.sub(r"<[^>]*>", " ", self.text.partition("<body")[2])
        return " ".join(unescape(bare).split())

    @property
    def faults(self) -> list[str]:
        return [unescape(found) for found in re.findall(r'<p class="fault"[^>]*>(.*?)</p>', self.text)]

    def value(self, name: str) -> str:
        """The value of a field, as the page shows it."""
        found = re.search(rf'<input[^>]* name="{name}"[^>]*? value="([^"]*)"', self.text)
        assert found is not None, name
        return unescape(found[1])


@dataclass
class Visitor:
    """Keeps cookies as a browser does, and posts from our own pages unless told otherwise."""

    house: House
    language: str = "en"
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    async def get(self, path: str, **headers: str) -> Shown:
        return await self._ask("GET", path, None, _fields(headers))

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Shown:
        return await self._ask("POST", path, fields or {}, _fields(headers))

    async def upload(self, path: str, text: str | bytes | io.IOBase, name: str = "file") -> Shown:
        form = FormData()
        form.add_field(name, text, filename="people.csv", content_type="text/csv")
        return await self._ask("POST", path, form, _fields({}))

    async def follow(self, shown: Shown) -> Shown:
        """Go where an answer leads to."""
        assert shown.status == 303, shown.words
        return await self.get(shown.location)

    async def sign_in(self, email: str, password: str = PASSWORD, **fields: str) -> Shown:
        await self.get("/console/sign-in")
        return await self.post("/console/sign-in", {"email": email, "password": password, **fields})

    async def _ask(self, method: str, path: str, data: object, headers: dict[str, str]) -> Shown:
        fields = {"Accept-Language": self.language, **headers}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.house.http.request(
            method, self.house.url + path, data=data, headers=fields, allow_redirects=False
        ) as answer:
            raw = await answer.read()
            self.set_cookies = answer.headers.getall("Set-Cookie", [])
            for line in self.set_cookies:
                for name, morsel in SimpleCookie(line).items():
                    if morsel["max-age"] == "0":
                        self.cookies.pop(name, None)
                    else:
                        self.cookies[name] = morsel.value
            return Shown(answer.status, raw.decode(errors="replace"), raw, answer.headers)


def _fields(headers: dict[str, str]) -> dict[str, str]:
    """What a browser says on a page of ours, unless told otherwise; an empty value leaves a field out."""
    fields = {"Sec-Fetch-Site": "same-origin"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {name: value for name, value in fields.items() if value}


def an_address(route: Route, id_: str = "0190b0e0-6f5a-7000-8000-000000000000") -> str:
    """An address that a route serves."""
    return re.sub(r"\{[a-z]+\}", "x", route.path.replace("{id}", id_))


async def visitor_as(
    house: House, role: str, language: str = "en", *, email: str | None = None, by_the_page: bool = False
) -> Visitor:
    """Somebody with this role who has just signed in, without the page unless that is to be seen in what follows."""
    address = email or f"{role}@rosenthal.example"
    site = house.gateway.administration
    user = await site.people.add(
        house.company_id, full_name=f"Some {role.title()}", email=address, role=role, actor="cli"
    )
    await site.accounts.set_password(user.id, PASSWORD, actor="cli")
    visitor = Visitor(house, language)
    if by_the_page:
        assert (await visitor.sign_in(address)).status == 303
        return visitor
    async with site.database.write() as connection:
        opened = await house.gateway.sessions.open(connection, user.id)
    await house.told()
    visitor.cookies[SESSION] = opened.token
    return visitor


async def slips_ready(visitor: Visitor) -> Shown:
    """The page of PIN slips as soon as they can be downloaded."""
    shown: Shown

    async def ready() -> bool:
        nonlocal shown
        shown = await visitor.get("/console/people/slips")
        return "/console/people/slips/fetch" in shown.text

    await until(ready)
    return shown
