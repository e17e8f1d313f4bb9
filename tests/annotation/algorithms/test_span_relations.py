"""Who states which relation between consensus spans, votes on them, and whose word is worth what."""

import numpy as np
import pytest

from annotation.algorithms.relation_crowd import Decisions, fit_relation_crowd, relation_posterior
from annotation.algorithms.spans import ScoredSpan, relation_says, relation_votes

DRUG, RASH, FEVER = (0, 7, "drug"), (20, 28, "sign"), (40, 45, "sign")
CONSENSUS = [ScoredSpan(*span, 0.9, 0.9, 3) for span in (DRUG, RASH, FEVER)]


def test_a_relation_counts_for_the_spans_that_its_own_overlap_best():
    wide = [(21, 45, "sign"), (0, 7, "drug")]  # covers most of the rash and all of the fever
    narrow = [(38, 45, "sign"), (0, 9, "drug")]
    votes = relation_votes(CONSENSUS, [(wide, [(1, 0, "causes")]), (narrow, [(1, 0, "causes")])], [1.0, 1.0])
    assert votes == [(0, 1, "causes", 0.5), (0, 2, "causes", 0.5)]


def test_direction_and_label_make_different_relations():
    spans = [DRUG, RASH]
    answers = [(spans, [(0, 1, "causes")]), (spans, [(1, 0, "causes")]), (spans, [(0, 1, "treats")])]
    assert relation_votes(CONSENSUS, answers, [2.0, 1.0, 1.0]) == [
        (0, 1, "causes", 0.5),
        (0, 1, "treats", 0.25),
        (1, 0, "causes", 0.25),
    ]


def test_a_volunteer_votes_once_for_a_pair_however_many_spans_they_cut_it_into():
    cut = [DRUG, (20, 24, "sign"), (25, 28, "sign")]
    votes = relation_votes(CONSENSUS, [(cut, [(0, 1, "causes"), (0, 2, "causes")]), ([], [])], [1.0, 3.0])
    assert votes == [(0, 1, "causes", 0.25)]


def test_a_relation_to_what_is_no_consensus_span_or_within_one_is_no_vote():
    spans = [DRUG, (50, 55, "sign"), (20, 24, "sign"), (25, 28, "sign")]
    assert relation_votes(CONSENSUS, [(spans, [(0, 1, "causes"), (2, 3, "same")])], [1.0]) == []


def test_at_equal_overlap_the_span_of_the_same_label_is_meant():
    twins = [ScoredSpan(0, 7, "sign", 1, 1, 1), ScoredSpan(0, 7, "drug", 1, 1, 1), CONSENSUS[1]]
    assert relation_votes(twins, [([DRUG, RASH], [(0, 1, "causes")])], [1.0]) == [(1, 2, "causes", 1.0)]


def test_answers_without_weight_decide_nothing():
    answers = [([DRUG, RASH], [(0, 1, "causes")])]
    assert relation_votes(CONSENSUS, answers, [0.0]) == []
    assert relation_votes(CONSENSUS, [], []) == []
    with pytest.raises(ValueError, match="not negative"):
        relation_votes(CONSENSUS, answers, [-1.0])


def test_who_marked_only_one_end_of_a_relation_has_no_say_on_it():
    stating, silent = ([DRUG, RASH], [(0, 1, "causes")]), ([DRUG, RASH, FEVER], [])
    blind = ([DRUG, FEVER], [(0, 1, "causes")])
    stated, says = relation_says(CONSENSUS, [stating, silent, blind])
    assert stated == [(0, 1, "causes"), (0, 2, "causes")]
    assert says.tolist() == [[1, -1], [0, 0], [-1, 1]]


# --- weighed


def test_one_reliable_word_outweighs_two_of_little_worth_and_who_has_no_say_moves_nothing():
    """Even odds times 9, for a silence of one who is right nine times of ten, over 1.5 twice: 4 against."""
    crowd = {"n_labels": 1, "prior": [0.5], "rates": [[0.6, 0.6]]}
    workers = [{"rates": [[0.9, 0.9]]}, None, None, {"rates": [[0.99, 0.99]]}]
    found, weights = relation_posterior(np.array([[0], [1], [1], [-1]]), workers, crowd)
    assert found == pytest.approx([0.2])
    assert weights == pytest.approx([np.log(9), -np.log(1.5), -np.log(1.5), 0.0])


def test_a_doubtful_word_is_worth_what_the_volunteers_doubt_is():
    """Nine to one; in doubt by a ninth as likely to be right, which is one to one."""
    crowd = {"n_labels": 1, "prior": [0.5], "rates": [[0.6, 0.6]]}
    worker = {"rates": [[0.9, 0.9]], "certain": [[-np.log(9)] * 2, [0.0, 0.0], [0.0, 0.0]]}
    states, workers = np.array([[1]]), [worker]
    assert relation_posterior(states, workers, crowd, [0])[0] == pytest.approx([0.5])
    assert relation_posterior(states, workers, crowd, [-1])[0] == pytest.approx([0.9])


def test_a_fit_learns_who_states_what_is_there_and_who_states_anything():
    rng = np.random.default_rng(2)
    sensitivity, specificity = np.array([0.95, 0.9, 0.6, 0.6]), np.array([0.95, 0.9, 0.95, 0.5])
    texts = []
    for _ in range(150):
        true = rng.random(6) < 0.4
        says = rng.random((4, 6)) < np.where(true, sensitivity[:, None], 1 - specificity[:, None])
        stated = says.any(axis=0)
        texts.append(
            Decisions(says[:, stated].astype(np.int8), [0, 1, 2, 3], np.full(stated.sum(), -1), [-1] * 4)
        )
    fitted = fit_relation_crowd(texts, 4)
    rates = np.array([worker["rates"][0] for worker in fitted.workers])
    assert min(rates[:2, 0]) > max(rates[2:, 0]) + 0.2
    assert min(rates[:3, 1]) > rates[3, 1] + 0.2
    known = [text._replace(gold=np.zeros(len(text.gold), dtype=int)) for text in texts]
    assert fit_relation_crowd(known, 4).crowd["prior"][0] < 0.01 < fitted.crowd["prior"][0]


def test_without_a_single_relation_there_is_a_crowd_all_the_same():
    fitted = fit_relation_crowd([Decisions(np.zeros((2, 0), np.int8), [0, 1], np.zeros(0), [-1, -1])], 2)
    found, weights = relation_posterior(np.zeros((2, 0), np.int8), fitted.workers, fitted.crowd)
    assert (found.tolist(), weights) == ([], [0.0, 0.0])
