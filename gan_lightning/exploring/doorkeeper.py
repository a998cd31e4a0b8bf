"""Who may see the page: whoever has the token, which is in the address that is printed."""

import hmac
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self';"
    " form-action 'self'; frame-ancestors 'none'"
)
"""Of a Content-Security-Policy: a browser asks nobody else for anything. Gradio's own scripts need the two words."""


class Doorkeeper:
    """An ASGI application before another one, which no request reaches without the token.

    Of an address with `?token=…` a cookie is made, and the browser is sent to the same page without it. The cookie is
    for this page alone, and is not sent along from others'.

    Args:
        app: the application.
        token: what a request must show.
        port: of the server, of which several on one machine would else share a cookie.
    """

    def __init__(self, app: Any, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._cookie = f"gan-explore-{port}"

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif self._is_right(parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]):
            cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            await _answer(send, 303, {"location": "/", "set-cookie": cookie})
        elif self._is_right(self._shown(scope)):

            async def with_policy(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    kept = [pair for pair in message["headers"] if pair[0].lower() != b"content-security-policy"]
                    message = {**message, "headers": [*kept, *_encoded(_HEADERS)]}
                await send(message)

            await self._app(scope, receive, with_policy)
        else:
            await _answer(send, 403, {}, b"This page is opened with the address that gan-explore printed.\n")

    def _shown(self, scope: dict[str, Any]) -> str:
        """The token of a request's cookie, or nothing."""
        for name, value in scope["headers"]:
            if name == b"cookie":
                try:
                    cookies = SimpleCookie(value.decode("latin-1"))
                except CookieError:
                    continue
                if self._cookie in cookies:
                    return cookies[self._cookie].value
        return ""

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())


_HEADERS = {"content-security-policy": POLICY, "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _answer(send: Any, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    headers = {"content-type": "text/plain; charset=utf-8", **_HEADERS, **headers}
    await send({"type": "http.response.start", "status": status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": body})
