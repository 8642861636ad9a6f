"""The two addresses that a browser passes on its way to the house's provider and back."""

from __future__ import annotations

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from central.gateway.accounts import Accounts
from central.gateway.app import Desk, error_of, refusal
from central.gateway.asking import Unfit
from central.gateway.oidc import CALLBACK, UNDER_WAY_S, SingleSignOn

COOKIE = "doorward_oidc"
PATH = "/api/session/oidc"

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Doorward</title>
<h1>Nobody was signed in</h1><p>{sentence}.</p><p><a href="/">Back</a></p></html>
"""


def oidc_routes(desk: Desk, accounts: Accounts, sso: SingleSignOn | None) -> list[BaseRoute]:
    """`/api/session/ways` tells the sign-in page what there is; the rest exists only where there is a provider."""

    async def ways(request: Request) -> Response:
        return desk.told({"password": True, "oidc": sso.shown if sso else ""})

    async def begin(request: Request) -> Response:
        if sso is None:
            return error_of(404, "not_found", "there is no single sign-on here")
        try:
            url, kept = await desk.outside(sso.begin)
        except Exception as error:  # noqa: BLE001 - the browser gets an answer
            return _page(error)
        response = RedirectResponse(url, 303, {"cache-control": "no-store"})
        # Lax, for the way back comes from the provider's page; it is good for nothing else
        response.set_cookie(COOKIE, kept, max_age=UNDER_WAY_S, path=PATH, secure=desk.secure, httponly=True, samesite="lax")
        return response

    async def back(request: Request) -> Response:
        if sso is None:
            return error_of(404, "not_found", "there is no single sign-on here")
        kept, told = request.cookies.get(COOKIE, "")[:2000], request.query_params
        address = request.client.host if request.client else ""
        try:
            if "error" in told:
                raise Unfit(403, "provider", f"the provider says {told['error'][:60]!r}")
            name = await desk.outside(lambda: sso.finish(kept, told.get("state", "")[:200], told.get("code", "")[:2000]))
            begun = await desk.outside(lambda: accounts.sign_in_known(name, address))
        except Exception as error:  # noqa: BLE001
            response = _page(error)
        else:
            response = RedirectResponse("/", 303, {"cache-control": "no-store"})
            desk.give_cookie(response, begun)
        response.delete_cookie(COOKIE, path=PATH, secure=desk.secure, httponly=True, samesite="lax")
        return response

    return [
        Route("/api/session/ways", ways, methods=["GET"]),
        Route(PATH, begin, methods=["GET"]),
        Route(CALLBACK, back, methods=["GET"]),
    ]


def _page(error: Exception) -> Response:
    status, sentence = (
        (error.status, error.sentence) if isinstance(error, Unfit) else (refusal(error).status_code, "something went wrong")
    )
    return HTMLResponse(_PAGE.format(sentence=html.escape(sentence)), status, {"cache-control": "no-store"})
