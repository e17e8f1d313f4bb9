"""Each kind of task: the answers it takes, the exact error of others, and what several add up to."""

import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from annotation.errors import Invalid, InvalidAnswer
from annotation.kinds import KINDS, Given, Table, kind_named
from annotation.kinds.decision import entropy_bits

TEXT = "Aspirin 💊 caused a rash."
LENGTH = len(TEXT)
YES_NO = [{"key": "yes", "name": "Yes", "hint": ""}, {"key": "no", "name": "No", "hint": ""}]
LABELS = {
    "choice": YES_NO,
    "ordinal": [{"key": str(n), "name": str(n), "hint": ""} for n in range(5)],
    "pairs": [{"key": key, "name": key, "hint": ""} for key in ("first", "second", "tie")],
    "multiple": [{"key": key, "name": key, "hint": ""} for key in "abc"],
    "spans": [{"key": "drug", "name": "Drug", "hint": ""}, {"key": "event", "name": "Event", "hint": ""}],
    "relations": [
        {"key": "drug", "name": "Drug", "hint": "", "role": "span"},
        {"key": "event", "name": "Event", "hint": "", "role": "span"},
        {"key": "causes", "name": "causes", "hint": "", "role": "relation"},
    ],
    "text": [],
}
DRUG = {"start": 0, "end": 7, "label": "drug"}
RASH = {"start": 19, "end": 23, "label": "event"}
CAUSES = {"from": 0, "to": 1, "label": "causes"}
ANSWERS = {
    "choice": [{"label": "yes"}, {"label": "no"}],
    "ordinal": [{"label": "0"}, {"label": "4"}],
    "pairs": [{"label": "first"}, {"label": "tie"}],
    "multiple": [{"labels": []}, {"labels": ["a", "c"]}],
    "spans": [{"spans": []}, {"spans": [DRUG, RASH]}],
    "relations": [{"spans": [], "relations": []}, {"spans": [DRUG, RASH], "relations": [CAUSES]}],
    "text": [{"text": "a rash"}, {"text": "皮疹"}],
}


def parse(kind: str, raw: object) -> dict:
    return kind_named(kind).parse_answer(raw, LABELS[kind], LENGTH)


def decide(kind: str, *values: dict, method: str = "majority"):
    given = [Given(value) for value in values]
    return kind_named(kind).decide(given, LABELS[kind], method=method, crowd=None, text=TEXT)


def test_every_kind_is_known_by_its_own_name():
    assert set(KINDS) == set(LABELS)
    assert all(kind.name == name for name, kind in KINDS.items())


@pytest.mark.parametrize("kind", LABELS)
def test_what_is_an_answer_by_the_schema_is_taken_as_it_is(kind):
    schema = KINDS[kind].answer_schema(LABELS[kind])
    Draft202012Validator.check_schema(schema)
    for answer in ANSWERS[kind]:
        Draft202012Validator(schema).validate(answer)
        assert parse(kind, answer) == answer


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("raw", [None, [], "yes", 1, {}, {"label": ["yes"]}, {"spans": None}, {"text": 5}])
def test_an_answer_of_another_form_is_refused_with_a_code(kind, raw):
    with pytest.raises(InvalidAnswer) as refused:
        parse(kind, raw)
    assert refused.value.code in {"invalid_answer", "invalid_spans"}
    assert not Draft202012Validator(KINDS[kind].answer_schema(LABELS[kind])).is_valid(raw)


@pytest.mark.parametrize("kind", LABELS)
def test_a_file_cell_says_the_same_as_the_answer(kind):
    for answer in ANSWERS[kind]:
        cell = KINDS[kind].cell(answer)
        if kind == "text" or cell:
            assert KINDS[kind].parse_cell(cell, LABELS[kind], LENGTH) == answer


@pytest.mark.parametrize("kind", LABELS)
def test_the_right_answer_scores_one_and_a_wrong_one_less(kind):
    one, other = ANSWERS[kind]
    assert KINDS[kind].score(other, other) == KINDS[kind].score(one, one) == 1
    assert KINDS[kind].score(one, other) < 1


@pytest.mark.parametrize("kind", LABELS)
def test_an_answer_is_right_as_a_whole_or_not(kind):
    one, other = ANSWERS[kind]
    assert KINDS[kind].is_right(other, other) and KINDS[kind].is_right(one, one)
    assert not KINDS[kind].is_right(one, other)


def test_marks_count_although_no_relation_joins_them_and_their_order_does_not():
    relations = KINDS["relations"]
    whole = {"spans": [DRUG, RASH], "relations": [CAUSES]}
    turned = {"spans": [RASH, DRUG], "relations": [CAUSES | {"from": 1, "to": 0}]}
    one_mark_more = {"spans": [DRUG, RASH, RASH | {"end": 24}], "relations": [CAUSES]}
    assert relations.is_right(turned, whole)
    assert relations.score(one_mark_more, whole) == 1.0 and not relations.is_right(one_mark_more, whole)


@pytest.mark.parametrize(
    ("text", "true", "is_right"),
    [
        ("No rash.", "no RASH", True),
        ("rash", "no rash", False),
        ("aspirin 10 mg", "aspirin 100 mg", False),
        ("high fever and cough since monday evening", "high fever and a cough since monday evening", True),
    ],
)
def test_a_short_text_is_right_word_for_word_and_of_a_longer_one_nine_words_in_ten(text, true, is_right):
    assert KINDS["text"].is_right({"text": text}, {"text": true}) is is_right


@pytest.mark.parametrize("kind", LABELS)
def test_where_all_say_the_same_that_is_the_consensus(kind):
    for answer in ANSWERS[kind]:
        decision = decide(kind, answer, answer, answer)
        assert (decision.method, decision.value, decision.share) == ("majority", answer, 1.0)
        assert decision.certainty == pytest.approx(1.0)
        assert decision.entropy == pytest.approx(0.0)


@pytest.mark.parametrize("kind", LABELS)
def test_a_single_answer_is_a_consensus_of_its_own(kind):
    assert decide(kind, ANSWERS[kind][1]).value == ANSWERS[kind][1]


@pytest.mark.parametrize("kind", LABELS)
def test_every_way_of_weighing_is_explained_in_a_sentence(kind):
    methods = KINDS[kind].methods
    assert next(iter(methods)) == "majority", "the default comes first"
    assert "engine" in methods
    assert all(sentence.endswith(".") for sentence in methods.values())


# --- labels


def test_a_comparison_has_its_two_sides_and_perhaps_a_tie():
    parse_labels = kind_named("pairs").parse_labels
    assert [label["name"] for label in parse_labels([{"key": "first", "name": "Left"}, {"key": "second"}])]
    for keys in (["first"], ["second", "first"], ["first", "second", "both"]):
        with pytest.raises(Invalid) as refused:
            parse_labels([{"key": key} for key in keys])
        assert refused.value.code == "invalid_labels"


def test_relations_take_labels_of_both_roles():
    parse_labels = kind_named("relations").parse_labels
    assert [label["role"] for label in parse_labels(LABELS["relations"])] == ["span", "span", "relation"]
    for roles in (["span", "span"], ["relation", "relation"], ["span", "arrow"]):
        with pytest.raises(Invalid):
            parse_labels([{"key": str(n), "role": role} for n, role in enumerate(roles)])


def test_a_free_text_has_no_labels():
    assert kind_named("text").parse_labels([]) == []
    with pytest.raises(Invalid):
        kind_named("text").parse_labels(YES_NO)


# --- spans


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ({"start": 3, "end": 3, "label": "drug"}, "empty_span"),
        ({"start": 5, "end": 3, "label": "drug"}, "empty_span"),
        ({"start": -1, "end": 3, "label": "drug"}, "span_outside_text"),
        ({"start": 0, "end": LENGTH + 1, "label": "drug"}, "span_outside_text"),
        ({"start": 0, "end": 3, "label": "dose"}, "unknown_label"),
        ({"start": 0.0, "end": 3, "label": "drug"}, "invalid_spans"),
        ({"start": True, "end": 3, "label": "drug"}, "invalid_spans"),
        ({"start": 0, "end": 3}, "invalid_spans"),
        ({"start": 0, "end": 3, "label": "drug", "note": "x"}, "invalid_spans"),
    ],
)
def test_a_span_that_marks_nothing_of_the_text_is_refused_by_its_fault(span, code):
    with pytest.raises(InvalidAnswer) as refused:
        parse("spans", {"spans": [span]})
    assert refused.value.code == code


def test_spans_may_overlap_and_nest_and_reach_both_ends():
    whole = {"start": 0, "end": LENGTH, "label": "event"}
    crossing = {"start": 5, "end": 20, "label": "drug"}
    assert parse("spans", {"spans": [RASH, crossing, DRUG, whole]}) == {
        "spans": [whole, DRUG, crossing, RASH]
    }


def test_the_same_span_twice_is_refused():
    with pytest.raises(InvalidAnswer) as refused:
        parse("spans", {"spans": [DRUG, RASH, DRUG]})
    assert refused.value.code == "span_twice"


def test_what_two_of_three_marked_is_in_the_consensus():
    decision = decide("spans", {"spans": [DRUG]}, {"spans": [DRUG, RASH]}, {"spans": []})
    assert decision.value == {"spans": [DRUG]}
    assert decision.votes == {"drug": 2, "event": 1}


@pytest.mark.parametrize(
    ("n", "of", "certainty", "bits"), [(0, 2, 1.0, 0.0), (1, 2, 0.5, 1.0), (2, 5, 0.6, 0.971)]
)
def test_by_majority_a_rejected_mark_leaves_the_doubt_of_its_share(n, of, certainty, bits):
    decision = decide("spans", *[{"spans": [DRUG, RASH]}] * n, *[{"spans": [DRUG]}] * (of - n))
    assert decision.value == {"spans": [DRUG]}
    assert decision.certainty == pytest.approx(certainty)
    assert decision.entropy == pytest.approx(bits, abs=1e-3)
    assert decision.posterior == {"0-7 drug": 1.0} | ({"19-23 event": n / of} if n else {})
    assert decision.weights is None


def test_that_nothing_is_there_is_as_sure_as_what_was_marked_is_not():
    decision = decide("spans", {"spans": [RASH]}, {"spans": []}, {"spans": []}, {"spans": []})
    assert (decision.value, decision.certainty) == ({"spans": []}, 0.75)
    nothing = decide("spans", *[{"spans": []}] * 3)
    assert (nothing.certainty, nothing.entropy, nothing.posterior) == (1.0, 0.0, {})


def test_of_many_rejected_marks_the_fifty_likeliest_are_named_and_all_are_doubted():
    marks = [{"start": n, "end": n + 1, "label": "drug"} for n in range(60)]
    given = [Given({"spans": marks}), *[Given({"spans": marks[:5]})] * 2, *[Given({"spans": []})] * 7]
    decision = kind_named("spans").decide(
        given, LABELS["spans"], method="majority", crowd=None, text="a" * 60
    )
    assert list(decision.posterior.values()) == [0.3] * 5 + [0.1] * 45
    assert decision.certainty == pytest.approx(0.7**5 * 0.9**55)


# --- relations


@pytest.mark.parametrize(
    ("relation", "code"),
    [
        ({"from": 0, "to": 2, "label": "causes"}, "relation_without_span"),
        ({"from": -1, "to": 1, "label": "causes"}, "relation_without_span"),
        ({"from": 0, "to": 0, "label": "causes"}, "relation_with_itself"),
        ({"from": 0, "to": 1, "label": "drug"}, "unknown_label"),
        ({"from": 0, "to": 1}, "invalid_relations"),
    ],
)
def test_a_relation_that_joins_no_two_spans_is_refused_by_its_fault(relation, code):
    with pytest.raises(InvalidAnswer) as refused:
        parse("relations", {"spans": [DRUG, RASH], "relations": [relation]})
    assert refused.value.code == code


def test_relations_follow_their_spans_into_the_order_of_the_text():
    parsed = parse(
        "relations", {"spans": [RASH, DRUG], "relations": [{"from": 1, "to": 0, "label": "causes"}]}
    )
    assert parsed == {"spans": [DRUG, RASH], "relations": [CAUSES]}


def test_a_relation_holds_when_most_state_it_between_the_same_spans():
    stated, silent = ANSWERS["relations"][1], {"spans": [DRUG, RASH], "relations": []}
    assert decide("relations", stated, stated, silent).value == stated
    assert decide("relations", stated, silent, silent).value == silent
    for answers, share in (((stated, stated, silent), 2 / 3), ((stated, silent, silent), 1 / 3)):
        decision = decide("relations", *answers)
        assert decision.posterior["0-7 → 19-23 causes"] == pytest.approx(share, abs=1e-4)
        assert decision.certainty == pytest.approx(2 / 3), "held or not, of three one says otherwise"
        assert decision.entropy == pytest.approx(0.918, abs=1e-3)


def test_a_rejected_mark_is_doubt_of_relations_too():
    stated, without = ANSWERS["relations"][1], {"spans": [DRUG], "relations": []}
    decision = decide("relations", stated, without, without)
    assert decision.value == without
    assert decision.certainty == pytest.approx(2 / 3)


# --- the others


def test_labels_come_in_the_campaigns_order_and_a_label_once():
    assert parse("multiple", {"labels": ["c", "a"]}) == {"labels": ["a", "c"]}
    with pytest.raises(InvalidAnswer) as refused:
        parse("multiple", {"labels": ["a", "a"]})
    assert refused.value.code == "label_twice"


def test_a_label_that_more_than_half_gave_holds_and_one_of_exactly_half_ties():
    assert decide("multiple", {"labels": ["a"]}, {"labels": ["a", "b"]}, {"labels": []}).value == {
        "labels": ["a"]
    }
    assert decide("multiple", {"labels": ["a"]}, {"labels": []}).value is None


def test_the_text_that_is_most_like_the_others_wins():
    texts = ["a rash on the arm", "rash on the arm", "fever"]
    assert decide("text", *({"text": text} for text in texts)).value["text"] in texts[:2]


def test_a_text_of_white_space_or_of_a_thousand_and_one_characters_is_none():
    for text in ("", "  \n", "x" * 1001, "a\0b"):
        with pytest.raises(InvalidAnswer) as refused:
            parse("text", {"text": text})
        assert refused.value.code == "invalid_text_answer"


# --- weighed by skill


def test_by_the_engine_a_rejected_mark_is_doubt_and_each_answer_has_its_weight():
    values = [{"spans": [DRUG]}, {"spans": [DRUG]}, {"spans": [DRUG, RASH]}]
    fit = fitted("spans", [(0, worker, value) for worker, value in enumerate(values)], n_workers=3)
    given = [Given(value, row.parameters) for value, row in zip(values, fit.skills, strict=True)]
    decision = kind_named("spans").decide(given, LABELS["spans"], method="engine", crowd=fit.crowd, text=TEXT)
    assert decision.value == {"spans": [DRUG]}
    drug, rash = decision.posterior["0-7 drug"], decision.posterior["19-23 event"]
    assert 0.1 < rash < 0.5 < 0.99 < drug
    assert decision.certainty == pytest.approx(drug * (1 - rash), abs=2e-4)
    assert decision.entropy > entropy_bits([rash, 1 - rash]) - 1e-3
    assert decision.weights[0] == decision.weights[1] > decision.weights[2] + 1


def fitted(
    kind: str, answers: list[tuple[int, int, dict]], *, n_workers: int, text: str = TEXT, certain=None
):
    """A fit of (task, worker, answer) triples, all on one text."""
    task, worker, values = zip(*answers, strict=True)
    certain = [-1] * len(values) if certain is None else certain
    n_tasks = max(task) + 1
    table = Table(
        task=np.array(task, dtype=np.int32),
        worker=np.array(worker, dtype=np.int32),
        code=np.arange(len(values), dtype=np.int32),
        certain=np.array(certain, dtype=np.int8),
        values=list(values),
        n_tasks=n_tasks,
        n_workers=n_workers,
        texts=[text] * n_tasks,
    )
    return kind_named(kind).fit(table, LABELS[kind], method="engine")


@pytest.mark.parametrize("kind", LABELS)
def test_two_who_usually_agree_outweigh_two_who_never_do(kind):
    """Workers 0 to 2 say the same on every task, workers 3 and 4 something else each time."""
    one, other = ANSWERS[kind]
    rng = np.random.default_rng(5)
    answers = []
    for task in range(60):
        said = one if rng.random() < 0.5 else other
        contrary = other if said is one else one
        answers += [(task, worker, said) for worker in range(3)]
        answers += [(task, worker, contrary if rng.random() < 0.5 else said) for worker in (3, 4)]
    fit = fitted(kind, answers, n_workers=5)
    json.dumps([fit.crowd, [row.parameters for row in fit.skills]], allow_nan=False)
    assert min(row.accuracy for row in fit.skills[:3]) > max(row.accuracy for row in fit.skills[3:])
    assert all(row.low <= row.accuracy <= row.high for row in fit.skills)
    given = [Given(one, fit.skills[w].parameters) for w in (0, 1)]
    given += [Given(other, fit.skills[w].parameters) for w in (3, 4)]
    decision = kind_named(kind).decide(given, LABELS[kind], method="engine", crowd=fit.crowd, text=TEXT)
    assert decision.value == one
    assert decision.method == "engine"


@pytest.mark.parametrize("kind", [kind for kind in LABELS if kind != "text"])
def test_an_answer_in_doubt_speaks_less_for_what_it_says_where_doubt_has_been_right(kind):
    """Three agree; the fourth says otherwise whenever they are not sure, and mostly then alone."""
    rng = np.random.default_rng(3)
    values = ANSWERS[kind]
    if kind == "relations":
        values = [values[1] | {"relations": []}, values[1]]  # both with the marks that relations need
    answers, certain = [], []
    for task in range(80):
        right = int(rng.random() < 0.5)
        doubts = bool(rng.random() < 0.5)
        says = [right, right, right, right ^ (doubts and rng.random() < 0.5)]
        answers += [(task, worker, values[one]) for worker, one in enumerate(says)]
        certain += [-1, -1, -1, 0 if doubts else -1]
    fit = fitted(kind, answers, n_workers=4, certain=certain)
    weight = {}
    for said in (None, False):
        given = [Given(values[1], fit.skills[w].parameters, said if w == 3 else None) for w in (0, 3)]
        decision = kind_named(kind).decide(given, LABELS[kind], method="engine", crowd=fit.crowd, text=TEXT)
        assert decision.value == values[1]
        weight[said] = decision.weights[1]
    assert weight[None] > weight[False] + 0.3


@pytest.mark.parametrize("kind", LABELS)
def test_a_fit_of_no_answers_and_one_of_a_single_answer_are_defined(kind):
    single = fitted(kind, [(0, 0, ANSWERS[kind][1])], n_workers=1)
    assert len(single.skills) == 1
    empty = Table(
        *(np.zeros(0, np.int32) for _ in range(3)), np.zeros(0, np.int8), values=[], n_tasks=0, n_workers=0
    )
    assert kind_named(kind).fit(empty, LABELS[kind], method="engine").skills == []
    decision = kind_named(kind).decide(
        [Given(ANSWERS[kind][1])], LABELS[kind], method="engine", crowd=single.crowd, text=TEXT
    )
    assert decision.value == ANSWERS[kind][1]


def related_by(worker: int, true: set, rng) -> dict:
    """Six stretches, all marked by everybody; the first two workers relate them well, the others badly."""
    sensitivity, false_alarms = (0.9, 0.02) if worker < 2 else (0.5, 0.3)
    pairs = [(start, end) for start in range(0, 6, 2) for end in range(1, 6, 2)]
    stated = [pair for pair in pairs if rng.random() < (sensitivity if pair in true else false_alarms)]
    spans = [
        {"start": 2 * n, "end": 2 * n + 1, "label": ("drug", "event")[n % 2]} for n in range(6)
    ]  # each a letter of "a b c d e f"
    return {"spans": spans, "relations": [{"from": s, "to": e, "label": "causes"} for s, e in stated]}


def test_relations_weighed_by_who_states_them_are_nearer_the_truth_than_by_votes():
    rng, text = np.random.default_rng(8), "a b c d e f"
    truths = [{(s, e) for s in (0, 2, 4) for e in (1, 3, 5) if rng.random() < 0.3} for _ in range(60)]
    said = [[related_by(worker, true, rng) for worker in range(5)] for true in truths]
    answers = [(task, worker, said[task][worker]) for task in range(60) for worker in range(5)]
    kind, labels = kind_named("relations"), LABELS["relations"]
    fit = fitted("relations", answers, n_workers=5, text=text)
    f1 = {"majority": [], "engine": []}
    for true, values in zip(truths, said, strict=True):
        gold = {**values[0], "relations": [{"from": s, "to": e, "label": "causes"} for s, e in sorted(true)]}
        given = [Given(value, row.parameters) for value, row in zip(values, fit.skills, strict=True)]
        for method, scores in f1.items():
            decision = kind.decide(given, labels, method=method, crowd=fit.crowd, text=text)
            scores.append(kind.score(decision.value, gold))
    assert np.mean(f1["engine"]) > np.mean(f1["majority"]) + 0.05


def test_a_weighed_relation_has_its_probability_and_each_answer_its_weight_in_the_consensus():
    stated, silent = ANSWERS["relations"][1], {"spans": [DRUG, RASH], "relations": []}
    fit = fitted("relations", [(0, 0, stated), (0, 1, silent), (1, 0, stated), (1, 1, stated)], n_workers=2)
    sure, unsure = {"rates": [[0.9, 0.9]]}, {"rates": [[0.6, 0.6]]}
    crowd = fit.crowd | {"relations": {"n_labels": 1, "prior": [0.5], "rates": [[0.6, 0.6]]}}
    given = [
        Given(value, fit.skills[0].parameters | {"relations": own})
        for value, own in ((stated, sure), (silent, unsure), (silent, unsure))
    ]
    decision = kind_named("relations").decide(
        given, LABELS["relations"], method="engine", crowd=crowd, text=TEXT
    )
    assert decision.value == stated, "against the vote: 9 to 1.5 times 1.5"
    assert decision.posterior["0-7 → 19-23 causes"] == 0.8
    assert decision.weights == pytest.approx([np.log(9), -np.log(1.5), -np.log(1.5)])
    marked = kind_named("spans").decide(given, LABELS["spans"], method="engine", crowd=crowd, text=TEXT)
    assert decision.certainty == pytest.approx(0.8 * marked.certainty)
    assert decision.entropy == pytest.approx(0.7219 + marked.entropy, abs=1e-4)


def test_by_a_fit_from_before_relations_were_weighed_they_hold_by_votes():
    stated, silent = ANSWERS["relations"][1], {"spans": [DRUG, RASH], "relations": []}
    fit = fitted("relations", [(0, 0, stated), (0, 1, stated), (0, 2, silent)], n_workers=3)
    crowd = {name: own for name, own in fit.crowd.items() if name != "relations"}
    decision = kind_named("relations").decide(
        [Given(stated), Given(silent), Given(silent)], LABELS["relations"], method="engine", crowd=crowd,
        text=TEXT,
    )  # fmt: skip
    assert (decision.method, decision.value) == ("engine", silent)
    assert decision.posterior["0-7 → 19-23 causes"] == pytest.approx(1 / 3, abs=1e-4)
    marked = kind_named("spans").decide(
        [Given(stated), Given(silent), Given(silent)], LABELS["spans"], method="engine", crowd=fit.crowd,
        text=TEXT,
    )  # fmt: skip
    assert decision.weights == marked.weights, "of the marks, for no relation was weighed"
    assert decision.certainty == pytest.approx(marked.certainty * 2 / 3)
