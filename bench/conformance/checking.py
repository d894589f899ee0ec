"""What the checkers have in common: reading a provider's documents, and telling which of them are refused."""

import json
import sys


def run(provider, check):
    """Calls `check` with each of the provider's documents on standard input; it raises where one is refused.

    Prints a line for each: action, `ok` or `refused`, and what it is about. Exits non-zero where one is refused, or
    where there is none.
    """
    documents = [document for document in map(json.loads, sys.stdin) if document["provider"] == provider]
    refused = 0
    for document in documents:
        try:
            verdict, detail = ("passed over", "") if check(document) is False else ("ok", "")
        except Exception as error:  # whatever the provider's library raises
            refused += 1
            verdict, detail = "refused", f"{document['case']}: {type(error).__name__}: {error}"
        print(document["action"], verdict, " ".join(detail.split())[:400], sep="\t")
    sys.exit(1 if refused or not documents else 0)


def unique(pairs):
    """A JSON object's members, for `object_pairs_hook`: no name twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError(f"a name twice: {[name for name, _ in pairs]}")
    return members


def camel_to_snake(name):
    """An attribute's name as a Python library spells it."""
    return "".join("_" + char.lower() if char.isupper() else char for char in name)
