"""Running the application: the address, the token, the browser, and who is answered.

The server is meant for one person on one machine. A page of the internet that is open in the same browser can send
requests to it too, but its origin and the host name it uses identify it. On other addresses than loopback a token is
required as well, which is printed when the server starts and kept by the browser as a cookie. Every request is checked
before the application sees it, and every answer has headers that say what a page may do.
"""

import hmac
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framecast.core.errors import ConfigError, FramecastError

_EVERYWHERE = ("0.0.0.0", "::")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
COOKIE = "framecast_token"
_READING = ("GET", "HEAD", "OPTIONS")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


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
    def of(cls, host: str, public: str = "", token: str | None = None) -> "Access":
        """Return the access rules of a server on ``host``, which a proxy shows as ``public``.

        A ``token`` is made unless one is given, or only this machine can reach the server.
        """
        if public and not public.startswith(("http://", "https://")):
            raise ConfigError(f"--public is {public}; it is an address such as https://example.org/view")
        if token is None:
            token = "" if host in LOOPBACK and not public else secrets.token_urlsafe(24)
        parts = urlsplit(public)
        hosts = {*LOOPBACK, host, parts.hostname or host, *(_own_names() if host in _EVERYWHERE else ())}
        return cls(
            hosts=frozenset(name.lower() for name in hosts),
            token=token,
            path=parts.path.rstrip("/"),
            secure=parts.scheme == "https",
        )


class Guard:
    """The application behind the checks."""

    def __init__(self, application: ASGIApp, access: Access) -> None:
        self._application, self._access = application, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        if scope["type"] != "http":
            return
        place, scope = scope["path"], self._unmounted(scope)

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await (self._own_answer(Request(scope), place) or self._application)(scope, receive, sealed)

    def _own_answer(self, request: Request, place: str) -> Response | None:
        """Return the answer to a request that the application must not see, or None."""
        if reason := self._objection(request.method, request.headers):
            return _text(403, reason)
        if self._access.token and not self._same(request.cookies.get(COOKIE, "")):
            return self._admit(request)
        if place and place == self._access.path:  # links on the page are relative to the folder
            return RedirectResponse(f"{place}/", 307)
        return None

    def _unmounted(self, scope: Scope) -> Scope:
        """Return a request without the path of the proxy, which may have left it out or not."""
        path, own = scope["path"], self._access.path
        if not own or not f"{path}/".startswith(f"{own}/"):
            return scope
        return {**scope, "path": path.removeprefix(own) or "/"}

    def _objection(self, method: str, headers: Headers) -> str:
        host = headers.get("host", "")
        if _name(host) not in self._access.hosts:
            return f"{host[:80]} is not a name of this server: open the address that it printed"
        if not self._own(headers.get("origin"), host) and not (method in _READING and headers["origin"] == "null"):
            return "requests from other sites are refused"
        site = headers.get("sec-fetch-site", "same-origin")
        followed = method in _READING and headers.get("sec-fetch-mode") == "navigate"  # a link to this server
        if site not in ("same-origin", "none") and not followed:
            return "requests from other sites are refused"
        return ""

    def _own(self, origin: str | None, host: str) -> bool:
        """Whether a request comes from a page of this server, under the name it was called by or its public one."""
        if origin is None:
            return True
        place = urlsplit(origin).netloc.lower()
        return place == host.lower() or _name(place) in self._access.hosts - set(LOOPBACK)

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._access.token.encode())

    def _admit(self, request: Request) -> Response:
        """Set the cookie for an address with the token, and refuse all others."""
        query, access = request.query_params, self._access
        if request.method != "GET" or not any(map(self._same, query.getlist("token"))):
            return _text(401, "open the address with the token that was printed when the server started")
        rest = urlencode([(key, value) for key, value in query.multi_items() if key != "token"])
        answer = RedirectResponse(access.path + quote(request.scope["path"]) + (f"?{rest}" if rest else ""), 303)
        path = access.path or "/"
        answer.set_cookie(COOKIE, access.token, path=path, secure=access.secure, httponly=True, samesite="strict")
        return answer


def _text(status: int, text: str) -> Response:
    return PlainTextResponse(f"framecast view: {text}\n", status)


def _name(host: str) -> str:
    """Return the name in ``name:port``, ``[::1]:port`` or ``name``."""
    return (urlsplit(f"//{host}").hostname or "").lower()


def serve(
    application: Any,
    who: Access,
    *,
    host: str,
    port: int,
    public: str = "",
    browser: bool,
    say: Callable[[str], object],
) -> None:
    """Answer requests until the process is interrupted; ``say`` is given the address, once.

    ``public`` is the address that a proxy gives it, and a port of 0 takes a free one.

    Raises:
        FramecastError: the port is taken, or the address is not one of this machine.
    """
    import uvicorn

    listener = _listen(host, port)
    port = listener.getsockname()[1]
    name = "127.0.0.1" if host in _EVERYWHERE else f"[{host}]" if ":" in host else host
    own = f"http://{name}:{port}/"
    address = (f"{public.rstrip('/')}/" if public else own) + (f"?token={who.token}" if who.token else "")
    say(address)
    if browser:
        threading.Timer(0.5, webbrowser.open, [own + (f"?token={who.token}" if who.token else "")]).start()
    config = uvicorn.Config(
        Guard(application, who),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=65536,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise FramecastError(
            f"{host}:{port} cannot be listened on ({error.strerror}): choose another --host or --port; --port 0 finds "
            "a free one"
        ) from None
    listener.listen(1024)
    return listener


def _own_names() -> tuple[str, ...]:
    import psutil

    addresses = [entry.address.partition("%")[0] for entries in psutil.net_if_addrs().values() for entry in entries]
    return (socket.gethostname(), socket.getfqdn(), *addresses)
