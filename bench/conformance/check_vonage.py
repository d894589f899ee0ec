"""NCCOs, read by the models of Vonage's library (PyPI: vonage). What a model writes has to be what was read."""

import json

from checking import run, unique
from vonage_voice.models import connect_endpoints as endpoints
from vonage_voice.models import ncco

ACTIONS = {
    "connect": ncco.Connect,
    "talk": ncco.Talk,
    "stream": ncco.Stream,
    "record": ncco.Record,
    "notify": ncco.Notify,
}
ENDPOINTS = {"phone": endpoints.PhoneEndpoint, "sip": endpoints.SipEndpoint, "websocket": endpoints.WebsocketEndpoint}
# Names that the models' Python fields can't have.
FIELDS = {"from": "from_", "content-type": "contentType"}


def model(cls, fields):
    return cls(**{FIELDS.get(name, name): value for name, value in fields.items()})


def check(document):
    if not document["body"] or document["action"] == "acknowledge":
        return False
    for step in json.loads(document["body"], object_pairs_hook=unique):
        fields = dict(step)
        if "endpoint" in step:
            fields["endpoint"] = [model(ENDPOINTS[end["type"]], end) for end in step["endpoint"]]
        read = model(ACTIONS[step["action"]], fields)
        written = read.model_dump(mode="json", by_alias=True, exclude_none=True)
        if written != step:
            raise ValueError(f"the library writes {written} for {step}")


run("vonage", check)
