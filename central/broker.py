"""The embedded broker, for a demo or a first try on one machine: amqtt (pure Python, MQTT 3.1.1), bound to this machine only.

It has no passwords and no access lists, which is why it refuses to listen to a network, and it keeps no sessions: a command that is given
while a door is away does not wait for it. A site runs Mosquitto; docs/PROTOCOL.md says how.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
from collections.abc import Callable
from typing import Any

from agent.errors import ConfigError

log = logging.getLogger(__name__)


def broker_config(host: str, port: int) -> dict[str, Any]:
    """Settings of amqtt. Raises ConfigError for an address that others can reach."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            f"broker host {host!r}: the embedded broker knows no passwords and binds to 127.0.0.1 or ::1 only; run Mosquitto"
        )
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return {
        "listeners": {"default": {"type": "tcp", "bind": bind}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


async def serve(host: str, port: int, ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT."""
    from amqtt.broker import Broker

    broker = Broker(broker_config(host, port))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await broker.start()
    ready()
    await stop.wait()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(broker.shutdown(), 3.0)


def run_broker(host: str = "127.0.0.1", port: int = 1883, ready: Callable[[], None] = lambda: None) -> int:
    """The broker as a program of its own. Returns the exit code."""
    broker_config(host, port)
    logging.getLogger("amqtt").setLevel(logging.WARNING)
    logging.getLogger("transitions").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(host, port, ready))
    except OSError as error:
        raise ConfigError(f"broker {host}:{port}: cannot listen: {error}") from error
    return 0
