"""A webhook as one writes it with FastAPI: the form parsed, the signature verified, one query, one document."""

import base64
import hashlib
import hmac
import os
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request, Response

AUTH_TOKEN = os.environ["AUTH_TOKEN"].encode()
PUBLIC_URL = os.environ["PUBLIC_URL"]
CONNECTIONS = 16


@asynccontextmanager
async def lifespan(app: FastAPI):
    # All connections are there before the first request, so that their backends can be told.
    settings = {"min_size": CONNECTIONS, "max_size": CONNECTIONS, "max_inactive_connection_lifetime": 0}
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], **settings) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


def signed(request: Request, form) -> bool:
    """Source: https://www.twilio.com/docs/usage/security."""
    text = PUBLIC_URL + request.url.path + "".join(name + form[name] for name in sorted(form))
    expected = base64.b64encode(hmac.new(AUTH_TOKEN, text.encode(), hashlib.sha1).digest())
    return hmac.compare_digest(expected, request.headers.get("x-twilio-signature", "").encode())


@app.post("/webhooks/twilio/voice/{account}")
async def voice(account: str, request: Request) -> Response:
    form = await request.form()
    if not signed(request, form):
        return Response(status_code=403)
    to = form["To"]
    url = await app.state.pool.fetchval("select stream_url from numbers where number = $1", to)
    if url is None:
        return Response(status_code=404)
    document = (
        f'<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="{url}">'
        f'<Parameter name="call_id" value="{form["CallSid"]}"/><Parameter name="from" value="{form["From"]}"/>'
        f'<Parameter name="to" value="{to}"/></Stream></Connect></Response>'
    )
    return Response(document, media_type="text/xml")
