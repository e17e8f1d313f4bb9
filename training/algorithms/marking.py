"""Two spans of a text marked in the text itself, for a model that says how they are related."""

from training.algorithms.examples import Span


def mark_pair(text: str, head: Span, tail: Span) -> str:
    """Return the text with typed punctuation around both spans (Zhou and Chen 2021, "typed entity marker").

    The markers are punctuation and words that every encoder knows, so no new token has to be learned from few
    labels. @ stands around the head, # around the tail, each with the span's label between asterisks or
    carets. Spans may be nested or overlap: the markers then stand within each other.

    >>> mark_pair("Aspirin helps.", Span(0, 7, "drug"), Span(8, 13, "effect"))
    '@ * drug * Aspirin @ # ^ effect ^ helps #.'
    """
    # Where marks meet: what ends comes before what begins, the longer span begins first and ends last.
    marks = []
    for span, sign, quote in ((head, "@", "*"), (tail, "#", "^")):
        length = span.end - span.start
        marks.append((span.start, 1, -length, f"{sign} {quote} {span.label} {quote} "))
        marks.append((span.end, 0, length, f" {sign}"))
    pieces, done = [], 0
    for place, _, _, mark in sorted(marks):
        pieces += [text[done:place], mark]
        done = place
    return "".join([*pieces, text[done:]])
