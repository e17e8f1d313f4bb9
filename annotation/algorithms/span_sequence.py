"""A hidden Markov model over spans: outside, or inside a span of one of L labels that began at some cell.

States of a cell, S = 1 + 2 L: 0 outside, 2 l + 1 a span of label l begins, 2 l + 2 it goes on. "Goes on" is
legal only after a cell of the same span, so the L labels share their moves and a step costs O(L), not O(L^2).
All in log space, and each step for all chains that are long enough at once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Moves:
    """Probabilities of the hidden chain, per cell.

    begin: outside to the beginning of a span. stay: a span goes on. join: a span ends and another follows at
    once; the rest of the time it ends and the text is outside. label_share [L]: which label a span has.
    """

    begin: float
    stay: float
    join: float
    label_share: np.ndarray

    log_begin = cached_property(lambda self: np.log(self.begin))
    log_outside = cached_property(lambda self: np.log1p(-self.begin))
    log_stay = cached_property(lambda self: np.log(self.stay))
    log_join = cached_property(lambda self: np.log(self.join))
    log_end = cached_property(lambda self: np.log1p(-self.stay - self.join))
    log_share = cached_property(lambda self: np.log(self.label_share))


@dataclass(frozen=True, eq=False)
class Smoothed:
    """posterior [C, S]. log_evidence: of all chains; evidence_at [C]: of the cell's chain.

    ahead [C, S], behind [C, S]: log forward and backward messages.
    move_counts: expected numbers of the moves (outside-outside, begin, stay, join, end).
    """

    posterior: np.ndarray
    log_evidence: float
    evidence_at: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray
    move_counts: np.ndarray


def forward_backward(emission: np.ndarray, first: np.ndarray, length: np.ndarray, moves: Moves) -> Smoothed:
    """Posterior of each cell's state given all cells of its chain (Rabiner, Proc IEEE 1989;77:257).

    emission [C, S]: log likelihood of what was seen at a cell under each state.
    first, length [N]: where each chain's cells lie, longest chain first; together they are all cells.
    """
    ahead, behind = np.full_like(emission, -np.inf), np.zeros_like(emission)
    n_active = _active(length)
    for step, n in enumerate(n_active):
        at = first[:n] + step
        ahead[at] = emission[at] + (_forward(ahead[at - 1], moves) if step else _entry(moves))
    for step in range(len(n_active) - 2, -1, -1):
        at = first[: n_active[step + 1]] + step
        behind[at] = _backward(emission[at + 1] + behind[at + 1], moves)
    last = first + length - 1
    log_evidence = np.logaddexp.reduce(ahead[last], axis=1)
    in_order = np.argsort(first)
    evidence_at = np.repeat(log_evidence[in_order], length[in_order])
    posterior = np.exp(ahead + behind - evidence_at[:, None])
    posterior /= posterior.sum(axis=1, keepdims=True)
    return Smoothed(
        posterior, float(log_evidence.sum()), evidence_at, ahead, behind,
        _expected_moves(emission, ahead, behind, evidence_at, posterior, first, moves),
    )  # fmt: skip


def most_likely_states(
    emission: np.ndarray, first: np.ndarray, length: np.ndarray, moves: Moves
) -> np.ndarray:
    """int [C]: the likeliest sequence of states of every chain (Viterbi)."""
    n_active = _active(length)
    best = np.full_like(emission, -np.inf)
    came_from = np.zeros(emission.shape, dtype=np.int64)
    begin_states = np.arange(1, emission.shape[1], 2)
    for step, n in enumerate(n_active):
        at = first[:n] + step
        if not step:
            best[at] = emission[at] + _entry(moves)
            continue
        before = best[at - 1]
        outside, inside = before[:, 0], before[:, 1:].argmax(axis=1) + 1
        from_inside = before[np.arange(n), inside]
        ended, joined = from_inside + moves.log_end, from_inside + moves.log_join
        still, begun = outside + moves.log_outside, outside + moves.log_begin
        best[at, 0] = np.maximum(still, ended)
        best[at, 1::2] = np.maximum(begun, joined)[:, None] + moves.log_share
        best[at, 2::2] = np.maximum(before[:, 1::2], before[:, 2::2]) + moves.log_stay
        best[at] += emission[at]
        came_from[at, 0] = np.where(ended > still, inside, 0)
        came_from[at, 1::2] = np.where(joined > begun, inside, 0)[:, None]
        came_from[at, 2::2] = begin_states + (before[:, 2::2] > before[:, 1::2])
    states = np.zeros(len(emission), dtype=np.int64)
    last = first + length - 1
    states[last] = best[last].argmax(axis=1)
    for step in range(len(n_active) - 2, -1, -1):
        at = first[: n_active[step + 1]] + step
        states[at] = came_from[at + 1, states[at + 1]]
    return states


def _active(length: np.ndarray) -> np.ndarray:
    """How many chains have a cell at each step; length is falling."""
    return (length[:, None] > np.arange(length.max(initial=0))).sum(axis=0)


def _entry(moves: Moves) -> np.ndarray:
    """Log probability of the first state: a text begins as if after an outside cell."""
    entry = np.full(1 + 2 * len(moves.label_share), -np.inf)
    entry[0] = moves.log_outside
    entry[1::2] = moves.log_begin + moves.log_share
    return entry


def _forward(before: np.ndarray, moves: Moves) -> np.ndarray:
    outside = before[:, 0]
    open_spans = np.logaddexp(before[:, 1::2], before[:, 2::2])  # [N, L]
    inside = np.logaddexp.reduce(open_spans, axis=1)
    reached = np.empty_like(before)
    reached[:, 0] = np.logaddexp(outside + moves.log_outside, inside + moves.log_end)
    begun = np.logaddexp(outside + moves.log_begin, inside + moves.log_join)
    reached[:, 1::2] = begun[:, None] + moves.log_share
    reached[:, 2::2] = open_spans + moves.log_stay
    return reached


def _backward(after: np.ndarray, moves: Moves) -> np.ndarray:
    outside = after[:, 0]
    begun = np.logaddexp.reduce(after[:, 1::2] + moves.log_share, axis=1)
    left = np.empty_like(after)
    left[:, 0] = np.logaddexp(outside + moves.log_outside, begun + moves.log_begin)
    leaves = np.logaddexp(outside + moves.log_end, begun + moves.log_join)[:, None]
    left[:, 1::2] = np.logaddexp(leaves, after[:, 2::2] + moves.log_stay)
    left[:, 2::2] = left[:, 1::2]
    return left


def leaving(emission: np.ndarray, behind: np.ndarray, first: np.ndarray, moves: Moves) -> np.ndarray:
    """[C]: log likelihood of all that follows a cell where a span ends; 0 at the end of a chain."""
    after = emission[1:] + behind[1:]
    begun = np.logaddexp.reduce(after[:, 1::2] + moves.log_share, axis=1)
    left = np.zeros(len(emission))
    left[:-1] = np.logaddexp(after[:, 0] + moves.log_end, begun + moves.log_join)
    left[first[first > 0] - 1] = 0.0
    return left


def _expected_moves(emission, ahead, behind, log_evidence, posterior, first, moves) -> np.ndarray:
    entered = np.zeros(len(emission), dtype=bool)
    entered[first] = True
    begun = posterior[entered][:, 1::2].sum()
    counts = np.array([entered.sum() - begun, begun, 0.0, 0.0, 0.0])
    to = np.flatnonzero(~entered)
    if len(to):
        came = ahead[to - 1] - log_evidence[to, None]
        went = emission[to] + behind[to]
        open_spans = np.logaddexp(came[:, 1::2], came[:, 2::2])
        inside = np.logaddexp.reduce(open_spans, axis=1)
        opened = np.logaddexp.reduce(went[:, 1::2] + moves.log_share, axis=1)
        counts += [
            np.exp(came[:, 0] + went[:, 0]).sum() * (1.0 - moves.begin),
            np.exp(came[:, 0] + opened).sum() * moves.begin,
            np.exp(open_spans + went[:, 2::2]).sum() * moves.stay,
            np.exp(inside + opened).sum() * moves.join,
            np.exp(inside + went[:, 0]).sum() * (1.0 - moves.stay - moves.join),
        ]
    return counts
