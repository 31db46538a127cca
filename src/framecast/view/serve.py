"""Running the application: the address, the token, the browser."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable
from typing import Any

from framecast.core.errors import ConfigError, FramecastError
from framecast.view.guard import LOOPBACK, Access, Guard

_EVERYWHERE = ("0.0.0.0", "::")


def access(host: str, public: str = "") -> Access:
    """Return the access rules of a server on ``host``: with a token unless only this machine can reach it."""
    if public and not public.startswith(("http://", "https://")):
        raise ConfigError(f"--public is {public}; it is an address such as https://example.org/view")
    token = "" if host in LOOPBACK and not public else secrets.token_urlsafe(24)
    return Access.of(host, token, public, names=_own_names() if host in _EVERYWHERE else ())


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
