"""Serving the page to this machine alone, until Ctrl-C."""

import asyncio
import errno
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager

import gradio as gr
import uvicorn
from fastapi import FastAPI

from gan_lightning.errors import UserError
from gan_lightning.exploring.doorkeeper import Doorkeeper
from gan_lightning.exploring.page import LOOK, Page

HOST = "127.0.0.1"
LARGEST_UPLOAD = 20 * 2**20
"""Bytes of an image."""
PATIENCE = 1
"""Seconds that open connections have as the server ends."""


def serve(page: Page, port: int) -> None:
    """Print the page's address, and serve it until Ctrl-C.

    Args:
        page: what is served.
        port: 0 for any that is free.

    Raises:
        UserError: if the port is in use, or may not be used.
    """
    with closing(_bound(port)) as listening, _own_temporary_folder():
        try:
            asyncio.run(_serve(page, listening))
        except KeyboardInterrupt:  # which ends it as it should
            print("\nended")


async def _serve(page: Page, listening: socket.socket) -> None:
    """Serve; asynchronous, because outside of a loop Gradio makes loops of its own, which nobody closes."""
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(32)
    app = guarded(page.blocks(), token, port)
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=PATIENCE, lifespan="on")
    print(f"explore at  http://{HOST}:{port}/?token={token}\nCtrl-C ends it", flush=True)
    await uvicorn.Server(config).serve([listening])


def guarded(blocks: gr.Blocks, token: str, port: int) -> Doorkeeper:
    """The application that serves a page to whoever has the token."""
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="/",
        server_name=HOST,
        server_port=port,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=LARGEST_UPLOAD,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
        **LOOK,
    )
    return Doorkeeper(app, token, port)


def _bound(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except OSError as reason:
        listening.close()
        why = "is in use" if reason.errno == errno.EADDRINUSE else f"cannot be used: {reason.strerror}"
        raise UserError(f"port {port} {why}; choose another, or port=0 for any that is free") from reason
    return listening


@contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Where Gradio keeps what is uploaded while the page is served; then it is gone."""
    with tempfile.TemporaryDirectory(prefix="gan-explore-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["GRADIO_TEMP_DIR"]
