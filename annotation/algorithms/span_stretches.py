"""What somebody marked, whether or not it is found: of each label, marks that overlap are one stretch."""

from dataclasses import dataclass

import numpy as np

from annotation.algorithms.span_chains import Cells, Found, begins, label_of
from annotation.algorithms.span_types import RejectedSpan


@dataclass(frozen=True, eq=False)
class Stretches:
    """N stretches of P cells, label by label in the order of the text.

    cell, tag: int [P], each cell of each stretch and its tag there. place: int [P], the same cell in the
    first sequence of its text. first: int [N], where in these a stretch begins.
    """

    cell: np.ndarray
    tag: np.ndarray
    place: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def chosen(self, which: np.ndarray) -> "Stretches":
        """Those of which [N] is true."""
        length = np.diff(self.first, append=len(self.cell))
        kept, n = np.repeat(which, length), length[which]
        return Stretches(self.cell[kept], self.tag[kept], self.place[kept], np.cumsum(n) - n)


def marked_stretches(cells: Cells, n_labels: int) -> Stretches:
    """Of spans inside spans of their label, which lie in later sequences, the outer ones are the stretch."""
    place, said = _places(cells), label_of(cells.tag)
    home = np.full((len(place), n_labels), -1)  # of a place and a label, the first sequence that has it
    goes_on = np.zeros(home.shape, dtype=bool)
    marked = np.flatnonzero(said >= 0)[::-1]
    home[place[cells.cell[marked]], said[marked]] = cells.cell[marked]
    marked = marked[cells.tag[marked] % 2 == 0]
    goes_on[place[cells.cell[marked]], said[marked]] = True
    label, at = np.nonzero(home.T >= 0)
    going = goes_on[at, label]
    return Stretches(home[at, label], begins(label) + going, at, np.flatnonzero(~going))


def found_states(cells: Cells, found: list[list[Found]]) -> np.ndarray:
    """int [C]: the tag of each cell by the spans found in each sequence."""
    states = np.zeros(len(cells.n_tokens), dtype=np.int64)
    for first, spans in zip(cells.first, found, strict=True):
        for span in spans:
            states[first + span.first : first + span.last + 1] = begins(span.label) + 1
            states[first + span.first] = begins(span.label)
    return states


def rejected_stretches(stretches: Stretches, cells: Cells, states: np.ndarray, n_labels: int) -> Stretches:
    """The stretches that no span found of their label overlaps, in any sequence of the text."""
    if not len(stretches):
        return stretches
    has = np.zeros((len(states), n_labels), dtype=bool)
    at = np.flatnonzero(states)
    has[_places(cells)[at], label_of(states[at])] = True
    overlapped = np.logical_or.reduceat(has[stretches.place, label_of(stretches.tag)], stretches.first)
    return stretches.chosen(~overlapped)


def rejected_spans(
    rejected: Stretches, cells: Cells, states: np.ndarray, inside: np.ndarray, labels: list[str], n_texts: int
) -> list[list[RejectedSpan]]:
    """Of every text, the likeliest first. inside [C, L]: probability that a cell carries the label."""
    by_text: list[list[RejectedSpan]] = [[] for _ in range(n_texts)]
    if not len(rejected):
        return by_text
    label = label_of(rejected.tag)
    carried = np.minimum(inside[rejected.cell, label], 1.0)
    probability = np.maximum.reduceat(carried, rejected.first)
    doubt = np.maximum.reduceat(np.where(states[rejected.cell] == 0, carried, 0.0), rejected.first)
    last = np.append(rejected.first[1:], len(rejected.cell)) - 1
    chain_of = np.searchsorted(cells.first, rejected.cell[rejected.first], side="right") - 1
    for n, (chain_at, begin, end) in enumerate(zip(chain_of, rejected.first, last, strict=True)):
        chain, first = cells.chains[chain_at], cells.first[chain_at]
        start, stop = chain.starts[rejected.cell[begin] - first], chain.ends[rejected.cell[end] - first]
        span = int(start), int(stop), labels[label[begin]]
        by_text[chain.text].append(RejectedSpan(*span, float(probability[n]), float(doubt[n])))
    for spans in by_text:
        spans.sort(key=lambda span: (-span.probability, span.start, span.end, span.label))
    return by_text


def _places(cells: Cells) -> np.ndarray:
    """int [C]: each cell in the first sequence of its text; all sequences of a text have the same cells."""
    first_of_text: dict[int, int] = {}
    for chain, first in zip(cells.chains, cells.first, strict=True):
        first_of_text.setdefault(chain.text, first)
    moved = [
        first - first_of_text[chain.text] for chain, first in zip(cells.chains, cells.first, strict=True)
    ]
    length = np.diff(cells.first, append=len(cells.n_tokens))
    return np.arange(len(cells.n_tokens)) - np.repeat(np.array(moved, dtype=np.int64), length)
