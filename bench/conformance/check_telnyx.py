"""Commands of Call Control against the types of Telnyx's library (PyPI: telnyx), which are made from its OpenAPI.

TeXML is passed over: no library reads it. The allow-list of `provider/conformance.rs` is its only check.
"""

import importlib
import re
import typing

import pydantic
from checking import run

COMMANDS = {
    "answer": ("action_answer_params", "ActionAnswerParams"),
    "streaming_start": ("action_start_streaming_params", "ActionStartStreamingParams"),
    "speak": ("action_speak_params", "ActionSpeakParams"),
    "playback_start": ("action_start_playback_params", "ActionStartPlaybackParams"),
    "record_start": ("action_start_recording_params", "ActionStartRecordingParams"),
    "transfer": ("action_transfer_params", "ActionTransferParams"),
    "reject": ("action_reject_params", "ActionRejectParams"),
    "hangup": ("action_hangup_params", "ActionHangupParams"),
}


def check_command(path, body):
    name = re.fullmatch(r"/calls/[A-Za-z0-9~_%-]+/actions/([a-z_]+)", path).group(1)
    module, cls = COMMANDS[name]
    params = getattr(importlib.import_module(f"telnyx.types.calls.{module}"), cls)
    hints = typing.get_type_hints(params, include_extras=True)
    if missing := params.__required_keys__ - set(body):
        raise ValueError(f"{name} lacks {missing}")
    for field, value in body.items():
        hint = hints[field]
        while typing.get_origin(hint) in (typing.Required, typing.Annotated):
            hint = typing.get_args(hint)[0]
        pydantic.TypeAdapter(hint).validate_python(value)


def check(document):
    for command in document["commands"]:
        check_command(command["path"], command["body"])
    return bool(document["commands"])


run("telnyx", check)
