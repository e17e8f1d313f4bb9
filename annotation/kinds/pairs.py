"""Pairs: which of two texts, or a tie."""

from annotation.errors import Invalid
from annotation.kinds.choice import Choice
from annotation.kinds.labels import parse_labels

SIDES = ("first", "second", "tie")
BETWEEN = "\n\n"  # the two texts in their record


class Pairs(Choice):
    name = "pairs"
    title = "which of two texts"
    sentence = "Two texts side by side: the first, the second or, if you allow it, a tie."
    of_pairs = True
    has_own_styles = True
    methods = {
        "majority": "Every answer counts the same; the side that most people chose wins.",
        "engine": "Learns how reliable each volunteer's comparisons are and weighs them by it.",
    }

    def parse_labels(self, raw: object) -> list[dict]:
        """`first`, `second` and, where a tie is allowed, `tie`; their names are free."""
        labels = parse_labels(raw)
        keys = [label["key"] for label in labels]
        if keys not in (list(SIDES), list(SIDES[:2])):
            raise Invalid(
                "The labels of a comparison have the keys first, second and, if you allow it, tie.",
                code="invalid_labels",
            )
        return labels
