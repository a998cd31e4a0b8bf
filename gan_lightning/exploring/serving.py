"""Serving the page to this machine alone, until Ctrl-C."""

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
from gan_lightning.exploring.page import LOOK

HOST = "127.0.0.1"
LARGEST_UPLOAD = "20mb"
PATIENCE = 1
"""Seconds that open connections have as the server ends."""


def serve(blocks: gr.Blocks, port: int) -> None:
    """Print the page's address, and serve it until Ctrl-C.

    Args:
        blocks: the page.
        port: 0 for any that is free.

    Raises:
        UserError: if the port is in use, or may not be used.
    """
    with closing(_bound(port)) as listening, _own_temporary_folder():
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(32)
        app = gr.mount_gradio_app(
            FastAPI(docs_url=None, redoc_url=None, openapi_url=None), blocks, "/", server_name=HOST, server_port=port,
            footer_links=[], run_history=False, show_error=False, max_file_size=LARGEST_UPLOAD, ssr_mode=False,
            mcp_server=False, pwa=False, enable_monitoring=False, **LOOK,
        )  # fmt: skip
        guarded = Doorkeeper(app, token, port)
        config = uvicorn.Config(guarded, log_level="critical", timeout_graceful_shutdown=PATIENCE, lifespan="on")
        print(f"explore at  http://{HOST}:{port}/?token={token}\nCtrl-C ends it", flush=True)
        try:
            uvicorn.Server(config).run([listening])
        except KeyboardInterrupt:  # which ends it as it should
            print("\nended")


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
