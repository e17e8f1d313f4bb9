"""A campaign's labels: {key, name, hint}, in the order of the page."""

import re

from annotation.errors import Invalid

KEY = re.compile(r"[^\x00-\x1f]{1,64}")


def parse_labels(raw: object, *, least: int = 2) -> list[dict]:
    """At most a thousand labels with distinct keys; a name left out is the key."""
    if not isinstance(raw, list) or not least <= len(raw) <= 1000:
        few = {1: "one label", 2: "two labels"}[least]
        raise Invalid(
            f"This kind of question needs at least {few} and at most a thousand.", code="invalid_labels"
        )
    labels = [_parse_label(entry) for entry in raw]
    keys = [label["key"] for label in labels]
    if len(set(keys)) < len(keys):
        raise Invalid("Two labels have the same key.", code="invalid_labels")
    return labels


def _parse_label(entry: object) -> dict:
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
        raise Invalid("Each label is an object with a key.", code="invalid_labels")
    key = entry["key"].strip()
    name = str(entry.get("name") or key).strip()
    hint = str(entry.get("hint") or "").strip()
    if not KEY.fullmatch(key) or len(name) > 100 or len(hint) > 300 or "\x00" in name + hint:
        raise Invalid("A label's key has 1 to 64 characters, its name up to 100.", code="invalid_labels")
    return {"key": key, "name": name, "hint": hint}


def of_role(labels: list[dict], role: str) -> list[dict]:
    """Those that mark spans, or those that name relations; without roles all mark spans."""
    return [label for label in labels if label.get("role", "span") == role]
