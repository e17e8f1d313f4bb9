"""What judges models: texts whose answers are known and that no model learns from; how each model does."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from training.algorithms.clusters import effective_size
from training.algorithms.examples import Examples, Span
from training.algorithms.judged import CHOSEN_FROM, Judged, judged_classes, judged_marks, judged_sets
from training.algorithms.metrics import evaluate, reliability
from training.algorithms.metrics_of_sets import evaluate_labels
from training.algorithms.outcomes import (
    Mark,
    Outcomes,
    Trial,
    outcomes_of_classes,
    outcomes_of_marks,
    outcomes_of_sets,
)
from training.algorithms.relation_pairs import HOLDS_FROM, Reading
from training.algorithms.slices import slice_report, slices_of
from training.algorithms.splits import CALIBRATION, TEST, families_of
from training.models import ModelVersion
from training.services.marks import MARKING, Found
from training.services.scoring import probabilities_of_texts
from training.services.snapshot import Snapshot, learned_rows, whole_text

MISTAKES_KEPT = 20  # the surest ones: where the model, or the people, should be looked at again
WHOLE = ("head", "class_names")  # of a bench: what is not one a text
FEWEST_APART = 10  # texts of gold or of the stream, below which figures of their own say nothing
TIMED_TEXTS = 64
Opinion = np.ndarray | list[Found]


@dataclass(frozen=True, slots=True)
class Bench:
    """N texts. `right` is the class of each, int [N], the labels that hold, bool [N, K], or what it marks."""

    head: str
    class_names: tuple[str, ...]
    texts: list[str]
    seconds: list[str] | None
    right: np.ndarray | list[list[Mark]]
    spans: Sequence[Sequence[Span]] | None  # between which there are relations
    task_ids: list[str]
    record_ids: list[str]
    is_gold: np.ndarray  # bool [N], answered by a file; the others by volunteers
    is_decided: np.ndarray  # bool [N], those of the others that a reviewer decided
    metadata: list[dict]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def record_of(self) -> np.ndarray:
        """The number [N] of each text's record."""
        return np.unique(self.record_ids, return_inverse=True)[1]

    @property
    def whole_texts(self) -> list[str]:
        seconds = self.seconds or [None] * len(self)
        return [
            whole_text({"text": text, "second": second})
            for text, second in zip(self.texts, seconds, strict=True)
        ]

    def only(self, chosen: np.ndarray) -> "Bench":
        """Return the bench of some of the texts, chosen bool [N]."""
        columns = [field.name for field in fields(self) if field.name not in WHOLE]
        return replace(self, **{name: only(getattr(self, name), chosen) for name in columns})


def bench_of(snapshot: Snapshot, examples: Examples) -> Bench:
    """What judges models."""
    return _bench(snapshot, examples, examples.rows(TEST))


def _bench(snapshot: Snapshot, examples: Examples, rows: np.ndarray) -> Bench:
    chosen = [snapshot.rows[row] for row in rows]
    return Bench(
        head=examples.head,
        class_names=examples.class_names,
        texts=[row["text"] for row in chosen],
        seconds=[row["second"] for row in chosen] if examples.seconds is not None else None,
        right=_right(examples, rows),
        spans=None if examples.relations is None else [examples.spans[row] for row in rows],
        task_ids=[row["task"] for row in chosen],
        record_ids=[row["record"] for row in chosen],
        is_gold=np.array([row["origin"] == "gold" for row in chosen], dtype=bool),
        is_decided=np.array([row["origin"] == "expert" for row in chosen], dtype=bool),
        metadata=[row["metadata"] for row in chosen],
    )


def unlearned(bench: Bench, version: ModelVersion, challenger: ModelVersion) -> np.ndarray:
    """bool [N]: the texts whose like taught the model no more than the challenger, whose run the bench is of.

    What judges now may have taught an earlier model: gold that a file brings later takes its records and
    what is nearly equal to it out of training, and a new record can join two families. Whoever learned a
    text's like, or from the rest of its record, knows more of it. Where both did (gold in every note teaches
    both from its records), neither has the better of the other. FileNotFoundError where it is not known.
    """
    known, own = learned_rows(version.run), learned_rows(challenger.run)
    family_of = families_of([*bench.whole_texts, *map(whole_text, [*known, *own])])
    of_bench, of_known, of_own = np.split(family_of, [len(bench), len(bench) + len(known)])
    families = np.setdiff1d(of_known, of_own)
    records = {row["record"] for row in known} - {row["record"] for row in own}
    tasks = {row["task"] for row in known}
    is_known = [
        task in tasks or record in records
        for task, record in zip(bench.task_ids, bench.record_ids, strict=True)
    ]
    return ~(np.isin(of_bench, families) | np.array(is_known, dtype=bool))


def only(column, chosen: np.ndarray):
    """Return a column of a bench, or an opinion, for some of the texts, chosen bool [N]."""
    if column is None or isinstance(column, np.ndarray):
        return column if column is None else column[chosen]
    return [one for one, is_chosen in zip(column, chosen, strict=True) if is_chosen]


def _right(examples: Examples, rows: np.ndarray) -> np.ndarray | list[list[Mark]]:
    if examples.relations is not None:
        stated = [examples.relations[row] for row in rows]
        return [[relation for relation, p in one.items() if p > HOLDS_FROM] for one in stated]
    if examples.spans is not None:
        return [list(examples.spans[row]) for row in rows]
    if examples.head == "multiple":
        return examples.targets[rows] > CHOSEN_FROM
    return examples.labels[rows]


def opinion_of(version: ModelVersion, bench: Bench) -> Opinion:
    """float [N, K] over the bench's classes, whatever outputs the model has; or the marks it finds."""
    if bench.head in MARKING:
        return _marks_of(version, bench, MARKING[bench.head].read(version.path, bench.texts))
    found = probabilities_of_texts(version, bench.texts, bench.seconds)
    known = np.zeros((len(bench), len(bench.class_names)), dtype=np.float32)
    for place, key in enumerate(version.label_keys):
        if key in bench.class_names:
            known[:, bench.class_names.index(key)] = found[:, place]
    if bench.head == "multiple":
        return known
    return known / np.maximum(known.sum(axis=1, keepdims=True), 1e-9)  # of a label that nobody gives any more


def _marks_of(version: ModelVersion, bench: Bench, readings: list[Reading]) -> list[Found]:
    found = [MARKING[bench.head].marks(reading, version.label_keys) for reading in readings]
    known = set(bench.class_names)  # not labels that nobody gives any more
    return [[(mark, p) for mark, p in marks if mark.label in known] for marks in found]


def judged(version: ModelVersion, bench: Bench, opinion: Opinion, *, texts_per_second: float) -> Judged:
    """A model as the gate takes it."""
    known = {"texts_per_second": texts_per_second, "family": version.family}
    if bench.head in MARKING:
        return judged_marks(opinion, bench.right, bench.class_names, **known)
    judge = judged_sets if bench.head == "multiple" else judged_classes
    return judge(bench.right, opinion, **known)


def metrics_of(version: ModelVersion, bench: Bench, opinion: Opinion) -> dict:
    """All figures of a model, by the texts that they are of: ready for JSON, and without any text."""
    test = _figures(bench, opinion)
    confidence, hits = _sureness(bench, opinion)
    slices = slices_of(bench.metadata)
    metrics = {
        "test": test | _given_spans(version, bench) | {"reliability": reliability(confidence, hits)},
        "slices": slice_report(slices, outcomes_of(bench, opinion)),
        "mistakes": _mistakes(bench, opinion),
    }
    for name, chosen in (("gold", bench.is_gold), ("volunteers", ~bench.is_gold)):
        if chosen.sum() >= FEWEST_APART:
            metrics[name] = _figures(bench.only(chosen), only(opinion, chosen))
    people = ~bench.is_gold & ~bench.is_decided
    if people.sum() >= FEWEST_APART:
        metrics["agreement"] = _agreement(bench.only(people), only(opinion, people))
    return metrics


def _agreement(bench: Bench, opinion: Opinion) -> dict:
    """How far people and the model agree on a text, from 0 to 1, on the mean, and of how many texts it is."""
    of_texts = outcomes_of(bench, opinion).f1_of_items
    return {
        "mean": float(of_texts.mean()),
        "deviation": float(of_texts.std()),
        "n_texts": effective_size(of_texts, bench.record_ids),
    }


def _given_spans(version: ModelVersion, bench: Bench) -> dict:
    """Of relations, how well they are found between right spans: what is lost with the spans shows."""
    if bench.spans is None:
        return {}
    readings = MARKING[bench.head].read(version.path, bench.texts, bench.spans)
    found = [[mark for mark, _ in marks] for marks in _marks_of(version, bench, readings)]
    return {"given_spans_f1": outcomes_of_marks(found, bench.right, bench.class_names).figures()["micro_f1"]}


def outcomes_of(bench: Bench, opinion: Opinion) -> Outcomes:
    if bench.head in MARKING:
        found = [[mark for mark, _ in marks] for marks in opinion]
        return outcomes_of_marks(found, bench.right, bench.class_names)
    if bench.head == "multiple":
        return outcomes_of_sets(bench.right, opinion >= CHOSEN_FROM)
    return outcomes_of_classes(bench.right, opinion.argmax(axis=1), len(bench.class_names))


def pace(version: ModelVersion, bench: Bench) -> float:
    """Texts a second that a model reads, of a few; loading it is not counted."""
    opinion_of(version, bench.only(np.arange(len(bench)) < 1))
    few = bench.only(np.arange(len(bench)) < TIMED_TEXTS)
    began = time.monotonic()
    opinion_of(version, few)
    return len(few) / max(time.monotonic() - began, 1e-6)


def trial_of(
    version: ModelVersion,
    snapshot: Snapshot,
    examples: Examples,
    out_of_fold: tuple[np.ndarray, np.ndarray] | None,
) -> Trial:
    """What models like it did on examples that they had not learned from.

    out_of_fold: (rows [M] of the examples, opinions [M, K]); None where the model itself has not learned from
    what calibrated it, and may be asked.
    """
    rows, opinion = out_of_fold or (examples.counting(CALIBRATION), None)
    bench = _bench(snapshot, examples, rows)
    return Trial(rows, outcomes_of(bench, opinion_of(version, bench) if opinion is None else opinion))


def _figures(bench: Bench, opinion: Opinion) -> dict:
    if bench.head in MARKING:
        return MARKING[bench.head].evaluate(opinion, bench.right, bench.class_names)
    evaluate_these = evaluate_labels if bench.head == "multiple" else evaluate
    return evaluate_these(bench.right, opinion)


def _sureness(bench: Bench, opinion: Opinion) -> tuple[np.ndarray, np.ndarray]:
    """(how sure the model is of each thing that it says, whether that is right)."""
    if bench.head in MARKING:
        pairs = [
            (p, mark in right) for marks, right in zip(opinion, bench.right, strict=True) for mark, p in marks
        ]
        return np.array([p for p, _ in pairs], dtype=float), np.array([hit for _, hit in pairs], dtype=bool)
    if bench.head == "multiple":
        return np.maximum(opinion, 1 - opinion).ravel(), ((opinion >= CHOSEN_FROM) == bench.right).ravel()
    return opinion.max(axis=1), opinion.argmax(axis=1) == bench.right


def _mistakes(bench: Bench, opinion: Opinion) -> list[dict]:
    """The tasks on which it is surest and wrong, surest first; of marks, where most are wrong or missed."""
    outcomes = outcomes_of(bench, opinion)
    wrong = (outcomes.false_positives + outcomes.false_negatives).sum(axis=1)  # [N]
    if bench.head in ("single", "ordinal"):
        wrong = wrong * opinion.max(axis=1)
    order = [row for row in np.argsort(-wrong, kind="stable")[:MISTAKES_KEPT] if wrong[row] > 0]
    return [{"task": bench.task_ids[row], **_said(bench, opinion, row)} for row in order]


def _said(bench: Bench, opinion: Opinion, row: int) -> dict:
    """By label keys: what is right, what the model says, and for one label how sure it is."""
    names = bench.class_names
    if bench.head in MARKING:
        said = MARKING[bench.head].said
        found = [said(mark) for mark, _ in opinion[row]]
        return {"right": [said(mark) for mark in bench.right[row]], "found": found}
    if bench.head == "multiple":
        right, found = bench.right[row], opinion[row] >= CHOSEN_FROM
        return {
            "right": [name for name, holds in zip(names, right, strict=True) if holds],
            "found": [name for name, holds in zip(names, found, strict=True) if holds],
        }
    best = int(opinion[row].argmax())
    sureness = round(float(opinion[row, best]), 4)
    return {"right": [names[bench.right[row]]], "found": [names[best]], "sureness": sureness}
