"""The two addresses that a door asks which nobody knows yet. Nobody is signed in there, and no cookie counts: the code is what proves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from agent.errors import WireError
from agent.pairing import messages
from central.gateway.app import Desk, read_body, refusal
from central.gateway.asking import Unfit

T = TypeVar("T", bound=Struct)
Hears = Callable[[messages.Hello, str], messages.Met]
Proves = Callable[[messages.Proof, str], messages.Granted]


def pairing_routes(desk: Desk, hello: Hears, prove: Proves) -> list[BaseRoute]:
    """`hello` and `prove` get a message and the address that it came from."""

    def serving(kind: type[T], work: Callable[[T, str], Struct]) -> Callable[[Request], object]:
        async def serve(request: Request) -> Response:
            try:
                desk.demand_ours(request)
                told = _read(await read_body(request, messages.MOST_BYTES), kind)
                address = request.client.host if request.client else ""
                return desk.told(await desk.outside(lambda: work(told, address)))
            except Exception as error:  # noqa: BLE001 - whatever went wrong, the door gets an answer in JSON
                return refusal(error)

        return serve

    return [
        Route(messages.HELLO, serving(messages.Hello, hello), methods=["POST"]),
        Route(messages.PROOF, serving(messages.Proof, prove), methods=["POST"]),
    ]


def _read(raw: bytes, kind: type[T]) -> T:
    try:
        return messages.read(raw, kind, "the request's body")
    except WireError as error:
        raise Unfit(400, "malformed", str(error)) from error
