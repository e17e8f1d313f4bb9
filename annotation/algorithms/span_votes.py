"""Spans by plain votes: the label most people give a token, or the very spans that most people mark."""

from collections import Counter

import numpy as np

from annotation.algorithms.span_chains import Cells, Chain, Found, begins, label_of, spans_of


def vote_shares(cells: Cells, n_labels: int) -> np.ndarray:
    """[C, 1 + 2 L]: the share of a text's volunteers behind each tag of each cell."""
    n_states = 1 + 2 * n_labels
    votes = np.bincount(cells.cell * n_states + cells.tag, minlength=len(cells.n_tokens) * n_states)
    votes = votes.reshape(-1, n_states).astype(float)
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1.0)


def token_majority(cells: Cells, n_labels: int) -> tuple[np.ndarray, list[list[Found]]]:
    """A token is in a span of the label that more than half of the volunteers give it; a tie is outside.

    Two spans that touch are told apart where more than half of those who mark the token begin there.
    """
    shares = vote_shares(cells, n_labels)
    tags = np.zeros(len(shares), dtype=np.int64)
    if n_labels:
        by_label = shares[:, 1::2] + shares[:, 2::2]
        label, most = by_label.argmax(axis=1), by_label.max(axis=1)
        begun = shares[np.arange(len(shares)), begins(label)] > most / 2
        tags = np.where(most > 0.5, begins(label) + 1 - begun, tags)
    return shares, [_with_agreement(chain, spans_of(tags[part])) for chain, part in cells.parts()]


def exact_majority(cells: Cells, n_labels: int) -> tuple[np.ndarray, list[list[Found]]]:
    """The spans that more than half of the volunteers mark with exactly these ends and this label."""
    found = []
    for chain in cells.chains:
        votes = Counter(span for row in chain.tags for span in spans_of(row))
        kept = sorted(span for span, n in votes.items() if 2 * n > len(chain.workers))
        found.append(_with_agreement(chain, kept))
    return vote_shares(cells, n_labels), found


def _with_agreement(chain: Chain, spans: list[tuple[int, int, int]]) -> list[Found]:
    """The boundary's confidence: of those who mark the label within the span, how many mark exactly it."""
    found = []
    for first, last, label in spans:
        marked = label_of(chain.tags[:, first : last + 1]) == label
        support = marked.any(axis=1).sum()
        exact = marked.all(axis=1) & (chain.tags[:, first] == begins(label))
        exact &= (chain.tags[:, first + 1 : last + 1] != begins(label)).all(axis=1)
        if last + 1 < len(chain.starts):
            exact &= chain.tags[:, last + 1] != begins(label) + 1
        found.append(Found(first, last, label, float(exact.sum() / max(support, 1))))
    return found
