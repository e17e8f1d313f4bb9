"""How often a volunteer gets a task whose right answer is known: often at first, then now and then."""

import hashlib

AT_FIRST, LATER = 0.4, 0.1  # shares of a volunteer's tasks
HALF_LIFE = 50  # tasks after which half of the way from one to the other is gone


def gold_share(n_claims: int) -> float:
    """The share of hidden gold among the tasks of a volunteer who has had n_claims.

    >>> gold_share(0), gold_share(50), round(gold_share(10_000), 3)
    (0.4, 0.25, 0.1)
    """
    return LATER + (AT_FIRST - LATER) * 0.5 ** (n_claims / HALF_LIFE)


def draws(secret: bytes, n_claims: int) -> tuple[float, float]:
    """Two numbers in [0, 1) that follow from the volunteer's secret and their count, and look random.

    The first decides whether hidden gold is due, the second which: the same when a claim is repeated.
    """
    digest = hashlib.sha256(secret + n_claims.to_bytes(8, "big")).digest()
    return tuple(int.from_bytes(part, "big") / 2**64 for part in (digest[:8], digest[8:16]))
