"""Access control: checks of every request before the application sees it, and headers of every answer.

The server is meant for one person on one machine. A page of the internet that is open in the same browser can send
requests to it too, but its origin and the host name it uses identify it. On other addresses than loopback a token is
required as well, which is printed when the server starts and kept by the browser as a cookie.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "framecast_token"
_READING = ("GET", "HEAD", "OPTIONS")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


@dataclass(frozen=True, kw_only=True)
class Access:
    """Access control.

    Attributes:
        hosts: names that the server may be called by, without ports.
        token: required secret; empty for none.
        path: under which the application is reached, such as ``/view``; empty for the root.
        secure: whether it is reached by https only.
    """

    hosts: frozenset[str]
    token: str = ""
    path: str = ""
    secure: bool = False

    @classmethod
    def of(cls, host: str, token: str, public: str = "", names: Sequence[str] = ()) -> "Access":
        """Return the access rules of a server on ``host``, also called ``names``, shown by a proxy as ``public``."""
        parts = urlsplit(public)
        hosts = {*LOOPBACK, host, *names, *([parts.hostname] if parts.hostname else [])}
        return cls(
            hosts=frozenset(name.lower() for name in hosts),
            token=token,
            path=parts.path.rstrip("/"),
            secure=parts.scheme == "https",
        )


class Guard:
    """The application behind the checks."""

    def __init__(self, application: Any, access: Access) -> None:
        self._application, self._access = application, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._application(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        scope, place = self._unmounted(scope), scope["path"]
        if reason := self._objection(scope["method"], headers):
            await _answer(send, 403, reason)
            return
        if self._access.token and not self._knows(headers.get(b"cookie", "")):
            await self._admit(scope, send)
            return
        if place and place == self._access.path:  # links on the page are relative to the folder
            await _answer(send, 307, "", [(b"location", f"{place}/".encode())])
            return

        async def sealed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._application(scope, receive, sealed)

    def _unmounted(self, scope: Scope) -> Scope:
        """Return a request without the path of the proxy, which may have left it out or not."""
        path, own = scope["path"], self._access.path
        if not own or not f"{path}/".startswith(f"{own}/"):
            return scope
        return {**scope, "path": path.removeprefix(own) or "/"}

    def _objection(self, method: str, headers: dict[bytes, str]) -> str:
        host = headers.get(b"host", "")
        if _name(host) not in self._access.hosts:
            return f"{host[:80]} is not a name of this server: open the address that it printed"
        if not self._own(headers.get(b"origin"), host) and not (method in _READING and headers[b"origin"] == "null"):
            return "requests from other sites are refused"
        site = headers.get(b"sec-fetch-site", "same-origin")
        followed = method in _READING and headers.get(b"sec-fetch-mode") == "navigate"  # a link to this server
        if site not in ("same-origin", "none") and not followed:
            return "requests from other sites are refused"
        return ""

    def _own(self, origin: str | None, host: str) -> bool:
        """Whether a request comes from a page of this server, under the name it was called by or its public one."""
        if origin is None:
            return True
        place = urlsplit(origin).netloc.lower()
        return place == host.lower() or _name(place) in self._access.hosts - set(LOOPBACK)

    def _knows(self, cookies: str) -> bool:
        try:
            found = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return False
        return found is not None and self._same(found.value)

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._access.token.encode())

    async def _admit(self, scope: Scope, send: Send) -> None:
        """Set the cookie for an address with the token, and refuse all others."""
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        if scope["method"] != "GET" or not any(key == "token" and self._same(value) for key, value in query):
            await _answer(send, 401, "open the address with the token that was printed when the server started")
            return
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        place = self._access.path + quote(scope["path"]) + (f"?{rest}" if rest else "")
        cookie = f"{COOKIE}={self._access.token}; Path={self._access.path or '/'}; HttpOnly; SameSite=Strict"
        cookie += "; Secure" if self._access.secure else ""
        await _answer(send, 303, "", [(b"location", place.encode()), (b"set-cookie", cookie.encode())])


async def _answer(send: Send, status: int, text: str, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = f"framecast view: {text}\n".encode()
    about = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*about, *(headers or []), *_HEADERS]})
    await send({"type": "http.response.body", "body": body})


def _name(host: str) -> str:
    """Return the name in ``name:port``, ``[::1]:port`` or ``name``."""
    return (urlsplit(f"//{host}").hostname or "").lower()
