"""The page of a run on this machine alone, by HTTP."""

from __future__ import annotations

import errno
import http
import http.server
import json
import urllib.parse
from typing import Any

from blockqnn.errors import UserError
from blockqnn.report.drawings import style
from blockqnn.report.following import Follower
from blockqnn.report.page import application_policy, page

ADDRESS = "127.0.0.1"


class Server(http.server.ThreadingHTTPServer):
    """Serves one run to browsers of this machine."""

    daemon_threads = True

    def __init__(self, follower: Follower, title: str, port: int):
        """Listens.

        Args:
            follower: of the run.
            title: of the page.
            port: 0 for any that is free.

        Raises:
            UserError: if the port cannot be had.
        """
        self.follower, self.title = follower, title
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error})"
            raise UserError(
                f"Port {port} of {ADDRESS} {why}; name another --port, or --port=0 for any that "
                "is free."
            ) from error

    @property
    def address(self) -> str:
        """Where browsers find it."""
        return f"http://{ADDRESS}:{self.server_port}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    server_version = "blockqnn"
    sys_version = ""

    def do_GET(self) -> None:
        """Answers with the page, what is new, or a drawing."""
        # A page elsewhere can make its own name point here, and would then read what it gets.
        hosts = {f"{name}:{self.server.server_port}" for name in (ADDRESS, "localhost")}
        if self.headers.get("Host") not in hosts:
            self._refuse(http.HTTPStatus.MISDIRECTED_REQUEST, "This server has another name.")
            return
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        try:
            if parts.path == "/":
                self._send_page()
            elif parts.path == "/trials":
                after, version = _number(query.get("after")), _number(query.get("version"))
                self._send_json(self.server.follower.news(query.get("of", ""), after, version))
            elif parts.path == "/drawing":
                drawing = self.server.follower.drawing(_number(query.get("trial")))
                if drawing is None:
                    self._refuse(http.HTTPStatus.NOT_FOUND, "There is no such trial.")
                else:
                    self._send_json(drawing)
            elif parts.path == "/difference":
                first, second = _number(query.get("first")), _number(query.get("second"))
                marks = self.server.follower.difference(first, second)
                if marks is None:
                    self._refuse(http.HTTPStatus.NOT_FOUND, "There is no such trial.")
                else:
                    self._send_json(marks)
            elif parts.path == "/trials.csv":
                kind = "text/csv; charset=utf-8"
                self._send(http.HTTPStatus.OK, kind, self.server.follower.as_csv())
            else:
                self._refuse(http.HTTPStatus.NOT_FOUND, "There is nothing here.")
        except UserError as error:
            self._refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except (BrokenPipeError, ConnectionResetError):
            pass  # The browser has gone away.

    def _not_allowed(self) -> None:
        self._refuse(http.HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is answered.")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _not_allowed  # noqa: N815

    def log_message(self, *arguments: Any) -> None:
        """Says nothing: requests come every few seconds."""

    def _send_page(self) -> None:
        follower = self.server.follower
        payload = {"kind": "run", "live": True, "style": style(), **follower.news()}
        text = page(self.server.title, payload, live=True)
        self._send(http.HTTPStatus.OK, "text/html; charset=utf-8", text, application_policy(True))

    def _send_json(self, value: Any) -> None:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        self._send(http.HTTPStatus.OK, "application/json; charset=utf-8", text)

    def _refuse(self, status: http.HTTPStatus, why: str) -> None:
        self._send(status, "text/plain; charset=utf-8", why + "\n")

    def _send(
        self, status: http.HTTPStatus, kind: str, text: str, policy: str = "default-src 'none'"
    ) -> None:
        content = text.encode(errors="replace")
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", f"{policy}; frame-ancestors 'none'"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        if status is http.HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _number(text: str | None) -> int:
    """A number of at most nine digits from a query, or -1."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else -1
