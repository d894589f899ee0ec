"""Plivo XML, built anew with the classes of Plivo's library (PyPI: plivo), which check values and nesting.

What they write has to be what was read.
"""

import inspect
import xml.etree.ElementTree as ElementTree

from checking import camel_to_snake, run
from plivo import plivoxml
from plivo import xml as elements

CLASSES = {cls._name: cls for _, cls in inspect.getmembers(elements, inspect.isclass) if hasattr(cls, "_name")}
CLASSES["Response"] = plivoxml.ResponseElement


def value(text):
    if text.isdigit():
        return int(text)
    return {"true": True, "false": False}.get(text, text)


def build(node):
    cls = CLASSES[node.tag]
    takes = inspect.signature(cls.__init__).parameters
    arguments = {}
    for name, text in node.attrib.items():
        key = name if name in takes else camel_to_snake(name)
        if key not in takes:
            raise ValueError(f"<{node.tag}> has no attribute {name}")
        arguments[key] = value(text)
    if "content" in takes:
        arguments["content"] = node.text
    elif node.text:
        raise ValueError(f"<{node.tag}> takes no text")
    element = cls(**arguments)
    for child in node:
        element.add(build(child))
    if element.to_dict() != node.attrib:
        raise ValueError(f"<{node.tag}>: the library writes {element.to_dict()} for {node.attrib}")
    return element


def check(document):
    if not document["body"] or document["action"] == "acknowledge":
        return False
    build(ElementTree.fromstring(document["body"])).to_string()


run("plivo", check)
