"""Two spans of a text marked in the text itself, for a model that says how they are related."""

from training.algorithms.examples import Span

CONTEXT = (
    150  # code points read on both sides: with the markers, and in English, about a window of 128 tokens
)


def mark_pair(text: str, head: Span, tail: Span) -> str:
    """Return the text with typed punctuation around both spans (Zhou and Chen 2021, "typed entity marker").

    The markers are punctuation and words that every encoder knows, so no new token has to be learned from few
    labels. @ stands around the head, # around the tail, each with the span's label between asterisks or
    carets. Spans may be nested or overlap: the markers then stand within each other. What is further than
    CONTEXT from the pair is left out: what joins two spans stands near them, and a long text has many pairs.

    >>> mark_pair("Aspirin helps.", Span(0, 7, "drug"), Span(8, 13, "effect"))
    '@ * drug * Aspirin @ # ^ effect ^ helps #.'
    """
    # Where marks meet: what ends comes before what begins, the longer span begins first and ends last.
    marks = []
    first = max(0, min(head.start, tail.start) - CONTEXT)
    last = min(len(text), max(head.end, tail.end) + CONTEXT)
    for span, sign, quote in ((head, "@", "*"), (tail, "#", "^")):
        length = span.end - span.start
        marks.append((span.start, 1, -length, f"{sign} {quote} {span.label} {quote} "))
        marks.append((span.end, 0, length, f" {sign}"))
    pieces, done = [], first
    for place, _, _, mark in sorted(marks):
        pieces += [text[done:place], mark]
        done = place
    return "".join([*pieces, text[done:last]])
