"""The vote: most answers win, ties stay ties, and the order of answers never matters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.majority import Majority, majority_vote

LABELS = ("yes", "no", "unclear")


def test_the_label_with_most_votes_wins_with_its_share():
    assert majority_vote(["no", "yes", "no", "unclear"], LABELS) == Majority(
        "no", ("no",), 0.5, {"yes": 1, "no": 2, "unclear": 1}
    )


def test_a_tie_names_its_leaders_in_the_campaigns_order_and_no_winner():
    vote = majority_vote(["unclear", "yes", "unclear", "yes", "no"], LABELS)
    assert (vote.label, vote.leaders, vote.share) == (None, ("yes", "unclear"), 0.4)


def test_an_answer_whose_label_was_removed_still_has_its_vote():
    vote = majority_vote(["old", "old", "yes"], LABELS)
    assert (vote.label, vote.votes) == ("old", {"yes": 1, "old": 2})


def test_one_answer_is_a_majority_of_its_own():
    assert majority_vote(["no"], LABELS) == Majority("no", ("no",), 1.0, {"no": 1})


def test_no_answers_are_no_majority():
    with pytest.raises(ValueError, match="at least one answer"):
        majority_vote([], LABELS)


@given(st.lists(st.sampled_from([*LABELS, "old", "older"]), min_size=1), st.randoms())
def test_the_order_of_the_answers_changes_nothing(answers, random):
    vote = majority_vote(answers, LABELS)
    shuffled = random.sample(answers, len(answers))
    assert majority_vote(shuffled, LABELS) == vote
    assert sum(vote.votes.values()) == len(answers)
    assert vote.share == max(map(answers.count, answers)) / len(answers)
    assert all(answers.count(leader) == vote.share * len(answers) for leader in vote.leaders)
    assert (vote.label is None) == (len(vote.leaders) > 1)
