"""Initiation data against the models of ElevenLabs' library (PyPI: elevenlabs).

The models allow fields that they don't name; here none is allowed but the envelope's `type`.
"""

import json
import typing

from checking import run, unique
from elevenlabs.types import ConversationInitiationClientDataRequestInput as Initiation
from pydantic import BaseModel


def only_known(value, model, path):
    for name, inner in value.items():
        field = model.model_fields.get(name)
        if field is None:
            raise ValueError(f"{path}.{name}: the library has no such field")
        for option in typing.get_args(field.annotation) or (field.annotation,):
            if isinstance(option, type) and issubclass(option, BaseModel) and isinstance(inner, dict):
                only_known(inner, option, f"{path}.{name}")


def check(document):
    if not document["body"]:
        return False
    answer = json.loads(document["body"], object_pairs_hook=unique)
    if answer.pop("type", None) != "conversation_initiation_client_data":
        raise ValueError("type: wanted conversation_initiation_client_data")
    Initiation.model_validate(answer)
    only_known(answer, Initiation, "answer")
    for name, value in answer["dynamic_variables"].items():
        if not isinstance(value, (str, int, float, bool)) or name.startswith("system__"):
            raise ValueError(f"dynamic_variables.{name}: reserved, or not a scalar")


run("elevenlabs", check)
