"""Answers in words, whatever their kind, for the people who read them beside the text."""

import math
import re

LONGEST_QUOTE = 60
# How a posterior names a span, and a relation between two.
SPAN_KEY = re.compile(r"(\d+)-(\d+) (.+)", re.DOTALL)
RELATION_KEY = re.compile(r"(\d+)-(\d+) → (\d+)-(\d+) (.+)", re.DOTALL)


def answer_words(value: dict, names: dict[str, str], text: str) -> list[str]:
    """An answer as lines that a person reads: label names, quotes of what was marked, the text itself.

    >>> marked = {"spans": [{"start": 0, "end": 7, "label": "drug"}]}
    >>> answer_words(marked, {"drug": "Drug"}, "Aspirin helped.")
    ['Drug: “Aspirin”']
    """
    if "label" in value:
        return [names.get(value["label"], value["label"])]
    if "labels" in value:
        return [names.get(key, key) for key in value["labels"]] or ["none of the labels"]
    if "text" in value:
        return [value["text"]]
    spans = value["spans"]
    quotes = [_quote(text, span["start"], span["end"]) for span in spans]
    lines = [
        f"{names.get(span['label'], span['label'])}: {quote}"
        for span, quote in zip(spans, quotes, strict=True)
    ]
    for relation in value.get("relations", ()):
        name = names.get(relation["label"], relation["label"])
        lines.append(f"{quotes[relation['from']]} → {name} → {quotes[relation['to']]}")
    return lines or ["nothing marked"]


def candidate_words(key: str, names: dict[str, str], text: str) -> str:
    """What a posterior gives a probability to: a label, a span of the text with its label, a relation.

    >>> candidate_words("0-7 → 15-19 causes", {"causes": "Causes"}, "Aspirin caused rash.")
    '“Aspirin” → Causes → “rash”'
    """
    if key not in names and (relation := RELATION_KEY.fullmatch(key)):
        start, end = (_quote(text, int(relation[n]), int(relation[n + 1])) for n in (1, 3))
        return f"{start} → {names.get(relation[5], relation[5])} → {end}"
    span = None if key in names else SPAN_KEY.fullmatch(key)
    if span is None:
        return names.get(key, key)
    return f"{names.get(span[3], span[3])}: {_quote(text, int(span[1]), int(span[2]))}"


def stated_keys(value: dict) -> set[str]:
    """What an answer states, each as a posterior names it.

    >>> spans = [{"start": 0, "end": 7, "label": "drug"}, {"start": 15, "end": 19, "label": "sign"}]
    >>> causes = {"from": 0, "to": 1, "label": "causes"}
    >>> sorted(stated_keys({"spans": spans, "relations": [causes]}))
    ['0-7 drug', '0-7 → 15-19 causes', '15-19 sign']
    """
    if "spans" not in value:
        return set(value.get("labels", [value.get("label")]))
    ends = [f"{span['start']}-{span['end']}" for span in value["spans"]]
    marked = {f"{place} {span['label']}" for place, span in zip(ends, value["spans"], strict=True)}
    return marked | {
        f"{ends[relation['from']]} → {ends[relation['to']]} {relation['label']}"
        for relation in value.get("relations", ())
    }


def doubt_words(entropy: float, n_possible: int) -> str:
    """How much doubt an entropy in bits means, as a share of the most that so many answers can have."""
    most = max(1.0, math.log2(max(1, n_possible)))
    share = entropy / most
    if share < 0.15:
        return "hardly any doubt"
    if share < 0.5:
        return "some doubt"
    return "much doubt" if share < 0.85 else "as open as a guess"


def _quote(text: str, start: int, end: int) -> str:
    quoted = text[start:end]
    return f"“{quoted[:LONGEST_QUOTE]}…”" if len(quoted) > LONGEST_QUOTE else f"“{quoted}”"
