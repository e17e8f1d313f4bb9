"""Single choice: one of a fixed set of labels."""

import re
from dataclasses import dataclass

from annotation.algorithms.majority import majority_vote
from annotation.errors import Invalid, InvalidAnswer

METHOD = "majority"
KEY = re.compile(r"[^\x00-\x1f]{1,64}")


@dataclass(frozen=True, slots=True)
class Consensus:
    """`label` is empty when the vote is tied."""

    method: str
    label: str
    share: float
    votes: dict[str, int]


def parse_labels(raw: object) -> list[dict]:
    """Two to a thousand labels with distinct keys; a name left out is the key."""
    if not isinstance(raw, list) or not 2 <= len(raw) <= 1000:
        raise Invalid("A choice needs at least two labels and at most a thousand.", code="invalid_labels")
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


def parse_answer(raw: object, labels: list[dict]) -> dict:
    """`{"label": key}` and nothing else."""
    if not isinstance(raw, dict) or set(raw) != {"label"} or not isinstance(raw["label"], str):
        raise InvalidAnswer('An answer to this question looks like {"label": "key"}.')
    if all(raw["label"] != label["key"] for label in labels):
        raise InvalidAnswer("This label is not one of the campaign's labels.", code="unknown_label")
    return {"label": raw["label"]}


def consensus(answers: list[dict], labels: list[dict]) -> Consensus:
    vote = majority_vote((a["label"] for a in answers), (label["key"] for label in labels))
    return Consensus(METHOD, vote.label or "", vote.share, vote.votes)
