"""Spans as tags of tokens and back: a layer of BIO for each label, so that spans of two labels may overlap.

T tokens, L labels. offsets [T, 2] are the code points [start, end) that each token covers. Tags [T, L]: O (0)
outside, B (1) the first token of a span, I (2) a further one. Source: Ramshaw and Marcus 1995.
"""

from collections.abc import Mapping, Sequence
from unicodedata import category

import numpy as np

from training.algorithms.examples import Span

O, B, I = 0, 1, 2  # noqa: E741 # the field's names
TAGS = "OBI"
ILLEGAL = np.zeros((3, 3))  # from tag (row) to tag (column): a span cannot go on that has not begun
ILLEGAL[O, I] = -np.inf
MARKS = ("Mn", "Mc", "Me")  # Unicode's categories of what is drawn on the character before
JOINER = "\u200d"  # makes one emoji of two


def tags_of(offsets: np.ndarray, spans: Sequence[Span], labels: Sequence[str]) -> np.ndarray:
    """Return the tags int8 [T, L] of a text's spans.

    A token that a span touches belongs to it whole. Spans of one label that share a token are one span; a
    span that touches no token (blanks alone) has no tag.

    >>> tags_of(np.array([[0, 3], [4, 8], [9, 12]]), [Span(4, 12, "drug")], ["drug"]).ravel().tolist()
    [0, 1, 2]
    """
    tags = np.zeros((len(offsets), len(labels)), dtype=np.int8)
    after = np.zeros(len(labels), dtype=np.int64)  # the token after the last span of each label
    for span in sorted(spans):
        touched = np.flatnonzero((offsets[:, 0] < span.end) & (offsets[:, 1] > span.start))
        if not len(touched):
            continue
        layer, first, end = labels.index(span.label), touched[0], touched[-1] + 1
        if first >= after[layer]:
            tags[first, layer] = B
            first += 1
        tags[max(first, after[layer]) : end, layer] = I
        after[layer] = max(after[layer], end)
    return tags


def soft_tags_of(offsets: np.ndarray, beliefs: Mapping[Span, float], labels: Sequence[str]) -> np.ndarray:
    """Return how likely each tag is, float32 [T, L, 3], of a text's spans that may hold or not.

    Each span brings its probability to the tags that it would have alone, and what no span takes is O. Where
    spans of one label exclude each other, as two opinions of one boundary do, theirs add up; more than 1 is
    scaled down to it. Other labels' are passed over: nobody is sure of any. Certain spans that share no token
    have the tags of tags_of:

    >>> spans = {Span(4, 12, "drug"): 0.75, Span(9, 12, "drug"): 0.25}
    >>> soft_tags_of(np.array([[0, 3], [4, 8], [9, 12]]), spans, ["drug"])[:, 0].tolist()
    [[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.0, 0.25, 0.75]]
    """
    mass = np.zeros((len(offsets), len(labels), 3), dtype=np.float32)
    for span, probability in beliefs.items():
        touched = np.flatnonzero((offsets[:, 0] < span.end) & (offsets[:, 1] > span.start))
        if len(touched) and span.label in labels:
            layer = labels.index(span.label)
            mass[touched[0], layer, B] += probability
            mass[touched[1:], layer, I] += probability
    within = mass.sum(axis=2, keepdims=True)
    mass /= np.maximum(within, 1.0)
    mass[:, :, O] = 1.0 - np.minimum(within[:, :, 0], 1.0)
    return mass


def token_runs(tags: np.ndarray) -> list[tuple[int, int, int]]:
    """Return (first token, token after the last, layer) of each span in legal tags [T, L], by place.

    >>> token_runs(np.array([[1], [2], [1], [0]]))
    [(0, 2, 0), (2, 3, 0)]
    """
    runs = []
    for layer in range(tags.shape[1]):
        begins = np.flatnonzero(tags[:, layer] == B)
        ends = np.flatnonzero(np.append(tags[:, layer], O) != I)  # where a span cannot go on
        for first in begins.tolist():
            runs.append((first, int(ends[np.searchsorted(ends, first + 1)]), layer))
    return sorted(runs)


def span_of(run: tuple[int, int, int], offsets: np.ndarray, text: str, labels: Sequence[str]) -> Span:
    """Return the span of a run of tokens: whole characters, as a reader sees them, and no blanks around.

    Some tokenizers count a blank to the token after it; some drop accents that are code points of their own,
    so that these belong to no token. A span does not end before them.

    >>> span_of((0, 1, 0), np.array([[0, 2]]), "de\u0301 a", ["drug"])
    Span(start=0, end=3, label='drug')
    """
    first, after, layer = run
    start, end = int(offsets[first, 0]), int(offsets[after - 1, 1])
    limit = int(offsets[after, 0]) if after < len(offsets) else len(text)
    while end < limit and (category(text[end]) in MARKS or text[end] == JOINER):
        end += 1
    marked = text[start:end]
    start += len(marked) - len(marked.lstrip())
    return Span(start, max(start, end - (len(marked) - len(marked.rstrip()))), labels[layer])


def best_tags(log_probabilities: np.ndarray) -> np.ndarray:
    """Return the likeliest legal tags int8 [T, L], given log p [T, L, 3] of each tag (Viterbi 1967).

    One by one, the likeliest would be O and then I, although no span has begun:

    >>> p = np.array([[[0.45, 0.4, 0.15]], [[0.3, 0.1, 0.6]]])
    >>> best_tags(np.log(p)).ravel().tolist()
    [1, 2]
    """
    n_tokens, n_labels, _ = log_probabilities.shape
    tags = np.zeros((n_tokens, n_labels), dtype=np.int8)
    if not n_tokens:
        return tags
    score = log_probabilities[0] + ILLEGAL[O]  # [L, 3]: the best path that ends with each tag
    came_from = np.zeros((n_tokens, n_labels, 3), dtype=np.int8)
    for t in range(1, n_tokens):
        paths = score[:, :, None] + ILLEGAL  # [L, from, to]
        came_from[t] = paths.argmax(axis=1)
        score = paths.max(axis=1) + log_probabilities[t]
    layers = np.arange(n_labels)
    tags[-1] = score.argmax(axis=1)
    for t in range(n_tokens - 1, 0, -1):
        tags[t - 1] = came_from[t, layers, tags[t]]
    return tags


def span_score(log_probabilities: np.ndarray, run: tuple[int, int, int]) -> float:
    """Return the log-odds of a run's mean certainty, given log p [T, L, 3].

    The mean is over the tags of its tokens and over "it does not go on" after the last. Not their product,
    which grows smaller with each token although the tags of one span stand and fall together.
    """
    first, after, layer = run
    tags = log_probabilities[:, layer]  # [T, 3]
    certainties = [tags[first, B], *tags[first + 1 : after, I]]
    if after < len(tags):
        certainties.append(np.log1p(-np.exp(min(tags[after, I], -1e-9))))
    mean = min(float(np.mean(certainties)), -1e-9)
    return mean - float(np.log(-np.expm1(mean)))


def strict_f1(found: Sequence[Sequence[Span]], right: Sequence[Sequence[Span]]) -> float:
    """Return F1 over all texts, where a span counts if start, end and label are right; 1 if there are none.

    >>> strict_f1([[Span(0, 2, "a"), Span(5, 9, "a")]], [[Span(0, 2, "a")]])
    0.6666666666666666
    """
    hits = sum(len(set(a) & set(b)) for a, b in zip(found, right, strict=True))
    n = sum(map(len, found)) + sum(map(len, right))
    return 2 * hits / n if n else 1.0
