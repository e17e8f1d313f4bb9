"""JSON Schema of answers: the frame that the kinds share."""


def exact_object(members: dict[str, dict]) -> dict:
    """An object with each of these members, by name, and no other.

    >>> exact_object({"text": {"type": "string"}})["required"]
    ['text']
    """
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def label_key(labels: list[dict]) -> dict:
    """The key of one of these labels."""
    return {"enum": [label["key"] for label in labels]}
