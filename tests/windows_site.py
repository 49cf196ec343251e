"""A web server on loopback for what certificates point to: issuers and revocation lists."""

from __future__ import annotations

import http.server
import secrets
import threading
from typing import Any


class Site:
    """Serves what it was given, and remembers who asked for what.

    Every address is new in every run: Windows keeps what it fetched, by address.
    """

    def __init__(self) -> None:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                content = site.pages.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._token = secrets.token_hex(8)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def address(self, name: str) -> str:
        """Return the address of a page, whether it is there or not."""
        return f"http://127.0.0.1:{self._server.server_port}/{self._token}/{name}"

    def serve(self, name: str, content: bytes) -> None:
        """Put a page there."""
        self.pages[f"/{self._token}/{name}"] = content

    def times_asked(self, name: str) -> int:
        """Return how often somebody wanted the page."""
        return self.asked.count(f"/{self._token}/{name}")
