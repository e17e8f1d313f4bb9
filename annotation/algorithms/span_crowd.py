"""Whose marks can be trusted, and for what: the engine's model of volunteers who mark spans.

The truth is a sequence of states (span_sequence); a volunteer's tag at a token depends on the state there and
on the volunteer's own tag before (Simpson and Gurevych, EMNLP 2019, "seq" model): a missed span is missed
as a whole and counts once, not once a token. So four habits come apart, each learned per volunteer:

    truth \\ before     outside                   in a span of this label      in a span of another
    outside            marks what is not there   -                            runs on too far
    begins             finds it or misses it     began too early              (mixed up)
    goes on            begins too late           stops too early              (mixed up)

and, for every mark, whether its label is right. Each volunteer's row is drawn towards the crowd's row (Nguyen
et al., ACL 2017, section 4.1, without the hierarchy), all in the M step of EM.
"""

from collections.abc import Sequence

import numpy as np

from annotation.algorithms.span_chains import Cells, Found, begins, label_of, spans_of
from annotation.algorithms.span_habits import (
    LEAST,
    OTHER,
    OUT,
    SAME,
    TYPICAL,
    Habits,
    habits_from_json,
    habits_to_json,
    label_log_likelihood,
    mixed_up_rows,
    typical_habits,
    typical_right,
)
from annotation.algorithms.span_sequence import (
    Moves,
    Smoothed,
    forward_backward,
    leaving,
    most_likely_states,
    with_moves_inside,
)

# Weights of what is assumed before the answers speak. A mark where nothing is happens once in hundreds of
# tokens, so a rate of such marks is weighed in marks, all else in tags.
CROWD_STRENGTH = 10.0  # a typical row weighs as much as so many tags of the whole crowd
WORKER_STRENGTH = 10.0  # the crowd's row weighs as much as so many tags of one volunteer
CROWD_SPURIOUS = 1.0  # typical rate of spurious marks: so many marks of the crowd
WORKER_SPURIOUS = 3.0  # the crowd's rate of spurious marks: so many marks of one volunteer
TYPICAL_MOVES = {"begin": 0.02, "stay": 0.7, "join": 0.01}
MOVES_STRENGTH = {"begin": 200.0, "inside": 10.0}  # in tokens outside and inside of spans
MAX_ITERATIONS = 50
TOLERANCE = 1e-5  # of the log evidence, relative


def fit(cells: Cells, n_workers: int, labels: Sequence[str]) -> tuple[dict, list[dict]]:
    """(crowd, workers), JSON-able: the habits of highest posterior density, by EM."""
    habits = typical_habits(n_workers, len(labels))
    moves = Moves(**TYPICAL_MOVES, label_share=_label_shares(cells, len(labels)))
    evidence = -np.inf
    for _ in range(MAX_ITERATIONS):
        _, smoothed = smooth(cells, habits, moves)
        habits, mixed_up = refit_habits(cells, smoothed.posterior, n_workers)
        moves = refit_moves(smoothed, moves.label_share)
        before, evidence = evidence, smoothed.log_evidence.sum()
        if evidence - before <= TOLERANCE * abs(evidence):
            break
    crowd, workers = habits_to_json(habits, mixed_up, labels)
    share = dict(zip(labels, moves.label_share.tolist(), strict=True))
    chain = {"begin": moves.begin, "stay": moves.stay, "join": moves.join, "label_share": share}
    return crowd | chain, workers


def read(
    cells: Cells, crowd: dict, workers: Sequence[dict | None], labels: Sequence[str]
) -> tuple[np.ndarray, list[list[Found]]]:
    """(posterior [C, 1 + 2 L], the likeliest spans of each chain), each text from its own answers alone."""
    habits = habits_from_json(crowd, workers, labels)
    rarest = min(crowd["label_share"].values(), default=1.0)
    share = np.array([crowd["label_share"].get(label, rarest) for label in labels])
    moves = Moves(crowd["begin"], crowd["stay"], crowd["join"], share)
    emission, smoothed = smooth(cells, habits, moves)
    states = most_likely_states(emission, cells.first, cells.length, moves)
    left = leaving(emission, smoothed.behind, cells.first, moves)
    found = []
    for (_, part), log_evidence in zip(cells.parts(), smoothed.log_evidence, strict=True):
        found.append([])
        for first, last, label in spans_of(states[part]):
            i, j = part.start + first, part.start + last
            went_on = emission[i + 1 : j + 1, begins(label) + 1] + np.log(moves.stay)
            exact = smoothed.ahead[i, begins(label)] + went_on.sum() + left[j] - log_evidence
            here = smoothed.posterior[i : j + 1, begins(label) : begins(label) + 2].sum(axis=1).max()
            found[-1].append(Found(first, last, label, float(min(np.exp(exact) / here, 1.0))))
    return smoothed.posterior, found


def emissions(cells: Cells, habits: Habits, label_share: np.ndarray) -> np.ndarray:
    """[C, 1 + 2 L]: log likelihood of all tags given at each cell, under each state of it.

    States with a label that nobody gave there are ruled out: a consensus invents no label.
    """
    n_labels, n_cells = len(label_share), len(cells.n_tokens)
    with np.errstate(divide="ignore"):
        tags = np.maximum(np.log(habits.tags), np.log(LEAST))
    worker, kind, context = cells.worker, _kind(cells.tag), np.where(cells.before > 0, OTHER, OUT)
    rest = cells.n_tokens[cells.cell] - 1.0
    said, said_before = label_of(cells.tag), label_of(cells.before)
    context_inside = np.where(cells.tag > 0, OTHER, OUT)
    kind_inside = np.where(cells.tag > 0, 2, 0)

    emission = np.empty((n_cells, 1 + 2 * n_labels))
    begun = kind == 1
    outside = tags[worker, 0, context, kind] + rest * tags[worker, 0, context_inside, kind_inside]
    outside[begun] += np.log(np.maximum(label_share, LEAST))[said[begun]]
    emission[:, 0] = np.bincount(cells.cell, outside, n_cells)

    marked, after_mark = np.flatnonzero(cells.tag > 0), np.flatnonzero(cells.before > 0)
    going_on = rest * tags[worker, 2, context_inside, kind_inside]
    gain_inside = rest[marked] * (tags[worker[marked], 2, SAME, 2] - tags[worker[marked], 2, OTHER, 2])
    for state in (1, 2):
        base = np.bincount(cells.cell, tags[worker, state, context, kind] + going_on, n_cells)
        by_label = _spread(cells.cell[marked], said[marked], gain_inside, n_cells, n_labels)
        at = after_mark
        gain = tags[worker[at], state, SAME, kind[at]] - tags[worker[at], state, OTHER, kind[at]]
        by_label += _spread(cells.cell[at], said_before[at], gain, n_cells, n_labels)
        emission[:, state::2] = base[:, None] + by_label
    evidence = np.zeros((n_cells, n_labels))
    np.add.at(evidence, cells.cell[begun], label_log_likelihood(habits, worker[begun], said[begun]))
    emission[:, 1::2] += evidence
    emission[:, 2::2] += evidence

    given = _spread(cells.cell[marked], said[marked], np.ones(len(marked)), n_cells, n_labels) > 0
    ruled_out = np.zeros(emission.shape, dtype=bool)
    ruled_out[:, 1::2] = ruled_out[:, 2::2] = ~given
    known = cells.gold >= 0
    ruled_out[known] = np.arange(emission.shape[1]) != cells.gold[known, None]
    emission[ruled_out] = -np.inf
    return emission


def smooth(cells: Cells, habits: Habits, moves: Moves) -> tuple[np.ndarray, Smoothed]:
    emission = with_moves_inside(emissions(cells, habits, moves.label_share), cells.n_tokens, moves)
    return emission, forward_backward(emission, cells.first, cells.length, cells.n_tokens, moves)


def refit_habits(cells: Cells, posterior: np.ndarray, n_workers: int) -> tuple[Habits, np.ndarray]:
    """(habits, counts of labels mixed up [L, L]) of highest density, given what each state probably is."""
    n_labels = posterior.shape[1] // 2
    tags = _tag_counts(cells, posterior, n_workers)
    crowd = _shares(tags.sum(axis=0) + _strength(CROWD_STRENGTH, CROWD_SPURIOUS, TYPICAL) * TYPICAL)
    own = _shares(tags + _strength(WORKER_STRENGTH, WORKER_SPURIOUS, crowd) * crowd)

    marks, marks_right, mixed_up = _label_counts(cells, posterior, n_workers)
    right_crowd = (marks_right.sum(axis=0) + CROWD_STRENGTH * typical_right(n_labels)) / (
        marks.sum(axis=0) + CROWD_STRENGTH
    )
    right_own = (marks_right + WORKER_STRENGTH * right_crowd) / (marks + WORKER_STRENGTH)
    habits = Habits(
        np.concatenate([own, crowd[None]]),
        np.concatenate([right_own, right_crowd[None]]),
        mixed_up_rows(mixed_up, mixed_up.sum(axis=1), max(n_labels, 1)),
    )
    return habits, mixed_up


def refit_moves(smoothed: Smoothed, label_share: np.ndarray) -> Moves:
    outside, begin, stay, join, end = smoothed.move_counts
    typical, strength = TYPICAL_MOVES, MOVES_STRENGTH
    inside = stay + join + end + strength["inside"]
    return Moves(
        begin=float((begin + strength["begin"] * typical["begin"]) / (outside + begin + strength["begin"])),
        stay=float((stay + strength["inside"] * typical["stay"]) / inside),
        join=float((join + strength["inside"] * typical["join"]) / inside),
        label_share=label_share,
    )


def _strength(tags: float, spurious: float, rows: np.ndarray) -> np.ndarray:
    """[3, 3, 1]: how many tags each row of the prior weighs."""
    strength = np.full((3, 3, 1), tags)
    strength[0, OUT] = np.maximum(tags, spurious / rows[0, OUT, 1])
    return strength


def _label_shares(cells: Cells, n_labels: int) -> np.ndarray:
    """[L]: labels of all marks, for true and spurious ones alike: a label rarely agreed on is not thereby
    explained away."""
    return _shares(np.bincount(label_of(cells.tag[cells.tag % 2 == 1]), minlength=n_labels) + 1.0)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / counts.sum(axis=-1, keepdims=True)


def _tag_counts(cells: Cells, posterior: np.ndarray, n_workers: int) -> np.ndarray:
    """[W, 3, 3, 3]: how often, probably, each worker gave which tag in which state after which tag."""
    kind, said, said_before = _kind(cells.tag), label_of(cells.tag), label_of(cells.before)
    rest = cells.n_tokens[cells.cell] - 1.0
    at_cell = posterior[cells.cell]
    began, went_on = at_cell[:, 1::2], at_cell[:, 2::2]
    inside = began + went_on
    tags = np.zeros((n_workers, 3, 3, 3))

    def count(state: int, context: int, kind: np.ndarray, weight: np.ndarray) -> None:
        key = cells.worker * 3 + kind
        tags[:, state, context] += np.bincount(key, weight, n_workers * 3).reshape(n_workers, 3)

    def count_by_context(state: int, before: np.ndarray, kind: np.ndarray, weight: np.ndarray) -> None:
        """weight [M, L] of each true label; before [M]: the label of the volunteer's tag before, or -1."""
        total = weight.sum(axis=1)
        same = np.pad(weight, ((0, 0), (0, 1)))[np.arange(len(weight)), before]  # label -1 is no label
        count(state, OUT, kind, total * (before < 0))
        count(state, SAME, kind, same)
        count(state, OTHER, kind, (total - same) * (before >= 0))

    kind_inside = np.where(cells.tag > 0, 2, 0)
    for before, then, weight in ((said_before, kind, 1.0), (said, kind_inside, rest)):
        count(0, OUT, then, weight * at_cell[:, 0] * (before < 0))
        count(0, OTHER, then, weight * at_cell[:, 0] * (before >= 0))
    count_by_context(1, said_before, kind, began)
    count_by_context(2, said_before, kind, went_on)
    count_by_context(2, said, kind_inside, rest[:, None] * inside)

    return tags


def _label_counts(
    cells: Cells, posterior: np.ndarray, n_workers: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """marks [W, L] on each true label, the right ones of them [W, L], labels mixed up [L, L]."""
    n_labels = posterior.shape[1] // 2
    begun = np.flatnonzero(_kind(cells.tag) == 1)
    worker, said, at_mark = cells.worker[begun], label_of(cells.tag[begun]), posterior[cells.cell[begun]]
    inside = at_mark[:, 1::2] + at_mark[:, 2::2]
    marks = np.zeros((n_workers, n_labels))
    np.add.at(marks, worker, inside)
    right = _spread(worker, said, inside[np.arange(len(said)), said], n_workers, n_labels)
    mixed_up = np.zeros((n_labels, n_labels))
    np.add.at(mixed_up.T, said, inside)
    np.fill_diagonal(mixed_up, 0.0)
    return marks, right, mixed_up


def _kind(tag: np.ndarray) -> np.ndarray:
    """0 outside, 1 begins, 2 goes on."""
    return np.where(tag > 0, 2 - tag % 2, 0)


def _spread(
    cell: np.ndarray, label: np.ndarray, weight: np.ndarray, n_cells: int, n_labels: int
) -> np.ndarray:
    return np.bincount(cell * n_labels + label, weight, n_cells * n_labels).reshape(n_cells, n_labels)
