"""Text spans: labelled stretches of the text, overlapping and nested ones allowed."""

import re
from collections import Counter
from collections.abc import Set
from dataclasses import replace
from itertools import pairwise

import numpy as np
import orjson

from annotation.algorithms.agreement import f1_over_pairs
from annotation.algorithms.agreement_report import Measure, measured_by_task, span_sums
from annotation.algorithms.finds import drawn_to_crowd, finds, span_finds
from annotation.algorithms.model_annotator import heard
from annotation.algorithms.model_of_marks import measured_model_habits, model_of_marks_earns_its_place
from annotation.algorithms.span_scores import overlap_f1, set_f1, span_f1, without_near_misses
from annotation.algorithms.spans import SpanAnswers, SpanFit, SpanReading, fit_span_crowd, task_spans
from annotation.errors import InvalidAnswer
from annotation.kinds.answer_schema import exact_object, label_key
from annotation.kinds.calibration import as_calibrated, fit_calibrated
from annotation.kinds.comparison import Compared, Comparison, Facts, LabelAgreement
from annotation.kinds.decision import MAJORITY, Decision, Fit, Given, SkillRow, Table, entropy_bits, find_rows
from annotation.kinds.labels import of_role, parse_labels
from annotation.kinds.traits import FindsWords, Traits

LEFT_OUT_ON = 20_000  # answers up to which a fit is cheap enough to be made again for parts of the gold
MOST_SPANS = 1000
MOST_REJECTED = 50  # of the marks that were rejected, so many are named, the likeliest
FIELDS = {"start", "end", "label"}
SPAN_KEY = re.compile(r"(\d+)-(\d+) (.+)", re.DOTALL)  # as a posterior names a span
LONGEST_QUOTE = 60
HEARD_FROM = 0.5  # a model that is heard marks what is more likely right than not


class Spans(Traits):
    name = "spans"
    title = "marked stretches of the text"
    sentence = "Words are marked in the text, each mark with a label; marks may overlap and nest."
    rightness = "of the words rightly marked"
    measure = "F1 of exact marks"
    planning = (
        "Computed for one word at a time, which belongs to a mark or not. A task stops when it is sure of "
        "all its marks at once, boundaries included, so it takes more answers than this."
    )
    certainty_is_probability = True
    one_label = False
    hears_models = True
    needs_text = True
    head = "spans"
    marks_text = True
    is_drafted = True
    finds_words = FindsWords(
        "How much was marked of what is there; and of what is not there, though somebody marked it",
        "Label",
        "There, and found",
        "Not there, and invented",
    )
    methods = {
        "majority": "A word belongs to a span when more than half of the volunteers marked it.",
        "engine": (
            "Learns how reliably each volunteer marks each label, weighs their marks by it, and prefers "
            "whole spans to single words."
        ),
    }

    most_labels: dict[str, int] = {}

    def parse_labels(self, raw: object) -> list[dict]:
        return parse_labels(raw, least=1)

    def answer_schema(self, labels: list[dict]) -> dict:
        span = exact_object(
            {
                "start": {"type": "integer", "minimum": 0},
                "end": {"type": "integer", "minimum": 1},
                "label": label_key(labels),
            }
        )
        return exact_object({"spans": {"type": "array", "items": span, "maxItems": MOST_SPANS}})

    def parse_answer(self, raw: object, labels: list[dict], length: int) -> dict:
        """`{"spans": [{"start", "end", "label"}]}`, by start, the longer first; offsets in code points."""
        if not isinstance(raw, dict) or set(raw) != {"spans"}:
            raise InvalidAnswer(
                'An answer to this question looks like {"spans": [{"start": 0, "end": 4, "label": "key"}]}.'
            )
        return {"spans": parse_spans(raw["spans"], [label["key"] for label in labels], length)}

    def parse_cell(self, cell: str, labels: list[dict], length: int) -> dict:
        """JSON: the list of spans."""
        return self.parse_answer({"spans": parse_json(cell)}, labels, length)

    def cell(self, value: dict) -> str:
        return orjson.dumps(value["spans"]).decode()

    def counts(self, value: dict, labels: list[dict]) -> bool:
        return {label["key"] for label in labels}.issuperset(self.votes_of(value))

    def votes_of(self, value: dict) -> list[str]:
        return [span["label"] for span in value["spans"]]

    def lines(self, value: dict, names: dict[str, str], text: str) -> list[str]:
        """Quotes of what was marked, each with its label.

        >>> marked = {"spans": [{"start": 0, "end": 7, "label": "drug"}]}
        >>> Spans().lines(marked, {"drug": "Drug"}, "Aspirin helped.")
        ['Drug: “Aspirin”']
        """
        lines = [
            f"{names.get(span['label'], span['label'])}: {quoted(text, span['start'], span['end'])}"
            for span in value["spans"]
        ]
        return lines or ["nothing marked"]

    def stated(self, value: dict) -> set[str]:
        return {f"{span['start']}-{span['end']} {span['label']}" for span in value["spans"]}

    def candidate(self, key: str, names: dict[str, str], text: str) -> str:
        span = None if key in names else SPAN_KEY.fullmatch(key)
        if span is None:
            return names.get(key, key)
        return f"{names.get(span[3], span[3])}: {quoted(text, int(span[1]), int(span[2]))}"

    def figures(self, pairs: list[tuple[dict, dict]]) -> dict:
        found, gold = ([as_tuples(pair[side]["spans"]) for pair in pairs] for side in (0, 1))
        return {"span_f1": span_f1(found, gold)}

    def score(self, value: dict, gold: dict) -> float:
        """Strict F1 of the spans: the same boundaries and the same label."""
        return set_f1(set(as_tuples(value["spans"])), set(as_tuples(gold["spans"])))

    def n_choices(self, labels: list[dict]) -> int:
        return 2

    def is_right(self, value: dict, true: dict) -> bool:
        """Exactly these marks."""
        return set(as_tuples(value["spans"])) == set(as_tuples(true["spans"]))

    def clear_mistakes(self, value: dict, true: dict) -> dict:
        """A mark that overlaps a true one of its label is none, whatever its boundaries."""
        spans = without_near_misses(as_tuples(value["spans"]), as_tuples(true["spans"]))
        return {"spans": [{"start": start, "end": end, "label": label} for start, end, label in spans]}

    def likeness(self, value: dict, other: dict) -> float:
        """F1 of the code points that are marked."""
        return overlap_f1(as_tuples(value["spans"]), as_tuples(other["spans"]))

    def compare(self, compared: Compared) -> Comparison:
        return Marks(compared)

    def decide(
        self,
        given: list[Given],
        labels: list[dict],
        *,
        method: str,
        crowd: dict | None,
        text: str,
        opinion: dict | None = None,
    ) -> Decision:
        method, spans = read_spans(given, labels, method, crowd, text, opinion)
        return as_calibrated(decision_for(given, method, spans), crowd)

    def fit(self, table: Table, labels: list[dict], *, method: str) -> Fit:
        return fit_calibrated(self, self._fit, table, labels, method=method, left_out_on=LEFT_OUT_ON)

    def _fit(self, table: Table, labels: list[dict], method: str) -> Fit:
        fitted, skills = fit_spans(table, labels, method)
        return Fit(fitted.crowd, skills)


def quoted(text: str, start: int, end: int) -> str:
    words = text[start:end]
    return f"“{words[:LONGEST_QUOTE]}…”" if len(words) > LONGEST_QUOTE else f"“{words}”"


def fit_spans(table: Table, labels: list[dict], method: str) -> tuple[SpanFit, list[SkillRow]]:
    given: list[list] = [[] for _ in range(table.n_tasks)]
    certain: list[list[int]] = [[] for _ in range(table.n_tasks)]
    for task, worker, code, said in zip(table.task, table.worker, table.code, table.certain, strict=True):
        given[task].append((int(worker), as_tuples(table.values[code]["spans"])))
        certain[task].append(int(said))
    keys = [label["key"] for label in labels]
    answers = SpanAnswers(list(table.texts), given, table.n_workers, keys, certain)
    gold = {task: as_tuples(value["spans"]) for task, value in table.gold.items()}
    fitted = fit_span_crowd(answers, method=method, gold=gold)
    counts = span_finds(answers, [[span.span for span in spans] for spans in fitted.consensus])
    found = finds(counts, drawn_to_crowd(counts))
    skills = [
        SkillRow(
            parameters,
            float(fitted.accuracy[w]),
            *map(float, fitted.interval[w]),
            finds=find_rows(answers.labels, found[w]),
        )
        for w, parameters in enumerate(fitted.workers)
    ]
    heard_or_not = _hear_model(table, answers, fitted) if method != MAJORITY else {}
    return replace(fitted, crowd=fitted.crowd | heard_or_not), skills


def _hear_model(table: Table, answers: SpanAnswers, fitted: SpanFit) -> dict:
    """What the model's marks are worth by the fit, in force (`annotator`) only if it earned its place."""
    model = {task: _heard_marks(opinion, answers.labels) for task, opinion in table.opinions.items()}
    annotator = measured_model_habits(answers, fitted, model)
    if annotator is None:
        return {}
    gold = {task: as_tuples(value["spans"]) for task, value in table.fair_gold.items()}
    return heard(annotator, model_of_marks_earns_its_place(answers, fitted, model, gold, annotator))


def _heard_marks(opinion: dict, keys: list[str]) -> list[tuple[int, int, str]]:
    """Under the labels that the campaign has still."""
    likely = [span for span in opinion["spans"] if span["probability"] >= HEARD_FROM]
    return [span for span in as_tuples(likely) if span[2] in keys]


def read_spans(
    given: list[Given],
    labels: list[dict],
    method: str,
    crowd: dict | None,
    text: str,
    opinion: dict | None,
) -> tuple[str, SpanReading]:
    """The method that could be used, and what the answers add up to, the spans in the order of answers."""
    keys = [label["key"] for label in labels]
    if method == MAJORITY or crowd is None or crowd["labels"] != keys:
        method, crowd = MAJORITY, {"method": MAJORITY, "labels": keys}
    marked = [as_tuples(answer.value["spans"]) for answer in given]
    skills, certain = [answer.skill for answer in given], [answer.said for answer in given]
    model = None if opinion is None else _heard_marks(opinion, keys)
    reading = task_spans(text, marked, skills, crowd, certain, model=model)
    in_order = sorted(reading.consensus, key=lambda span: (span.start, -span.end, span.label))
    return method, replace(reading, consensus=in_order)


def decision_for(given: list[Given], method: str, reading: SpanReading) -> Decision:
    """What these spans, read from the answers, come to as a consensus."""
    marked = [as_tuples(answer.value["spans"]) for answer in given]
    spans, rejected = reading.consensus, reading.rejected
    # Sure of the whole answer is who is sure of each of its spans, boundaries included, and that nothing else
    # which somebody marked is there.
    sureness = [span.confidence * span.boundary for span in spans] + [1 - span.doubt for span in rejected]
    found = {span.span for span in spans}
    posterior = [(span, span.confidence) for span in spans]
    posterior += [(span, span.probability) for span in rejected[:MOST_REJECTED]]
    return Decision(
        method,
        "",
        {"spans": [{"start": s.start, "end": s.end, "label": s.label} for s in spans]},
        max(1, sum(set(one) == found for one in marked)) / len(given),
        dict(Counter(key for one in marked for key in {label for _, _, label in one})),
        float(np.prod(sureness)),
        sum(entropy_bits([p, 1 - p]) for p in sureness),
        {f"{span.start}-{span.end} {span.label}": round(p, 4) for span, p in posterior},
        reading.weights,
        reading.model_weight,
    )


def parse_json(cell: str) -> object:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError as error:
        raise InvalidAnswer("This is not JSON.") from error


def parse_spans(raw: object, keys: list[str], length: int) -> list[dict]:
    if not isinstance(raw, list) or len(raw) > MOST_SPANS:
        raise InvalidAnswer(f"The spans are a list of at most {MOST_SPANS}.", code="invalid_spans")
    spans = sorted((_parse_span(span, keys, length) for span in raw), key=_order)
    if any(before == after for before, after in pairwise(spans)):
        raise InvalidAnswer("A span stands twice in this answer.", code="span_twice")
    return spans


def _order(span: dict) -> tuple:
    return span["start"], -span["end"], span["label"]


def _parse_span(raw: object, keys: list[str], length: int) -> dict:
    if not isinstance(raw, dict) or set(raw) != FIELDS:
        raise InvalidAnswer("Each span has a start, an end and a label, nothing else.", code="invalid_spans")
    start, end, label = raw["start"], raw["end"], raw["label"]
    if any(not isinstance(n, int) or isinstance(n, bool) for n in (start, end)):
        raise InvalidAnswer("A span's start and end are whole numbers.", code="invalid_spans")
    if start >= end:
        raise InvalidAnswer(f"The span from {start} to {end} has no length.", code="empty_span")
    if start < 0 or end > length:
        raise InvalidAnswer(
            f"The span from {start} to {end} leaves the text, which has {length} characters.",
            code="span_outside_text",
        )
    if not isinstance(label, str) or label not in keys:
        raise InvalidAnswer("This label is not one of the campaign's labels.", code="unknown_label")
    return {"start": start, "end": end, "label": label}


def as_tuples(spans: list[dict]) -> list[tuple[int, int, str]]:
    return [(span["start"], span["end"], span["label"]) for span in spans]


class Marks(Facts):
    paired = "span_f1"

    def __init__(self, compared: Compared):
        self._names = {label["key"]: label["name"] for label in of_role(compared.labels, "span")}
        marked = [as_tuples(value["spans"]) for value in compared.values]
        alpha, self._alphas = span_sums(compared.lengths, compared.by_task(marked), list(self._names))
        self._marked = [set(spans) for spans in marked]
        stated = self._facts(compared)
        f1 = f1_over_pairs(compared.by_task(stated))
        super().__init__(compared, stated, {"alpha": alpha, self.paired: f1})

    def _facts(self, compared: Compared) -> list[Set]:
        return self._marked

    def by_label(self, rng: np.random.Generator) -> list[LabelAgreement]:
        alphas = measured_by_task(self._alphas, self._compared.n_answers, rng)
        f1 = self._f1_of_labels(self._marked, list(self._names), rng)
        return [LabelAgreement(name, alphas[key], f1[key]) for key, name in self._names.items()]

    def _f1_of_labels(
        self, stated: list[Set], keys: list[str], rng: np.random.Generator
    ) -> dict[str, Measure | None]:
        """Of facts that end in their label."""
        of_each = {
            key: f1_over_pairs(
                self._compared.by_task([{fact for fact in facts if fact[-1] == key} for facts in stated])
            )
            for key in keys
        }
        return measured_by_task(of_each, self._compared.n_answers, rng)
