"""The web server: uvicorn in a thread of its own, so that whatever it does, historian and alerts go on."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading

import uvicorn
from starlette.types import ASGIApp

from agent.errors import ConfigError
from central.gateway import connections
from central.gateway.connections import Impatient
from central.gateway.fence import origins_of
from central.settings import Gateway

log = logging.getLogger(__name__)

LONGEST_HEAD_BYTES = 32 * 1024
START_WAIT_S = 20.0
LAST_ANSWERS_S = 2


class WebServer:
    """`start`, `stop`. It listens from the moment it is made, so that an address that is taken is told before anything runs."""

    def __init__(self, settings: Gateway) -> None:
        """Raises ConfigError."""
        origins_of(settings, settings.port)  # what is unsafe is refused before the port is opened
        _try_certificate(settings)
        self._socket = _listen(settings.host, settings.port)
        self.port: int = self._socket.getsockname()[1]
        self.origins = origins_of(settings, self.port)
        self._settings = settings
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._up = threading.Event()

    @property
    def url(self) -> str:
        """Where a browser on this machine or behind the proxy begins."""
        return self.origins.public_url

    def start(self, app: ASGIApp) -> None:
        """Returns when it answers. Raises ConfigError."""
        self._server = uvicorn.Server(_config(self._settings, app))
        self._thread.start()
        if not self._up.wait(START_WAIT_S) or not self._thread.is_alive():
            raise ConfigError(f"gateway: the web server on port {self.port} did not start; the log says why")
        log.info("gateway answers url=%s", self.url)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Requests under way get their answers, up to LAST_ANSWERS_S; streams end."""
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join(timeout_s)
            self._server.force_exit = True
        self._socket.close()

    def _run(self) -> None:
        try:
            if self._server is not None:
                asyncio.run(self._serve(self._server))
        except Exception:
            log.exception("gateway ended")
        finally:
            self._up.set()

    async def _serve(self, server: uvicorn.Server) -> None:
        serving = asyncio.ensure_future(server.serve(sockets=[self._socket]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        self._up.set()
        await serving


def _config(settings: Gateway, built: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        built, log_config=None, log_level="warning", access_log=False, server_header=False, date_header=True, lifespan="off", ws="none",
        http=Impatient, loop="asyncio", limit_concurrency=connections.MOST, h11_max_incomplete_event_size=LONGEST_HEAD_BYTES,
        timeout_keep_alive=20, timeout_graceful_shutdown=LAST_ANSWERS_S, proxy_headers=settings.behind_proxy,
        forwarded_allow_ips="127.0.0.1,::1", ssl_certfile=settings.cert_file or None, ssl_keyfile=settings.key_file or None,
    )  # fmt: skip


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, proto)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(256)
    except OSError as error:
        raise ConfigError(f"gateway.host {host!r}, gateway.port {port}: cannot listen: {error}") from error
    return opened


def _try_certificate(settings: Gateway) -> None:
    if not settings.cert_file:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"gateway.cert_file {settings.cert_file}, gateway.key_file {settings.key_file}: cannot be used: {error}"
        ) from error
