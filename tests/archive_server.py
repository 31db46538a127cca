"""A solar archive on loopback: a real HTTP server over a folder, which misbehaves when told to.

It serves a folder in the layout of JSOC's synoptic archive, the same files again as its near-real-time branch, the
listings of folders that sunpy's client reads, and JPEG 2000 files by Helioviewer's getJP2Image. By hand:

    python tests/archive_server.py FOLDER [PORT [SECONDS BEFORE EACH ANSWER]]

A server in another process is told its moods by a request for ``/moods/`` and their JSON.
"""

import contextlib
import json
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

HELIOVIEWER_AIA = (94, 131, 171, 193, 211, 304, 335, 1600, 1700, 4500)


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *about: object) -> None:
        """Clients that go away are no news."""


class ArchiveServer:
    """The server and what it saw.

    Attributes:
        folder: files in the layout of the synoptic archive.
        jp2: JPEG 2000 files named ``aia_<wavelength>_<YYYYmmddTHHMMSS>.jp2``.
        moods: for a part of a path, what happens to the requests for it, one after the other: a status (``"404"``,
            ``"503"``, ``"503 retry=1"``), ``"drip"``, ``"silent"``, ``"reset"``, ``"truncated"``, ``"html"``, or
            ``"other <path>"`` to serve another file, or ``""`` for none. ``"*"`` in front makes it last.
        delay: seconds before every answer.
        requests: how often each path was asked for.
        times: when each request came, by path.
        most: the most requests that were answered side by side.
    """

    def __init__(self, folder: Path | None = None, *, jp2: Path | None = None, port: int = 0) -> None:
        self.folder, self.jp2 = folder, jp2
        self.moods: dict[str, list[str]] = {}
        self.delay = 0.0
        self.requests: Counter[str] = Counter()
        self.times: defaultdict[str, list[float]] = defaultdict(list)
        self.most = 0
        self._busy = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError, BrokenPipeError, TimeoutError):
                    owner.answer(self)

            do_HEAD = do_GET

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = _QuietServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def files(self) -> int:
        """How many requests for images there were."""
        return sum(count for path, count in self.requests.items() if not path.endswith("/"))

    def __enter__(self) -> "ArchiveServer":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        if self._stopping.is_set():
            request.close_connection = True
            return
        target = unquote(request.path)
        if target.startswith("/moods/"):
            self.moods = json.loads(target.removeprefix("/moods/"))
            return self._send(request, 200, b"", "text/plain")
        with self._lock:
            self._busy += 1
            self.most = max(self.most, self._busy)
            self.requests[urlsplit(target).path if "getJP2Image" not in target else target] += 1
            self.times[urlsplit(target).path].append(time.monotonic())
            mood = self._mood(target)
        try:
            self._stopping.wait(self.delay)
            self._respond(request, target, mood)
        finally:
            with self._lock:
                self._busy -= 1

    def _mood(self, target: str) -> str:
        for part, moods in self.moods.items():
            if part in target and moods:
                return moods[0][1:] if moods[0].startswith("*") else moods.pop(0)
        return ""

    def _respond(self, request: BaseHTTPRequestHandler, target: str, mood: str) -> None:
        path = urlsplit(target).path
        if re.match(r"\d{3}", mood):
            headers = {"Retry-After": mood.split("retry=")[1]} if "retry=" in mood else {}
            return self._send(request, int(mood[:3]), b"<html>in trouble</html>", "text/html", headers)
        if mood == "html":
            page = b"<!DOCTYPE html><html><body>Service temporarily unavailable</body></html>"
            return self._send(request, 200, page, "text/html")
        if path.endswith("/") and "getJP2Image" not in path:
            return self._listing(request, path)
        file = self._file(target) if not mood.startswith("other ") else self.folder / mood.removeprefix("other ")
        if file is None or not file.is_file():
            return self._send(request, 404, b"<html>not found</html>", "text/html")
        body = file.read_bytes()
        if mood in ("drip", "silent", "reset", "truncated"):
            return self._break(request, body, mood)
        return self._send(request, 200, body, "application/octet-stream")

    def _file(self, target: str) -> Path | None:
        """Return the file behind an address."""
        path = urlsplit(target).path.lstrip("/")
        if "getJP2Image" in path:
            return self._nearest(parse_qs(urlsplit(target).query))
        if path.startswith("nrt/"):
            path = re.sub(r"_(\d{4})00_(\d{4}\.fits)$", r"_\1_\2", path.removeprefix("nrt/"))
        return None if self.folder is None else self.folder / path

    def _nearest(self, query: dict[str, list[str]]) -> Path | None:
        wanted = datetime.fromisoformat(query["date"][0].replace("Z", ""))
        wavelength = HELIOVIEWER_AIA[int(query["sourceId"][0]) - 8]
        files = sorted(self.jp2.glob(f"aia_{wavelength}_*.jp2")) if self.jp2 else []

        def away(file: Path) -> float:
            return abs((datetime.strptime(file.stem[-15:], "%Y%m%dT%H%M%S") - wanted).total_seconds())

        return min(files, key=away, default=None)

    def _listing(self, request: BaseHTTPRequestHandler, path: str) -> None:
        folder = self.folder / path.strip("/") if self.folder else None
        if folder is None or not folder.is_dir():
            return self._send(request, 404, b"<html>not found</html>", "text/html")
        names = sorted(item.name + "/" * item.is_dir() for item in folder.iterdir())
        links = "".join(f'<a href="{name}">{name}</a>\n' for name in names)
        return self._send(request, 200, f"<html><body>{links}</body></html>".encode(), "text/html")

    def _send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(body)

    def _break(self, request: BaseHTTPRequestHandler, body: bytes, mood: str) -> None:
        """Begin well, and go wrong after half of the body."""
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        half = len(body) // 2
        request.wfile.write(body[:half])
        request.wfile.flush()
        request.close_connection = True
        if mood == "silent":
            self._stopping.wait(60)
        elif mood == "drip":
            for k in range(half, len(body)):
                request.wfile.write(body[k : k + 1])
                if self._stopping.wait(0.05):
                    return
        elif mood == "reset":  # a RST in place of a FIN
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()


@contextlib.contextmanager
def serve(folder: Path | None = None, *, jp2: Path | None = None) -> Iterator[ArchiveServer]:
    with ArchiveServer(folder, jp2=jp2) as server:
        yield server


if __name__ == "__main__":
    arguments = [*sys.argv[1:], "0", "0"]
    with ArchiveServer(Path(arguments[0]), port=int(arguments[1])) as running:
        running.delay = float(arguments[2])
        print(running.url, flush=True)
        threading.Event().wait()
