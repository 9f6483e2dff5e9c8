"""A web server on this machine that behaves as badly as it is told to."""

import hashlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """What it serves, how it behaves at each path, and what it was asked.

    `ways` are taken one after another, the last for good: `whole` (the default), `no-ranges`, `cut` and `trickle`
    (half of what is asked for, with and without having told its length), `stall` (half, then nothing), `wrong`
    (other bytes), `other-part` (another range than was asked for), a status, with a semicolon and the value of
    `Retry-After`, or `to ADDRESS` (a redirect).
    """

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ways: dict[str, list[str]] = field(default_factory=lambda: defaultdict(lambda: ["whole"]))
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"{self.base}/{path}"

    def way(self, path: str) -> str:
        ways = self.ways[path]
        return ways.pop(0) if len(ways) > 1 else ways[0]

    def times(self, path: str) -> int:
        return sum(asked == path for asked, _ in self.asked)


class _Handler(BaseHTTPRequestHandler):
    server: "_HTTPServer"

    def do_HEAD(self) -> None:
        """What the hub tells of a file before it is fetched."""
        content = self.server.state.files.get(self.path.lstrip("/"))
        if content is None:
            self._begin(404)
            return
        digest = hashlib.sha256(content).hexdigest()
        self._begin(
            200, **{"Content-Length": str(len(content)), "ETag": f'"{digest}"', "X-Repo-Commit": digest[:40]}
        )

    def do_GET(self) -> None:
        state, path = self.server.state, self.path.lstrip("/").partition("?")[0]
        wanted = self.headers.get("Range", "")
        state.asked.append((path, wanted))
        state.headers.append(dict(self.headers))
        way = state.way(path)
        if way.startswith("to "):
            self._begin(302, Location=way[3:])
        elif way[0].isdigit():
            status, _, wait = way.partition(";")
            self._begin(int(status), **({"Retry-After": wait} if wait else {}))
        elif path not in state.files:
            self._begin(404)
        else:
            self._send(state.files[path], way, wanted)

    def _send(self, content: bytes, way: str, wanted: str) -> None:
        size = len(content)
        start = int(wanted[6:-1]) if wanted and way != "no-ranges" else 0
        if wanted and start >= size:
            self._begin(416, **{"Content-Range": f"bytes */{size}"})
            return
        if way == "wrong":
            content = bytes(255 - byte for byte in content)
        told = start + 1 if way == "other-part" else start
        length = {} if way == "trickle" else {"Content-Length": str(size - start)}
        if start:
            self._begin(206, **length, **{"Content-Range": f"bytes {told}-{size - 1}/{size}"})
        else:
            self._begin(200, **length)
        rest = content[start:]
        self.wfile.write(rest if way not in ("cut", "trickle", "stall") else rest[: (len(rest) + 1) // 2])
        self.wfile.flush()
        if way == "stall":
            self.server.state.stop.wait(30)

    def _begin(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    state: Server

    def handle_error(self, *_: object) -> None:
        """Who asked has gone; that is what some tests are about."""


def start() -> tuple[Server, _HTTPServer]:
    server = _HTTPServer(("127.0.0.1", 0), _Handler)
    server.state = Server(base=f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server.state, server


def stop(server: _HTTPServer) -> None:
    server.state.stop.set()
    server.shutdown()
    server.server_close()
