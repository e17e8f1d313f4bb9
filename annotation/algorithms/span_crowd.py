"""Whose marks can be trusted, and for what: the engine's model of volunteers who mark spans.

The truth is a sequence of states (span_sequence); a volunteer's tag at a cell depends on the state there and
on the volunteer's own tag before (Simpson and Gurevych, EMNLP 2019, their "seq" annotators), so that a span
missed as a whole counts once. A cell counts once however many tokens it has: counted by tokens, one long mark
of one volunteer was certain by its length alone. Habits learned per volunteer:

    truth \\ before     outside                   in a span of this label      in a span of another
    outside            marks what is not there   -                            runs on too far
    begins             finds it or misses it     began too early              (mixed up)
    goes on            begins too late           stops too early              (mixed up)

and, for every mark, whether its label is right. Each volunteer's row is drawn towards the crowd's row, and
that towards a typical one (a Dirichlet prior's mode, in the M step of EM; cf. Nguyen et al., ACL 2017).

Where nothing is, a cell is there because somebody marked it: such cells are a sample truncated at zero.
Learned as if they were not, two or three volunteers a text are soon found never to mark anything wrongly,
for outside hardly anybody marks: then every mark is right. Learned as such, each stands for those like it
that nobody marked. Of few answers the engine learns both ways, and keeps the one by which the others of a
text foretell better what one of them marks: of people who overlook much and invent nothing every mark is
right indeed.

Where it was asked whether they are sure, a volunteer has habits when sure, when not, and when silent, each
drawn towards their own moved as the crowd's are. In the end the words of a text have a say where somebody
marked (span_words).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from annotation.algorithms.certainty import N_SAYINGS
from annotation.algorithms.model_annotator import CAP
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
    typical_right,
)
from annotation.algorithms.span_sequence import (
    Moves,
    Smoothed,
    forward_backward,
    leaving,
    most_likely_states,
)
from annotation.algorithms.span_stretches import Stretches
from annotation.algorithms.span_votes import vote_shares
from annotation.algorithms.span_words import count_words, word_scores, words_at_marks

CROWD_STRENGTH = 100.0  # a typical row weighs as much as so many tags of the whole crowd
WORKER_STRENGTH = 10.0  # the crowd's row weighs as much as so many tags of one volunteer
CERTAINTY_STRENGTH = 30.0  # a row moved as the crowd's is weighs as much as so many tags that came with it
MOVES_STRENGTH = 10.0  # typical moves weigh as much as so many cells outside, and as many inside of spans
TYPICAL_MOVES = {"begin": 0.2, "stay": 0.3, "join": 0.02}
FEW_ANSWERS = 5  # a text, on the mean, from which on both ways of learning find the same
MAX_ITERATIONS = 50
TOLERANCE = 1e-5  # of the log evidence, relative


def fit(
    cells: Cells,
    texts: Sequence[str],
    n_workers: int,
    labels: Sequence[str],
    *,
    tells_certainty: bool = False,
) -> tuple[dict, list[dict]]:
    """(crowd, workers), JSON-able: the habits of highest posterior density, by EM, and what the words say.

    Where answers tell how certain they are, the cells' workers are rows: row_of(worker, certain, n_workers).

    EM climbs twice, from a typical crowd and from the votes, and the likelier end is taken: from the votes
    alone, of what two volunteers mark, that which a third one misses half of the time came out as nothing.
    """
    nothing = np.zeros((len(cells.n_tokens), 1 + 2 * len(labels)))
    votes = cells.with_gold(vote_shares(cells, len(labels)))
    n_sayings = N_SAYINGS if tells_certainty else 1

    def likelier_end(truncated: bool) -> tuple[Habits, np.ndarray, Moves, Smoothed]:
        both = [_climb(cells, start, n_workers, n_sayings, truncated) for start in (nothing, votes)]
        return max(both, key=lambda end: end[-1].log_evidence)

    found = likelier_end(truncated=False)
    if _n_answers_a_text(cells) < FEW_ANSWERS:
        found = max(found, likelier_end(truncated=True), key=lambda end: _foresight(cells, end[0], end[2]))
    habits, mixed_up, moves, smoothed = found
    crowd, workers = habits_to_json(habits, mixed_up, labels)
    if tells_certainty:
        rows, crowd["certain"] = workers[:-n_sayings], workers[-n_sayings:]
        workers = [{"certain": rows[worker::n_workers]} for worker in range(n_workers)]
    share = dict(zip(labels, moves.label_share.tolist(), strict=True))
    chain = {"begin": moves.begin, "stay": moves.stay, "join": moves.join, "label_share": share}
    sights = words_at_marks(cells, texts, given_labels(cells, len(labels)))
    words = count_words(sights, inside(smoothed.posterior), labels)
    return crowd | chain | {"words": words}, workers


def row_of(worker: int, said: int, n_workers: int) -> int:
    """Where a worker's habits lie among those of all in what they are not sure, sure, silent of.

    >>> row_of(1, 0, n_workers=4), row_of(1, 1, n_workers=4), row_of(1, -1, n_workers=4)
    (1, 5, 9)
    """
    return said % N_SAYINGS * n_workers + worker


def _n_answers_a_text(cells: Cells) -> float:
    return float(np.mean([len(chain.workers) for chain in cells.chains])) if cells.chains else 0.0


def _foresight(cells: Cells, habits: Habits, moves: Moves) -> float:
    """F1 of the tokens that one volunteer of each text marks, foretold by what the others mark there."""
    one_of = [chain.workers[chain.text % len(chain.workers)] for chain in cells.chains]
    others = [len(chain.workers) > 1 for chain in cells.chains]
    lengths = [len(chain.starts) for chain in cells.chains]
    is_theirs = cells.worker == np.repeat(one_of, lengths)[cells.cell]
    n_tokens = cells.n_tokens * np.repeat(others, lengths)
    without = cells.sights(~is_theirs)
    emission = emissions(without, habits, moves)
    foretold = inside(forward_backward(emission, cells.run_first, cells.run_length, moves).posterior) > 0.5
    said = is_theirs & (cells.tag > 0)
    at, label = cells.cell[said], label_of(cells.tag[said])
    n_both = n_tokens[at][foretold[at, label]].sum()
    n_either = n_tokens[at].sum() + n_tokens @ foretold.sum(axis=1)
    return float(2 * n_both / n_either) if n_either else 1.0


def _climb(
    cells: Cells, posterior: np.ndarray, n_workers: int, n_sayings: int, truncated: bool
) -> tuple[Habits, np.ndarray, Moves, Smoothed]:
    """EM from what a first posterior [C, 1 + 2 L] says of the volunteers; from nothing, all are typical."""
    habits, mixed_up = refit_habits(cells, posterior, n_workers, n_sayings)
    moves = Moves(**TYPICAL_MOVES, label_share=_label_shares(cells, posterior.shape[1] // 2))
    evidence, marked = -np.inf, cells.is_marked
    for _ in range(MAX_ITERATIONS):
        emission = emissions(cells, habits, moves)
        if truncated:
            emission[marked, 0] -= np.log1p(-_all_silent(cells, habits)[marked])
        smoothed = forward_backward(emission, cells.run_first, cells.run_length, moves)
        before = habits if truncated else None
        habits, mixed_up = refit_habits(cells, smoothed.posterior, n_workers, n_sayings, before=before)
        moves = refit_moves(smoothed, moves.label_share)
        before, evidence = evidence, smoothed.log_evidence
        if evidence - before <= TOLERANCE * abs(evidence):
            break
    return habits, mixed_up, moves, smoothed


def read(
    cells: Cells,
    texts: Sequence[str],
    crowd: dict,
    workers: Sequence[dict | None],
    labels: Sequence[str],
    model: int | None = None,
) -> tuple[np.ndarray, list[list[Found]]]:
    """(posterior [C, 1 + 2 L], the likeliest spans of each chain), each text from its own answers alone.

    A crowd whose words are None is read by its marks alone. model: which of the workers is one.
    """
    habits, moves = habits_from_json(crowd, workers, labels), moves_from_json(crowd, labels)
    emission = emissions(cells, habits, moves, model)
    smoothed = forward_backward(emission, cells.run_first, cells.run_length, moves)
    if crowd["words"] is not None:
        sights = words_at_marks(cells, texts, given_labels(cells.without(model), len(labels)))
        scores = word_scores(cells, sights, inside(smoothed.posterior), crowd["words"], labels)
        emission[:, 1:] += np.repeat(scores, 2, axis=1)
        smoothed = forward_backward(emission, cells.run_first, cells.run_length, moves)
    states = most_likely_states(emission, cells.run_first, cells.run_length, moves)
    return smoothed.posterior, _found(cells, states, emission, smoothed, moves)


def answer_weights(
    cells: Cells,
    crowd: dict,
    workers: Sequence[dict | None],
    labels: Sequence[str],
    states: np.ndarray,
    rejected: Stretches,
    model: int | None = None,
) -> list[float] | None:
    """[A] of one text, SpanReading.weights: log P(answer | found) - log P(answer | the contrary).

    A span that was found is held against nothing there, a stretch that was rejected is what was found
    (states [C]) against it. It is the answer's share of the log odds between the two readings; what the
    words say is no answer's. None where nothing was found or rejected. model: which of the workers is one.
    """
    n_cells, n_found = len(states), int((states % 2 == 1).sum())
    if not n_found + len(rejected):
        return None
    habits, moves = habits_from_json(crowd, workers, labels), moves_from_json(crowd, labels)
    own = log_likelihood(cells, habits, moves, cells.worker * n_cells + cells.cell, len(workers) * n_cells)
    own = own.reshape(len(workers), n_cells, -1)
    if model is not None:
        own[model] = _log_likelihood_of_model(cells, habits, moves, model)
    at = np.flatnonzero(states)
    for_found = (own[:, at, states[at]] - own[:, at, 0]).sum(axis=1)
    against = own[:, rejected.cell, states[rejected.cell]] - own[:, rejected.cell, rejected.tag]
    return ((for_found + against.sum(axis=1)) / (n_found + len(rejected))).tolist()


def moves_from_json(crowd: dict, labels: Sequence[str]) -> Moves:
    rarest = min(crowd["label_share"].values(), default=1.0)
    share = np.array([crowd["label_share"].get(label, rarest) for label in labels])
    return Moves(crowd["begin"], crowd["stay"], crowd["join"], share)


def _found(
    cells: Cells, states: np.ndarray, emission: np.ndarray, smoothed: Smoothed, moves: Moves
) -> list[list[Found]]:
    """The spans of these states; boundary: P(exactly this span) / P(this label at its surest cell)."""
    left = leaving(emission, smoothed.behind, cells.run_first, moves)
    carried = inside(smoothed.posterior)
    found = []
    for _, part in cells.parts():
        found.append([])
        for first, last, label in spans_of(states[part]):
            i, j = part.start + first, part.start + last
            went_on = emission[i + 1 : j + 1, begins(label) + 1] + moves.log_stay
            exact = smoothed.ahead[i, begins(label)] + went_on.sum() + left[j] - smoothed.evidence_at[i]
            boundary = np.exp(exact) / carried[i : j + 1, label].max()
            found[-1].append(Found(first, last, label, float(min(boundary, 1.0))))
    return found


def inside(posterior: np.ndarray) -> np.ndarray:
    """[C, L]: probability that a cell carries the label, from [C, 1 + 2 L]."""
    return posterior[:, 1::2] + posterior[:, 2::2]


def given_labels(cells: Cells, n_labels: int) -> np.ndarray:
    """bool [C, L]: whether any volunteer gave the label there."""
    given = np.zeros((len(cells.n_tokens), n_labels), dtype=bool)
    marked = cells.tag > 0
    given[cells.cell[marked], label_of(cells.tag[marked])] = True
    return given


def emissions(cells: Cells, habits: Habits, moves: Moves, model: int | None = None) -> np.ndarray:
    """[C, 1 + 2 L]: log likelihood of all tags given at each cell, under each state of it.

    States with a label that nobody gave there are ruled out: a consensus invents no label. model: which of
    the workers is one; what it alone marks, nobody gave.
    """
    people = cells.without(model)
    emission = log_likelihood(people, habits, moves, people.cell, len(cells.n_tokens))
    if model is not None:
        emission += _log_likelihood_of_model(cells, habits, moves, model)
    ruled_out = np.zeros(emission.shape, dtype=bool)
    ruled_out[:, 1:] = np.repeat(~given_labels(people, len(moves.label_share)), 2, axis=1)
    known = cells.gold >= 0
    ruled_out[known] = np.arange(emission.shape[1]) != cells.gold[known, None]
    emission[ruled_out] = -np.inf
    return emission


def _all_silent(cells: Cells, habits: Habits) -> np.ndarray:
    """[C]: probability that nobody marks a cell where nothing is."""
    context = np.where(cells.before > 0, OTHER, OUT)
    silent = np.log(np.maximum(habits.tags[cells.worker, 0, context, 0], LEAST))
    return np.minimum(np.exp(np.bincount(cells.cell, silent, len(cells.n_tokens))), 1.0 - LEAST)


def _log_likelihood_of_model(cells: Cells, habits: Habits, moves: Moves, model: int) -> np.ndarray:
    """[C, 1 + 2 L]: of the model's tags, over that of nothing being there; no farther from 0 than CAP times
    what the same tags of one with the crowd's habits say."""
    tags = cells.of(model)
    as_typical = replace(tags, worker=np.full_like(tags.worker, -1))  # the crowd's is the last row
    own, typical = (
        log_likelihood(given, habits, moves, given.cell, len(cells.n_tokens)) for given in (tags, as_typical)
    )
    most = CAP * np.abs(typical - typical[:, :1])
    return np.clip(own - own[:, :1], -most, most)


def log_likelihood(
    cells: Cells, habits: Habits, moves: Moves, group: np.ndarray, n_groups: int
) -> np.ndarray:
    """[G, 1 + 2 L]: of the tags in each group of sights of one cell (int [M]), under each state of it."""
    n_labels = len(moves.label_share)
    with np.errstate(divide="ignore"):
        tags = np.maximum(np.log(habits.tags), np.log(LEAST))
    worker, kind, context = cells.worker, _kind(cells.tag), np.where(cells.before > 0, OTHER, OUT)
    said, said_before = label_of(cells.tag), label_of(cells.before)

    emission = np.empty((n_groups, 1 + 2 * n_labels))
    begun = kind == 1
    outside = tags[worker, 0, context, kind]
    outside[begun] += np.log(np.maximum(moves.label_share, LEAST))[said[begun]]
    emission[:, 0] = np.bincount(group, outside, n_groups)

    at = np.flatnonzero(cells.before > 0)
    for state in (1, 2):
        base = np.bincount(group, tags[worker, state, context, kind], n_groups)
        gain = tags[worker[at], state, SAME, kind[at]] - tags[worker[at], state, OTHER, kind[at]]
        by_label = _spread(group[at], said_before[at], gain, n_groups, n_labels)
        emission[:, state::2] = base[:, None] + by_label
    evidence = np.zeros((n_groups, n_labels))
    np.add.at(evidence, group[begun], label_log_likelihood(habits, worker[begun], said[begun]))
    emission[:, 1::2] += evidence
    emission[:, 2::2] += evidence
    return emission


def refit_habits(
    cells: Cells, posterior: np.ndarray, n_workers: int, n_sayings: int = 1, *, before: Habits | None = None
) -> tuple[Habits, np.ndarray]:
    """(habits, counts of labels mixed up [L, L]) of highest density, given what each state probably is.

    before: the habits by which it is, where cells are a sample truncated at zero.

    Of several sayings, the habits are those of every row (row_of), then the crowd's when it says each.
    """
    n_labels = posterior.shape[1] // 2
    n_rows = n_workers * n_sayings
    tags = _tag_counts(cells, posterior, n_rows, None if before is None else _all_silent(cells, before))
    tags = tags.reshape(n_sayings, n_workers, *tags.shape[1:])  # [S, W, 3, 3, 3]
    crowd = _shares(tags.sum(axis=(0, 1)) + CROWD_STRENGTH * TYPICAL)
    own = _shares(tags.sum(axis=0) + WORKER_STRENGTH * crowd)

    marks, marks_right, mixed_up = _label_counts(cells, posterior, n_rows)
    marks, marks_right = (count.reshape(n_sayings, n_workers, n_labels) for count in (marks, marks_right))
    right_crowd = (marks_right.sum(axis=(0, 1)) + CROWD_STRENGTH * typical_right(n_labels)) / (
        marks.sum(axis=(0, 1)) + CROWD_STRENGTH
    )
    right_own = (marks_right.sum(axis=0) + WORKER_STRENGTH * right_crowd) / (
        marks.sum(axis=0) + WORKER_STRENGTH
    )
    if n_sayings > 1:
        own = _by_certainty(tags, own, crowd)
        right_or_not = np.stack([marks_right, marks - marks_right], axis=-1)
        right_own = _by_certainty(right_or_not, *map(_or_not, (right_own, right_crowd)))[..., 0]
    habits = Habits(
        np.concatenate([own, crowd[None]]),
        np.concatenate([right_own, right_crowd[None]]),
        mixed_up_rows(mixed_up, mixed_up.sum(axis=1), max(n_labels, 1)),
    )
    return habits, mixed_up


def _by_certainty(counts: np.ndarray, own: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """counts [S, W, ..., P], own [W, ..., P], crowd [..., P] -> [S W + S, ..., P], shares over the last axis:
    each saying's of every worker, then those of the crowd."""
    of_crowd = _shares(counts.sum(axis=1) + CROWD_STRENGTH * crowd)
    expected = _shares(own * (of_crowd / np.maximum(crowd, LEAST))[:, None])
    of_workers = _shares(counts + CERTAINTY_STRENGTH * expected)
    return np.concatenate([of_workers.reshape(-1, *crowd.shape), of_crowd])


def _or_not(share: np.ndarray) -> np.ndarray:
    return np.stack([share, 1.0 - share], axis=-1)


def refit_moves(smoothed: Smoothed, label_share: np.ndarray) -> Moves:
    outside, begin, stay, join, end = smoothed.move_counts
    typical, strength = TYPICAL_MOVES, MOVES_STRENGTH
    n_outside, n_inside = outside + begin + strength, stay + join + end + strength
    return Moves(
        begin=float((begin + strength * typical["begin"]) / n_outside),
        stay=float((stay + strength * typical["stay"]) / n_inside),
        join=float((join + strength * typical["join"]) / n_inside),
        label_share=label_share,
    )


def _label_shares(cells: Cells, n_labels: int) -> np.ndarray:
    """[L]: labels of all marks, for true and spurious ones alike: a label rarely agreed on is not thereby
    explained away."""
    return _shares(np.bincount(label_of(cells.tag[cells.tag % 2 == 1]), minlength=n_labels) + 1.0)


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / counts.sum(axis=-1, keepdims=True)


def _tag_counts(
    cells: Cells, posterior: np.ndarray, n_workers: int, all_silent: np.ndarray | None
) -> np.ndarray:
    """[W, 3, 3, 3]: how often, probably, each worker gave which tag in which state after which tag.

    With all_silent [C], where nothing is: of cells that somebody marked, and of as many like them as it has
    unmarked.
    """
    key, said_before = cells.worker * 3 + _kind(cells.tag), label_of(cells.before)
    at_cell = posterior[cells.cell]
    if all_silent is not None:
        at_cell[~cells.is_marked[cells.cell], 0] = 0.0
    tags = np.zeros((n_workers, 3, 3, 3))

    def count(state: int, context: int, weight: np.ndarray) -> None:
        tags[:, state, context] = np.bincount(key, weight, n_workers * 3).reshape(n_workers, 3)

    for context, is_it in ((OUT, said_before < 0), (OTHER, said_before >= 0)):
        count(0, context, at_cell[:, 0] * is_it)
        if all_silent is not None:
            unseen = at_cell[:, 0] * (all_silent / (1.0 - all_silent))[cells.cell] * is_it
            tags[:, 0, context, 0] += np.bincount(cells.worker, unseen, n_workers)
    for state, by_label in ((1, at_cell[:, 1::2]), (2, at_cell[:, 2::2])):
        total = by_label.sum(axis=1)
        same = np.pad(by_label, ((0, 0), (0, 1)))[np.arange(len(total)), said_before]  # -1 is no label
        count(state, OUT, total * (said_before < 0))
        count(state, SAME, same)
        count(state, OTHER, (total - same) * (said_before >= 0))
    return tags


def _label_counts(
    cells: Cells, posterior: np.ndarray, n_workers: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """marks [W, L] on each true label, the right ones of them [W, L], labels mixed up [L, L]."""
    n_labels = posterior.shape[1] // 2
    begun = np.flatnonzero(_kind(cells.tag) == 1)
    worker, said, at_mark = cells.worker[begun], label_of(cells.tag[begun]), posterior[cells.cell[begun]]
    on_label = inside(at_mark)
    marks = np.zeros((n_workers, n_labels))
    np.add.at(marks, worker, on_label)
    right = _spread(worker, said, on_label[np.arange(len(said)), said], n_workers, n_labels)
    mixed_up = np.zeros((n_labels, n_labels))
    np.add.at(mixed_up.T, said, on_label)
    np.fill_diagonal(mixed_up, 0.0)
    return marks, right, mixed_up


def _kind(tag: np.ndarray) -> np.ndarray:
    """0 outside, 1 begins, 2 goes on."""
    return np.where(tag > 0, 2 - tag % 2, 0)


def _spread(
    cell: np.ndarray, label: np.ndarray, weight: np.ndarray, n_cells: int, n_labels: int
) -> np.ndarray:
    return np.bincount(cell * n_labels + label, weight, n_cells * n_labels).reshape(n_cells, n_labels)
