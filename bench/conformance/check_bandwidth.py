"""BXML, built anew with the classes of Bandwidth's library (PyPI: bandwidth-sdk).

The attributes that they write have to be those that were read. They check no values.
"""

import inspect
import xml.etree.ElementTree as ElementTree

from bandwidth.models.bxml import verbs
from checking import camel_to_snake, run

# The argument that takes an element's text, and the one that takes its children, with their names.
TEXT = {"SpeakSentence": "text", "PlayAudio": "audio_uri", "PhoneNumber": "number", "SipUri": "uri"}
CHILDREN = {"Transfer": ("transfer_to", {"PhoneNumber", "SipUri"}), "StartStream": ("stream_params", {"StreamParam"})}
# What the library writes though nobody asked for it.
DEFAULTS = {"Record": {"maxDuration": "60"}}


def build(node):
    cls = getattr(verbs, node.tag)
    takes = inspect.signature(cls.__init__).parameters
    arguments = {}
    for name, text in node.attrib.items():
        if camel_to_snake(name) not in takes:
            raise ValueError(f"<{node.tag}> has no attribute {name}")
        arguments[camel_to_snake(name)] = {"true": True, "false": False}.get(text, text)
    if node.tag in TEXT:
        arguments[TEXT[node.tag]] = node.text
    elif node.text:
        raise ValueError(f"<{node.tag}> takes no text")
    argument, names = CHILDREN.get(node.tag, (None, set()))
    if not {child.tag for child in node} <= names:
        raise ValueError(f"in <{node.tag}>: {[child.tag for child in node]}")
    if argument:
        arguments[argument] = [build(child) for child in node]
    verb = cls(**arguments)
    # Not to_bxml(): it takes escaped markup in a sentence for SSML.
    written = verb._to_etree_element().attrib
    if written != {**DEFAULTS.get(node.tag, {}), **node.attrib}:
        raise ValueError(f"<{node.tag}>: the library writes {written} for {node.attrib}")
    return verb


def check(document):
    if not document["body"]:
        return False
    root = ElementTree.fromstring(document["body"])
    if root.tag != "Response":
        raise ValueError(f"<{root.tag}> as root")
    for node in root:
        build(node)


run("bandwidth", check)
