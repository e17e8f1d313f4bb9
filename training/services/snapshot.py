"""What a run learns from: written once, with its sha256, and never changed.

The first line says what was asked. Each other line is a text with what people said of it, and the part that
it belongs to. Two kinds of text only ever judge: those whose right answer a file gave (gold), and a share of
the random stream, which no acquisition touches. Both are set apart by a hash of the record, so what judges
goes on judging as labels come in. What is nearly equal to either, or of gold's records, and is neither itself
stays aside: it may not teach, and was perhaps chosen.
"""

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from uuid import UUID

import numpy as np
import orjson

from annotation import exchange
from annotation.exchange import GoldExample, LabelledExample, TaskText
from annotation.models import Campaign
from training.algorithms.examples import MARKING_HEADS, Examples
from training.algorithms.splits import ASIDE, LEARNED, TEST, record_places, split_around_judges
from training.algorithms.targets import (
    chosen_labels,
    relations_of,
    soft_target,
    soft_targets_of_labels,
    span_beliefs_of,
    spans_of,
    sureness,
)
from training.algorithms.vote_posterior import vote_posterior, voters_accuracy
from training.config import TEST_SHARE, FineTuneConfig
from training.errors import NothingToLearn, SnapshotChanged, SnapshotGone
from training.models import TrainingPolicy, TrainingRun
from training.services.runs import policy_of

PARTS = ("train", "validation", "test", "calibration", "aside")  # by number, as algorithms.splits has them
GOLD_SEED = 2  # of the places that choose the gold that judges, which must not be those of the stream


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`rows` are the file's lines but for the first, as they are written."""

    path: Path
    sha256: str
    head: str
    class_names: tuple[str, ...]
    n_left_out: int  # labels that people are too unsure of
    rows: list[dict]

    @property
    def n_labels(self) -> int:
        """What people decided; gold that judges is not among it."""
        return sum(row["origin"] != "gold" for row in self.rows)

    @property
    def n_aside(self) -> int:
        """What neither teaches nor judges."""
        return int((self.parts == ASIDE).sum())

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rows]

    @property
    def parts(self) -> np.ndarray:
        return np.array([PARTS.index(row["part"]) for row in self.rows], dtype=np.int8)


def take_snapshot(run: TrainingRun, path: Path, config: FineTuneConfig, *, settled_by: datetime) -> Snapshot:
    """Write the consensus labels settled by then, and the gold that judges, as JSONL."""
    question = exchange.question_of(run.campaign_id)
    head = exchange.head_of(run.campaign)
    if head is None:
        raise NothingToLearn(
            "Models do not learn from answers in people's own words; the queue stays in the order it has.",
            code="kind_not_learned",
        )
    gold = _judging_gold(run.campaign)
    settled = exchange.labelled_examples(run.campaign_id, settled_by=settled_by)
    crowd = [example for example in settled if example.task_id not in gold]
    keys = [label["key"] for label in question.labels]
    ballots = [ballot for one in crowd if one.posterior is None for ballot in _ballots(one, keys)]
    accuracy = voters_accuracy(ballots, 2 if head == "multiple" else len(keys))
    sure = [one for one in crowd if _sureness(one) >= config.certainty_floor]
    rows = [_crowd_row(one, _beliefs(one, keys, accuracy)) for one in sure]
    rows = sorted([*rows, *map(_gold_row, gold.values())], key=lambda row: row["task"].bytes)
    occurring = {label for row in rows for label in chosen_labels(row["value"])}
    header = {
        "kind": question.kind,
        "head": head,
        "class_names": [key for key in keys if key in occurring],
        "n_left_out": len(crowd) - len(sure),
    }
    write_lines(path, [header, *_parted(rows, config)])
    return read_snapshot(path)


def share_that_judges(policy: TrainingPolicy) -> float:
    """Of the records: of the random stream, which takes those below a share by the same places.

    A simulation has no stream: it is measured on texts of its own.
    """
    return min(TEST_SHARE, policy.judging_share) if policy.exploration_share else TEST_SHARE


def judges_models(campaign: Campaign) -> Callable[[TaskText], bool]:
    """Whether a task's text is one that judges, once it is labelled: gold's, or of a record of the stream."""
    gold, share = _judging_gold(campaign), share_that_judges(policy_of(campaign))

    @cache
    def is_of_stream(record_id: UUID) -> bool:
        return bool(record_places([record_id])[0] < share)

    return lambda task: task.task_id in gold or is_of_stream(task.record_id)


def _judging_gold(campaign: Campaign) -> dict:
    """By task: what a file gave of the records that judge and never teach."""
    gold = exchange.gold_examples(campaign.pk)
    places = record_places([example.record_id for example in gold], seed=GOLD_SEED)
    share = policy_of(campaign).gold_share
    return {example.task_id: example for example, at in zip(gold, places, strict=True) if at < share}


def _beliefs(example: LabelledExample, keys: list[str], accuracy: float) -> dict[str, float] | None:
    """The probability of each label, by the engine or by how good voters are; None where it is certain."""
    if example.is_expert:
        return None
    if example.posterior is not None or "spans" in example.value:
        return example.posterior
    ballots = _ballots(example, keys)
    if "labels" not in example.value:
        return vote_posterior(ballots[0], keys, accuracy)
    yes = [vote_posterior(ballot, ("yes", "no"), accuracy)["yes"] for ballot in ballots]
    return dict(zip(keys, yes, strict=True))


def _ballots(example: LabelledExample, keys: list[str]) -> list[dict[str, int]]:
    """The votes on each question: one, or where several labels may hold, one for each of them."""
    if "labels" not in example.value:
        return [example.votes]
    yes = [example.votes.get(key, 0) for key in keys]
    return [{"yes": n, "no": example.n_answers - n} for n in yes]


def _sureness(one: LabelledExample) -> float:
    if one.is_expert:
        return 1.0
    return sureness(one.value, one.votes, one.posterior, one.certainty, one.n_answers)


def _crowd_row(example: LabelledExample, beliefs: dict[str, float] | None) -> dict:
    return {
        **_text_of(example),
        "origin": "expert" if example.is_expert else "crowd",
        "beliefs": beliefs,
        "certainty": _sureness(example),
        "n_answers": example.n_answers,
    }


def _gold_row(example: GoldExample) -> dict:
    return {**_text_of(example), "origin": "gold", "beliefs": None, "certainty": 1.0, "n_answers": 0}


def _text_of(example: LabelledExample | GoldExample) -> dict:
    return {
        "task": example.task_id,
        "record": example.record_id,
        "text": example.text,
        "second": example.second,
        "value": example.value,
        "metadata": example.metadata,
    }


def _parted(rows: list[dict], config: FineTuneConfig) -> Iterable[dict]:
    """The rows with their parts. What the record's other columns say is kept where it judges, no further."""
    parts = split_around_judges(
        [row["record"] for row in rows],
        [whole_text(row) for row in rows],
        gold=np.array([row["origin"] == "gold" for row in rows], dtype=bool),
        validation_share=config.validation_share,
        test_share=config.test_share,
        calibration_share=config.calibration_share,
        seed=config.seed,
    )
    for row, part in zip(rows, parts, strict=True):
        yield row | {"part": PARTS[part], "metadata": row["metadata"] if part == TEST else {}}


def whole_text(row: dict) -> str:
    """Of a snapshot's row, by which it is like others: of a pair, both texts."""
    return f"{row['text']}\n{row['second'] or ''}"


def write_lines(path: Path, lines: Iterable[dict]) -> None:
    """The file appears whole or not at all, and is read only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.unlink(missing_ok=True)  # of a process that was killed: read only, so not to be opened again
    try:
        with unfinished.open("wb") as file:
            file.writelines(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(0o400)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def learned_tasks(run: TrainingRun) -> set[str]:
    """The ids of the tasks of learned_rows, which see."""
    return {row["task"] for row in learned_rows(run)}


def learned_rows(run: TrainingRun) -> list[dict]:
    """What the run's models were trained, stopped or calibrated on.

    FileNotFoundError where the snapshot is not kept, as that of a run none of whose models is.
    """
    with Path(run.snapshot_path).open("rb") as file:
        next(file)
        rows = map(orjson.loads, file)
        return [row for row in rows if PARTS.index(row["part"]) in LEARNED]


def kept_snapshot(run: TrainingRun) -> Snapshot:
    """The run's own; SnapshotGone where it is not kept, and where the file is not as it was taken,
    SnapshotChanged before any of it is believed."""
    path = Path(run.snapshot_path)
    if not path.is_file():
        raise SnapshotGone()
    if hashlib.sha256(path.read_bytes()).hexdigest() != run.snapshot_sha256:
        raise SnapshotChanged()
    return read_snapshot(path)


def read_snapshot(path: Path) -> Snapshot:
    content = path.read_bytes()
    header, *rows = [orjson.loads(line) for line in content.splitlines()]
    return Snapshot(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        head=header["head"],
        class_names=tuple(header["class_names"]),
        n_left_out=header["n_left_out"],
        rows=rows,
    )


def examples_of(snapshot: Snapshot) -> Examples:
    """The snapshot as the learners take it: soft targets, each weighed by how sure people are of it."""
    rows, names = snapshot.rows, list(snapshot.class_names)
    make = soft_targets_of_labels if snapshot.head == "multiple" else soft_target
    marks = snapshot.head in MARKING_HEADS
    targets = [make(row["beliefs"], row["value"], names) for row in rows if not marks]
    return Examples(
        head=snapshot.head,
        class_names=snapshot.class_names,
        texts=snapshot.texts,
        seconds=[row["second"] for row in rows] if rows and rows[0]["second"] is not None else None,
        targets=None if marks else np.array(targets, dtype=np.float32).reshape(len(rows), len(names)),
        spans=[spans_of(row["value"]) for row in rows] if marks else None,
        span_beliefs=[span_beliefs_of(row["value"], row["beliefs"]) for row in rows] if marks else None,
        relations=[relations_of(row["value"], row["beliefs"]) for row in rows]
        if snapshot.head == "relations"
        else None,
        weights=np.array([row["certainty"] for row in rows], dtype=np.float32),
        parts=snapshot.parts,
        records=[row["record"] for row in rows],
    )
