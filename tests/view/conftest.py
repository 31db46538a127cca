"""Forecasts that are served by a real server on a free port of loopback."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Served:
    """A server in a thread of this process."""

    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
        """Return status, headers and body; underscores in names of headers become dashes."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        status, _, body = self.ask(path)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture(scope="session")
def make_served() -> type[Served]:
    """The class that asks a server, for one on a port of its own."""
    return Served


@pytest.fixture(scope="session")
def serving() -> Iterator[Callable[..., Served]]:
    """A function that serves an application behind its guard."""
    uvicorn = pytest.importorskip("uvicorn", reason="framecast[view] is not installed")
    from framecast.view.serve import Access, Guard

    running = []

    def begin(application: Any, access: Access | None = None) -> Served:
        guarded = Guard(application, access or Access.of("127.0.0.1"))
        server = uvicorn.Server(uvicorn.Config(guarded, port=0, log_level="warning", access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        running.append((server, thread))
        return Served(server.servers[0].sockets[0].getsockname()[1])

    yield begin
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def forecasts(gaussian_forecast: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two forecasts of the same windows; pixels are masked at the left."""
    import numpy as np

    root = tmp_path_factory.mktemp("view")
    mask = np.zeros((12, 16), dtype=bool)
    mask[:, :2] = True
    return [
        gaussian_forecast(root / "good.zarr", mask=mask),
        gaussian_forecast(root / "other.zarr", spread=0.5, members=6),
    ]


@pytest.fixture(scope="session")
def served(serving: Callable[..., Served], forecasts: list[Path]) -> Iterator[Served]:
    """The two forecasts, served."""
    from framecast.view.app import application
    from framecast.view.library import opened

    with opened(forecasts) as library:
        yield serving(application(library))
