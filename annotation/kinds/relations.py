"""Relations between spans: what is marked, and what of it belongs together how."""

import re
from collections import Counter
from collections.abc import Set
from dataclasses import replace
from itertools import pairwise

import numpy as np
import orjson

from annotation.algorithms.finds import finds
from annotation.algorithms.relation_crowd import Decisions, fit_relation_crowd, relation_posterior
from annotation.algorithms.span_scores import set_f1
from annotation.algorithms.spans import ScoredSpan, SpanFit, relation_says, relation_votes
from annotation.errors import Invalid, InvalidAnswer
from annotation.kinds.answer_schema import exact_object, label_key
from annotation.kinds.calibration import as_calibrated, fit_calibrated
from annotation.kinds.comparison import Compared, Comparison, LabelAgreement
from annotation.kinds.decision import MAJORITY, Decision, Fit, Given, Table, entropy_bits, find_rows
from annotation.kinds.labels import of_role, parse_labels
from annotation.kinds.spans import (
    LEFT_OUT_ON,
    Marks,
    Spans,
    as_tuples,
    decision_for,
    fit_spans,
    parse_json,
    parse_spans,
    quoted,
    read_spans,
)
from annotation.kinds.traits import FindsWords, Traits

ROLES = ("span", "relation")
MOST_RELATIONS = 1000
FIELDS = {"from", "to", "label"}
RELATION_KEY = re.compile(r"(\d+)-(\d+) → (\d+)-(\d+) (.+)", re.DOTALL)  # as a posterior names one
SPANS = Spans()
ALL = ""  # relations together, whatever their label: so they are learned
RELATIONS = "relations"  # beside the spans' own, in the parameters of a fit


class Relations(Traits):
    """Its spans are decided as the kind spans does; relations between consensus spans by who states them."""

    name = "relations"
    title = "marked stretches and how they are related"
    sentence = "Marks in the text, and which mark belongs to which, and how."
    rightness = "of the words rightly marked"
    measure = "F1 of exact relations"
    planning = (
        "Computed for one word or one relation at a time, which is there or not. A task stops when it is "
        "sure of all marks and relations at once, so it takes more answers than this."
    )
    certainty_is_probability = True
    one_label = False
    hears_models = True
    needs_text = True
    head = "relations"
    marks_text = True
    label_roles = ROLES
    finds_words = FindsWords(
        "How much was marked or stated of what is there; and of what is not there, though somebody marked or "
        "stated it",
        "What",
        "There, and found",
        "Not there, and invented",
        "Relations are learned together, whatever their label, and only where both ends were marked.",
    )
    methods = {
        "majority": "Words and relations hold when more than half of the volunteers marked them.",
        "engine": (
            "Learns how reliably each volunteer marks and relates, and weighs both by it; a relation is "
            "decided by those who marked both of its ends."
        ),
    }

    most_labels: dict[str, int] = {}

    def parse_labels(self, raw: object) -> list[dict]:
        """Each label has a role: it marks a span, or names a relation. At least one of each."""
        labels = parse_labels(raw)
        roles = [entry.get("role", "span") for entry in raw]
        if any(role not in ROLES for role in roles):
            raise Invalid("A label's role is span or relation.", code="invalid_labels")
        if set(roles) != set(ROLES):
            raise Invalid(
                "Relations take at least one label for spans and one for relations.", code="invalid_labels"
            )
        return [label | {"role": role} for label, role in zip(labels, roles, strict=True)]

    def answer_schema(self, labels: list[dict]) -> dict:
        place = {"type": "integer", "minimum": 0}  # in the list of spans
        relation = exact_object({"from": place, "to": place, "label": label_key(of_role(labels, "relation"))})
        spans = SPANS.answer_schema(of_role(labels, "span"))["properties"]["spans"]
        relations = {"type": "array", "items": relation, "maxItems": MOST_RELATIONS}
        return exact_object({"spans": spans, "relations": relations})

    def parse_answer(self, raw: object, labels: list[dict], length: int) -> dict:
        """`from` and `to` are places in the list of spans as it was sent; they follow it into its order."""
        if not isinstance(raw, dict) or set(raw) != {"spans", "relations"}:
            raise InvalidAnswer('An answer to this question looks like {"spans": […], "relations": […]}.')
        keys = [label["key"] for label in of_role(labels, "span")]
        spans = parse_spans(raw["spans"], keys, length)
        places = [spans.index(span) for span in raw["spans"]]
        relation_keys = [label["key"] for label in of_role(labels, "relation")]
        return {"spans": spans, "relations": _parse_relations(raw["relations"], relation_keys, places)}

    def parse_cell(self, cell: str, labels: list[dict], length: int) -> dict:
        return self.parse_answer(parse_json(cell), labels, length)

    def cell(self, value: dict) -> str:
        return orjson.dumps(value).decode()

    def counts(self, value: dict, labels: list[dict]) -> bool:
        return {label["key"] for label in labels}.issuperset(self.votes_of(value))

    def votes_of(self, value: dict) -> list[str]:
        return [*SPANS.votes_of(value), *(relation["label"] for relation in value["relations"])]

    def lines(self, value: dict, names: dict[str, str], text: str) -> list[str]:
        if not value["relations"]:
            return SPANS.lines(value, names, text)
        quotes = [quoted(text, span["start"], span["end"]) for span in value["spans"]]
        return SPANS.lines(value, names, text) + [
            f"{quotes[one['from']]} → {names.get(one['label'], one['label'])} → {quotes[one['to']]}"
            for one in value["relations"]
        ]

    def stated(self, value: dict) -> set[str]:
        """
        >>> spans = [{"start": 0, "end": 7, "label": "drug"}, {"start": 15, "end": 19, "label": "sign"}]
        >>> causes = {"from": 0, "to": 1, "label": "causes"}
        >>> sorted(Relations().stated({"spans": spans, "relations": [causes]}))
        ['0-7 drug', '0-7 → 15-19 causes', '15-19 sign']
        """
        ends = [f"{span['start']}-{span['end']}" for span in value["spans"]]
        return SPANS.stated(value) | {
            f"{ends[one['from']]} → {ends[one['to']]} {one['label']}" for one in value["relations"]
        }

    def candidate(self, key: str, names: dict[str, str], text: str) -> str:
        """
        >>> Relations().candidate("0-7 → 15-19 causes", {"causes": "Causes"}, "Aspirin caused rash.")
        '“Aspirin” → Causes → “rash”'
        """
        relation = None if key in names else RELATION_KEY.fullmatch(key)
        if relation is None:
            return SPANS.candidate(key, names, text)
        start, end = (quoted(text, int(relation[n]), int(relation[n + 1])) for n in (1, 3))
        return f"{start} → {names.get(relation[5], relation[5])} → {end}"

    def figures(self, pairs: list[tuple[dict, dict]]) -> dict:
        """Of the marks; and F1 of all relations together, the same where both marks and the label are."""
        found, gold = (
            {(n, *fact) for n, pair in enumerate(pairs) for fact in facts_of(pair[side])} for side in (0, 1)
        )
        return SPANS.figures(pairs) | {"relation_f1": set_f1(found, gold)}

    def score(self, value: dict, gold: dict) -> float:
        """F1 of the relations, each with the exact spans at its ends.

        >>> one = {"spans": [{"start": 0, "end": 1, "label": "a"}, {"start": 2, "end": 3, "label": "a"}],
        ...        "relations": [{"from": 0, "to": 1, "label": "r"}]}
        >>> Relations().score(one, one | {"relations": []}), Relations().score(one, one)
        (0.0, 1.0)
        """
        return set_f1(facts_of(value), facts_of(gold))

    def n_choices(self, labels: list[dict]) -> int:
        return 2

    def is_right(self, value: dict, true: dict) -> bool:
        """Exactly these marks, and exactly these relations between them."""
        return SPANS.is_right(value, true) and facts_of(value) == facts_of(true)

    def clear_mistakes(self, value: dict, true: dict) -> dict:
        """Of the marks: a relation is right only where both its ends are."""
        return SPANS.clear_mistakes(value, true) | {"relations": []}

    def likeness(self, value: dict, other: dict) -> float:
        """By their marks: relations are the same only where their ends are."""
        return SPANS.likeness(value, other)

    def compare(self, compared: Compared) -> Comparison:
        return _Related(compared)

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
        method, reading = read_spans(given, of_role(labels, "span"), method, crowd, text, opinion)
        consensus, decision = reading.consensus, decision_for(given, method, reading)
        stated = [_stated(answer.value) for answer in given]
        if method == MAJORITY or crowd is None or RELATIONS not in crowd:
            votes = relation_votes(consensus, stated, [1.0] * len(given))
            relations, found = [vote[:3] for vote in votes], np.array([vote[3] for vote in votes])
            weights = None
        else:
            relations, says = relation_says(consensus, stated)
            skills = [answer.skill and answer.skill.get(RELATIONS) for answer in given]
            found, weights = relation_posterior(
                says, skills, crowd[RELATIONS], [answer.said for answer in given]
            )
        decided = replace(
            decision,
            value=decision.value | _related(dict(zip(relations, found, strict=True))),
            votes=decision.votes | _names(given),
            certainty=decision.certainty * float(np.maximum(found, 1 - found).prod()),
            entropy=decision.entropy + sum(entropy_bits([p, 1 - p]) for p in found),
            posterior=decision.posterior | _by_ends(relations, found, consensus),
            weights=weights if weights and relations else decision.weights,
        )
        return as_calibrated(decided, crowd)

    def fit(self, table: Table, labels: list[dict], *, method: str) -> Fit:
        return fit_calibrated(self, self._fit, table, labels, method=method, left_out_on=LEFT_OUT_ON)

    def _fit(self, table: Table, labels: list[dict], method: str) -> Fit:
        """The spans' fit; and, by the spans that it reads, how far each volunteer's relations hold."""
        spans, skills = fit_spans(table, of_role(labels, "span"), method)
        related = fit_relation_crowd(_decisions(table, spans), table.n_workers)
        found = finds(related.counts, related.rates)
        skills = [
            row._replace(
                parameters=row.parameters | {RELATIONS: own}, finds=row.finds + find_rows([ALL], found[w])
            )
            for w, (row, own) in enumerate(zip(skills, related.workers, strict=True))
        ]
        return Fit(spans.crowd | {RELATIONS: related.crowd}, skills)


def _names(given: list[Given]) -> Counter:
    """How many answers name each relation."""
    return Counter(key for one in given for key in {relation["label"] for relation in one.value["relations"]})


def _stated(value: dict) -> tuple[list[tuple], list[tuple]]:
    relations = [(relation["from"], relation["to"], relation["label"]) for relation in value["relations"]]
    return as_tuples(value["spans"]), relations


def _related(probabilities: dict[tuple, float]) -> dict:
    """The relations that more likely hold than not, the surest first."""
    surest_first = sorted(probabilities.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "relations": [
            {"from": start, "to": end, "label": label} for (start, end, label), p in surest_first if p > 0.5
        ]
    }


def _by_ends(relations: list[tuple], found: np.ndarray, consensus: list[ScoredSpan]) -> dict[str, float]:
    """Each relation's probability, under the stretches that it joins."""
    ends = [f"{span.start}-{span.end}" for span in consensus]
    return {
        f"{ends[start]} → {ends[end]} {label}": round(float(p), 4)
        for (start, end, label), p in zip(relations, found, strict=True)
    }


def _decisions(table: Table, spans: SpanFit) -> list[Decisions]:
    """Of each task, in the order of tasks, the relations stated between the spans that were read there."""
    rows = np.split(np.argsort(table.task, kind="stable"), np.cumsum(np.bincount(table.task))[:-1])
    found = []
    for own in rows:
        if not len(own):
            continue
        task = int(table.task[own[0]])
        stated = [_stated(table.values[code]) for code in table.code[own]]
        relations, says = relation_says(spans.consensus[task], stated)
        gold = np.full(len(relations), -1)
        if task in table.gold:
            true = facts_of(table.gold[task])
            ends = [span.span for span in spans.consensus[task]]
            gold[:] = [(ends[start], ends[end], label) in true for start, end, label in relations]
        found.append(Decisions(says, table.worker[own].tolist(), gold, table.certain[own].tolist()))
    return found


def _parse_relations(raw: object, keys: list[str], places: list[int]) -> list[dict]:
    if not isinstance(raw, list) or len(raw) > MOST_RELATIONS:
        raise InvalidAnswer(
            f"The relations are a list of at most {MOST_RELATIONS}.", code="invalid_relations"
        )
    relations = [_parse_relation(relation, keys, places) for relation in raw]
    relations.sort(key=lambda relation: (relation["from"], relation["to"], relation["label"]))
    if any(before == after for before, after in pairwise(relations)):
        raise InvalidAnswer("A relation stands twice in this answer.", code="relation_twice")
    return relations


def _parse_relation(raw: object, keys: list[str], places: list[int]) -> dict:
    if not isinstance(raw, dict) or set(raw) != FIELDS:
        raise InvalidAnswer(
            "Each relation has a from, a to and a label, nothing else.", code="invalid_relations"
        )
    ends = (raw["from"], raw["to"])
    if any(not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < len(places) for n in ends):
        raise InvalidAnswer("A relation begins or ends at no span.", code="relation_without_span")
    if ends[0] == ends[1]:
        raise InvalidAnswer("A relation needs two different spans.", code="relation_with_itself")
    if not isinstance(raw["label"], str) or raw["label"] not in keys:
        raise InvalidAnswer("This label is not one of the campaign's labels.", code="unknown_label")
    return {"from": places[ends[0]], "to": places[ends[1]], "label": raw["label"]}


def facts_of(value: dict) -> set[tuple]:
    """What is stated: each relation with the exact spans at its ends."""
    spans = as_tuples(value["spans"])
    return {(spans[r["from"]], spans[r["to"]], r["label"]) for r in value["relations"]}


class _Related(Marks):
    """Marks by alpha of their stretches; relations by F1, the same where both ends and the label are."""

    weekly = paired = "relation_f1"

    def _facts(self, compared: Compared) -> list[Set]:
        return [facts_of(value) for value in compared.values]

    def by_label(self, rng: np.random.Generator) -> list[LabelAgreement]:
        names = {label["key"]: label["name"] for label in of_role(self._compared.labels, "relation")}
        f1 = self._f1_of_labels(self._stated, list(names), rng)
        return super().by_label(rng) + [LabelAgreement(name, None, f1[key]) for key, name in names.items()]
