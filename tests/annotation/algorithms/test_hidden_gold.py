"""How often hidden gold is due."""

from uuid import uuid4

from annotation.algorithms.hidden_gold import draws, gold_share


def test_the_share_falls_from_four_to_one_in_ten():
    shares = [gold_share(n) for n in (0, 10, 50, 100, 1000)]
    assert shares[0] == 0.4
    assert shares == sorted(shares, reverse=True)
    assert 0.1 <= shares[-1] < 0.101


def test_draws_follow_from_volunteer_and_count_and_are_spread_evenly():
    volunteer = uuid4().bytes
    assert draws(volunteer, 7) == draws(volunteer, 7) != draws(volunteer, 8)
    drawn = [x for n in range(5000) for x in draws(volunteer, n)]
    assert all(0 <= x < 1 for x in drawn)
    assert 0.48 < sum(drawn) / len(drawn) < 0.52
    assert 0.23 < sum(x < 0.25 for x in drawn) / len(drawn) < 0.27
