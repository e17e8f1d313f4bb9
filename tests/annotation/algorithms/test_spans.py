"""Consensus of spans: what each method finds, that a task alone gives what the batch gave, and odd input."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from annotation.algorithms.simulated_spans import NOISE, make_span_crowd, mark_spans
from annotation.algorithms.span_habits import TYPICAL
from annotation.algorithms.spans import (
    METHODS,
    RejectedSpan,
    ScoredSpan,
    SpanAnswers,
    SpanFit,
    fit_span_crowd,
    task_spans,
)

TEXT = "Aspirin gave her a mild skin rash on the left arm."
DRUG, RASH, MILD_RASH = (0, 7, "drug"), (24, 33, "sign"), (19, 33, "sign")
LABELS = ["drug", "sign"]

every_method = pytest.mark.parametrize("method", METHODS)


def answers(*by_text, texts=None, n_workers=None, labels=LABELS) -> SpanAnswers:
    """by_text: for each text the spans of worker 0, 1, …"""
    texts = texts or [TEXT] * len(by_text)
    n_workers = max(map(len, by_text), default=0) if n_workers is None else n_workers
    return SpanAnswers(texts, [list(enumerate(given)) for given in by_text], n_workers, labels)


def found(spans: list[ScoredSpan]) -> list[tuple[int, int, str]]:
    return [span.span for span in spans]


def stretch(rejected: RejectedSpan) -> tuple[int, int, str]:
    return rejected.start, rejected.end, rejected.label


@every_method
def test_what_all_mark_alike_is_the_consensus_with_everybody_in_support(method):
    fit = fit_span_crowd(answers(*[[[DRUG, RASH]] * 3] * 4), method=method)
    assert [found(spans) for spans in fit.consensus] == [[DRUG, RASH]] * 4
    assert all(span.support == 3 for spans in fit.consensus for span in spans)
    assert all(min(span.confidence, span.boundary) > 0.9 for spans in fit.consensus for span in spans)


CERTAIN = [[0, -1, 1], [-1, 0, 0], [1, 1, -1]]


@pytest.mark.parametrize(("method", "certain"), [*((m, []) for m in METHODS), ("engine", CERTAIN)])
def test_a_task_alone_gives_what_the_batch_gave_also_after_json(method, certain):
    crowd = answers(
        [[DRUG, RASH], [DRUG, MILD_RASH], [RASH]],
        [[DRUG], [(0, 7, "sign")], []],
        [[MILD_RASH], [MILD_RASH, DRUG], [(19, 23, "sign"), (8, 12, "drug")]],
    )
    crowd = replace(crowd, certain=certain)
    fit = fit_span_crowd(crowd, method=method)
    learned = json.loads(json.dumps({"crowd": fit.crowd, "workers": fit.workers}))
    assert any(fit.rejected)
    for n, given in enumerate(crowd.answers):
        consensus, rejected = fit.consensus[n], fit.rejected[n]
        marked, workers = [spans for _, spans in given], [learned["workers"][w] for w, _ in given]
        alone = task_spans(TEXT, marked, workers, learned["crowd"], certain[n] if certain else None)
        assert found(alone.consensus) == found(consensus)
        for one, other in zip(alone.consensus, consensus, strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=1e-9)
            assert one.boundary == pytest.approx(other.boundary, abs=1e-9)
        assert [stretch(one) for one in alone.rejected] == [stretch(one) for one in rejected]
        for one, other in zip(alone.rejected, rejected, strict=True):
            assert one.probability == pytest.approx(other.probability, abs=1e-9)
            assert one.doubt == pytest.approx(other.doubt, abs=1e-9)


@pytest.mark.parametrize("method", ["majority", "exact_majority", "engine"])
def test_a_label_added_after_the_fit_and_volunteers_it_never_saw_are_still_read(method):
    fit = fit_span_crowd(answers([[DRUG], [DRUG]]), method=method)
    spans = task_spans(TEXT, [[(34, 49, "place")], [(34, 49, "place")]], [None, None], fit.crowd)
    assert found(spans.consensus) == [(34, 49, "place")]


def test_token_majority_takes_the_tokens_that_most_mark():
    fit = fit_span_crowd(answers([[MILD_RASH], [RASH], [RASH]]), method="majority")
    (span,) = fit.consensus[0]
    assert (span.span, span.support) == (RASH, 3)
    assert span.confidence == 1.0
    assert span.boundary == pytest.approx(2 / 3)


def test_exact_majority_finds_nothing_where_no_two_agree():
    three = [[(19, 33, "sign")], [(24, 33, "sign")], [(29, 33, "sign")]]
    assert fit_span_crowd(answers(three), method="exact_majority").consensus == [[]]
    assert found(fit_span_crowd(answers(three), method="majority").consensus[0]) == [RASH]


@pytest.mark.parametrize("method", ["majority", "exact_majority"])
def test_a_tie_of_votes_is_no_span(method):
    assert fit_span_crowd(answers([[RASH], []]), method=method).consensus == [[]]


@every_method
def test_spans_that_touch_stay_two(method):
    left, right = (24, 28, "sign"), (29, 33, "sign")
    fit = fit_span_crowd(answers(*[[[left, right]] * 3] * 3), method=method)
    assert found(fit.consensus[0]) == [left, right]


@every_method
def test_spans_of_two_labels_may_lie_over_each_other(method):
    phrase, place = (19, 49, "finding"), (34, 49, "place")
    fit = fit_span_crowd(answers(*[[[phrase, place]] * 3] * 3, labels=["finding", "place"]), method=method)
    assert found(fit.consensus[0]) == [phrase, place]


@every_method
def test_a_span_inside_one_of_its_own_label_is_found_beside_it(method):
    fit = fit_span_crowd(answers(*[[[MILD_RASH, (29, 33, "sign")]] * 3] * 3), method=method)
    assert found(fit.consensus[0]) == [MILD_RASH, (29, 33, "sign")]


# --- what was marked and not found

PAIN = (0, 4, "sign")
PAIN_AND_RASH, ITS_RASH = "Pain and rash", (9, 13, "sign")


def read_by(method: str, *marked: list, text: str = PAIN_AND_RASH, labels=("sign",), said=None, **learned):
    """One text's answers by people nobody knows; the engine by typical habits, without words."""
    crowd = {"method": method, "labels": list(labels)}
    if method == "engine":
        crowd |= {
            "tags": TYPICAL.tolist(), "right": dict.fromkeys(labels, 1.0), "mixed_up": {},
            "begin": 0.2, "stay": 0.3, "join": 0.02, "words": None,
            "label_share": dict.fromkeys(labels, 1.0 / len(labels)),
        }  # fmt: skip
    return task_spans(text, list(marked), [None] * len(marked), crowd | learned, said)


def test_a_doubtful_answer_is_read_by_the_habits_of_doubt():
    """Who in doubt marks and misses alike whatever is there might as well not have answered."""
    typical = {"tags": TYPICAL.tolist(), "right": {"sign": 1.0}}
    aimless = {"tags": np.broadcast_to([0.9, 0.1, 0.0], (3, 3, 3)).tolist(), "right": {"sign": 1.0}}
    when = {"certain": [aimless, typical, typical]}  # not sure, sure, silent
    marks = [PAIN], [PAIN], []
    by_two = read_by("engine", *marks[:2], said=[-1, 1])
    [with_doubt] = read_by("engine", *marks, said=[-1, 1, 0], **when).consensus
    [with_all] = read_by("engine", *marks, said=[-1, 1, -1], **when).consensus
    assert with_doubt.confidence == pytest.approx(by_two.consensus[0].confidence)
    assert with_all.confidence < with_doubt.confidence


@pytest.mark.parametrize("method", ["majority", "exact_majority"])
@pytest.mark.parametrize(("n", "of"), [(1, 2), (2, 5), (1, 3)])
def test_by_votes_a_rejected_mark_is_as_likely_as_its_share(method, n, of):
    read = read_by(method, *[[PAIN, ITS_RASH]] * n, *[[PAIN]] * (of - n))
    assert found(read.consensus) == [PAIN]
    assert read.rejected == [RejectedSpan(*ITS_RASH, n / of, n / of)]
    assert read.weights is None


def test_by_the_engine_a_rejected_mark_is_as_likely_as_habits_make_it_and_every_answer_has_its_weight():
    """A true one of one word is found with .65 and missed with .35, a wrong one made with .02."""
    read = read_by("engine", [PAIN], [PAIN], [PAIN], [PAIN, ITS_RASH])
    [rejected] = read.rejected
    there, nothing = 0.2 * 0.35**3 * 0.65, 0.8 * 0.98**3 * 0.02
    assert stretch(rejected) == ITS_RASH
    assert rejected.probability == rejected.doubt == pytest.approx(there / (there + nothing))  # .27
    for_pain, against_rash = np.log(0.65 / 0.02), np.log(0.98 / 0.35)
    assert read.weights == pytest.approx(
        [(for_pain + against_rash) / 2] * 3 + [(for_pain - for_pain) / 2], abs=1e-9
    )


@pytest.mark.parametrize("method", ["majority", "exact_majority", "engine"])
def test_what_one_of_three_marks_beside_what_all_mark_stays_in_doubt(method):
    fit = fit_span_crowd(answers([[DRUG], [DRUG], [DRUG, RASH]]), method=method)
    assert found(fit.consensus[0]) == [DRUG]
    [rejected] = fit.rejected[0]
    assert stretch(rejected) == RASH
    assert 0.1 < rejected.doubt < 0.5


def test_marks_that_overlap_are_one_stretch_and_those_that_touch_are_two():
    one, other, beside = (19, 33, "sign"), (29, 37, "sign"), (37, 45, "sign")
    read = read_by("majority", [one], [other, beside], [], [], text=TEXT)
    assert [(stretch(span), span.probability) for span in read.rejected] == [
        ((19, 36, "sign"), 0.5),
        ((37, 45, "sign"), 0.25),
    ]


def test_a_mark_inside_another_of_its_label_is_no_stretch_of_its_own():
    read = read_by("majority", [MILD_RASH, (29, 33, "sign")], [], [], text=TEXT)
    assert [stretch(span) for span in read.rejected] == [MILD_RASH]


def test_where_another_span_was_found_a_rejected_label_is_no_second_doubt():
    """Two of three say drug: that the third says sign is doubt of the drug, which has it as 2 / 3."""
    read = read_by("majority", [DRUG], [DRUG], [(0, 7, "sign")], text=TEXT, labels=LABELS)
    assert [(span.span, span.confidence) for span in read.consensus] == [(DRUG, pytest.approx(2 / 3))]
    assert read.rejected == [RejectedSpan(0, 7, "sign", pytest.approx(1 / 3), 0.0)]


def test_where_labels_may_lie_over_each_other_a_rejected_one_is_a_doubt_of_its_own():
    read = read_by("majority", [DRUG], [DRUG], [DRUG, (0, 7, "sign")], text=TEXT, labels=LABELS)
    assert [(span.span, span.confidence) for span in read.consensus] == [(DRUG, 1.0)]
    assert read.rejected == [RejectedSpan(0, 7, "sign", pytest.approx(1 / 3), pytest.approx(1 / 3))]


@pytest.mark.parametrize("method", METHODS)
def test_of_what_is_known_nothing_was_rejected_and_of_nothing_neither(method):
    fit: SpanFit = fit_span_crowd(answers([[DRUG], []], [[], []]), method=method, gold={0: [RASH]})
    assert fit.rejected == [[], []]
    read = task_spans(TEXT, [[], []], fit.workers, fit.crowd)
    assert (read.consensus, read.rejected, read.weights) == ([], [], None)


def two_careful_and_three_careless(n_texts: int = 60) -> SpanAnswers:
    """Everybody marks the drug; the careless ones mostly miss the rash, and each marks some other word."""
    careful, words = [DRUG, RASH], [(8, 12), (13, 16), (19, 23), (37, 40), (41, 45), (46, 49)]
    given = []
    for i in range(n_texts):
        careless = [[DRUG, (*words[(i + 2 * k) % 6], "sign")] for k in range(3)]
        given.append([careful, careful, *([careful] * 3 if i % 4 == 0 else careless)])
    return answers(*given)


def test_the_engine_trusts_two_careful_volunteers_over_three_careless_ones_and_says_who_is_who():
    crowd = two_careful_and_three_careless()
    engine, majority = fit_span_crowd(crowd), fit_span_crowd(crowd, method="majority")
    assert RASH not in found(majority.consensus[1])
    assert found(engine.consensus[1]) == [DRUG, RASH]
    assert engine.accuracy[:2].min() > engine.accuracy[2:].max() + 0.1
    assert (engine.interval[:, 0] < engine.accuracy).all() and (engine.accuracy < engine.interval[:, 1]).all()


def test_gold_is_the_consensus_of_its_text_and_turns_a_crowd_that_is_wrong_together():
    wrong, right = [(41, 45, "sign")], [RASH]
    given = [[wrong, wrong, right]] * 30
    blind = fit_span_crowd(answers(*given))
    assert found(blind.consensus[-1]) == wrong
    anchored = fit_span_crowd(answers(*given), gold=dict.fromkeys(range(20), right))
    assert anchored.consensus[0] == [ScoredSpan(*RASH, 1.0, 1.0, 1)]
    assert found(anchored.consensus[-1]) == right
    assert anchored.accuracy[2] > 0.9 > 0.3 > anchored.accuracy[:2].max()


@every_method
def test_gold_that_nobody_marked_is_still_the_consensus(method):
    fit = fit_span_crowd(answers([[], []]), method=method, gold={0: [RASH]})
    assert fit.consensus == [[ScoredSpan(*RASH, 1.0, 1.0, 0)]]


def test_doubt_about_the_boundary_is_not_doubt_about_the_label():
    given = [[[DRUG, RASH]] * 4] * 20 + [[[RASH], [RASH], [MILD_RASH], [MILD_RASH]]]
    *_, last = fit_span_crowd(answers(*given)).consensus
    (span,) = [span for span in last if span.label == "sign"]
    assert span.confidence > 0.9
    assert span.boundary < span.confidence


@every_method
@pytest.mark.parametrize(
    ("crowd", "expected"),
    [
        (answers(), []),
        (answers([]), [[]]),
        (answers([[], [], []]), [[]]),
        (answers([[], []], labels=[]), [[]]),
        (answers([[]], texts=[""]), [[]]),
        (answers([[(0, 3, "sign")]] * 3, texts=["   "]), [[]]),
    ],
    ids=["no texts", "no answers", "all empty", "no labels", "empty text", "white space marked"],
)
def test_nothing_to_find_is_an_empty_consensus(method, crowd, expected):
    fit = fit_span_crowd(crowd, method=method)
    assert fit.consensus == expected
    assert len(fit.workers) == len(fit.accuracy) == crowd.n_workers
    assert np.isfinite(fit.interval).all()


def test_a_word_that_is_marked_rightly_elsewhere_speaks_for_a_mark_that_few_made():
    texts = [f"{'so ' * (i % 7)}she had a rash {'again ' * (i % 5)}and pain" for i in range(80)]
    rash = [(text.index("rash"), text.index("rash") + 4, "sign") for text in texts]
    doubtful = [[rash[-1]], [rash[-1]], [], []]
    fit = fit_span_crowd(answers(*([[span]] * 4 for span in rash[:-1]), doubtful, texts=texts))
    (with_words,) = task_spans(texts[-1], doubtful, fit.workers, fit.crowd).consensus
    (by_marks_alone,) = task_spans(texts[-1], doubtful, fit.workers, fit.crowd | {"words": None}).consensus
    assert with_words == fit.consensus[-1][0]
    assert with_words.confidence > by_marks_alone.confidence


@every_method
def test_no_span_is_found_that_nobody_marked_at_all(method):
    noise = make_span_crowd(8, NOISE["high"], np.random.default_rng(0))
    given = [mark_spans(TEXT, [DRUG, MILD_RASH], LABELS, who, np.random.default_rng(5)) for who in noise]
    for span in fit_span_crowd(answers(given, given[::-1]), method=method).consensus[0]:
        assert span.support > 0
        assert any(
            label == span.label and start < span.end and span.start < end
            for marks in given
            for start, end, label in marks
        )


@every_method
def test_one_volunteer_alone_is_taken_at_their_word(method):
    fit = fit_span_crowd(answers([[DRUG, RASH]], [[RASH]]), method=method)
    assert [found(spans) for spans in fit.consensus] == [[DRUG, RASH], [RASH]]


@every_method
@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("rash", [(0, 4, "sign")]),
        ("😀 rash 👩‍⚕️!", [(0, 1, "drug"), (2, 6, "sign"), (7, 11, "drug")]),
        ("患者发热三天", [(2, 4, "sign")]),
        ("a\r\nrash\r\nb", [(3, 7, "sign")]),
        ("postoperative", [(4, 13, "sign")]),
        ("nai\u0308ve pe\u0301", [(0, 6, "sign")]),
    ],
    ids=["whole text", "emoji", "Chinese", "CRLF", "inside a word", "combining marks"],
)
def test_offsets_are_exact_code_points(method, text, spans):
    fit = fit_span_crowd(answers(*[[spans] * 3] * 2, texts=[text] * 2), method=method)
    assert found(fit.consensus[0]) == spans


@every_method
def test_white_space_at_the_ends_of_a_mark_is_not_part_of_it(method):
    fit = fit_span_crowd(answers(*[[[(18, 34, "sign")]] * 3] * 2), method=method)
    assert found(fit.consensus[0]) == [MILD_RASH]


@every_method
def test_a_thousand_spans_in_one_text_are_read_in_seconds(method):
    text = "rash and " * 1000
    spans = [(i * 9, i * 9 + 4, "sign") for i in range(1000)]
    began = time.process_time()
    fit = fit_span_crowd(answers([spans, spans, spans[::2]], texts=[text]), method=method)
    assert time.process_time() - began < 10
    assert found(fit.consensus[0]) == spans


@every_method
def test_a_thousand_labels_are_a_defined_result(method):
    labels = [f"l{i}" for i in range(1000)] if method != "token_dawid_skene" else [f"l{i}" for i in range(60)]
    fit = fit_span_crowd(answers(*[[[(0, 7, "l7")]] * 3] * 3, labels=labels), method=method)
    assert found(fit.consensus[0]) == [(0, 7, "l7")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([(0, 0, "sign")], r"\[0, 0\) is no span of a text of 50 code points"),
        ([(-1, 3, "sign")], r"\[-1, 3\) is no span"),
        ([(40, 51, "sign")], r"\[40, 51\) is no span"),
        ([(0, 4, "colour")], r"the label 'colour' is none of \['drug', 'sign'\]"),
    ],
)
def test_a_span_that_cannot_be_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        answers([given])


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="worker 3 is none of the 3"):
        SpanAnswers([TEXT], [[(3, [])]], 3, LABELS)
    with pytest.raises(ValueError, match="2 texts need as many answer lists, not 1"):
        SpanAnswers([TEXT, TEXT], [[]], 3, LABELS)
    with pytest.raises(ValueError, match="'votes' is none of majority"):
        fit_span_crowd(answers([[RASH]]), method="votes")
    with pytest.raises(ValueError, match="2 answers need as many workers, not 1"):
        task_spans(TEXT, [[], []], [None], fit_span_crowd(answers([[RASH]])).crowd)


def test_the_same_answers_give_the_same_fit_and_no_answer_is_changed():
    crowd = two_careful_and_three_careless(20)
    before = json.dumps(crowd.answers)
    one, other = fit_span_crowd(crowd), fit_span_crowd(crowd)
    assert one.consensus == other.consensus and one.workers == other.workers
    assert json.dumps(crowd.answers) == before
