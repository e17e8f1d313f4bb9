"""Evidence of how a volunteer works: drift, speed, and answers that ignore the task.

Each kind of evidence carries its numbers and says in a sentence what they mean. None of them decides
anything: a person does.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import norm

from annotation.shares import percent

LATEST = 50  # answers that drift holds against all earlier ones
FEWEST = 20  # answers below which nothing is said of a volunteer
FEWEST_PEERS = 5  # volunteers of whom a crowd's usual speed can be told
MAD_TO_STD = 1.4826  # of a normal distribution
SMALLEST_SPREAD = 0.1  # of log seconds: speeds 10 % apart are the same speed
PRIOR_ANSWERS = 5.0  # that each row of a volunteer's confusion is drawn towards the crowd's with
LEAST_RIGHT = 0.55  # of the answers of the poorest honest volunteer, were all labels equally common


@dataclass(frozen=True)
class Drift:
    """The share right of the latest answers and of the earlier ones, and how likely that is by chance."""

    n_latest: int
    n_earlier: int
    latest: float
    earlier: float
    z: float
    p: float

    @property
    def is_striking(self) -> bool:
        """Worse lately than chance would make it once in a hundred."""
        return self.z < 0 and self.p < 0.01

    @property
    def sentence(self) -> str:
        shares = (
            f"Right on {percent(self.latest)} of the latest {self.n_latest} answers, "
            f"on {percent(self.earlier)} of {self.n_earlier:,} before"
        )
        if self.p < 0.01:
            return (
                f"{shares}: {'worse' if self.z < 0 else 'better'} than chance explains ({_chance(self.p)})."
            )
        return f"{shares}: no more than chance explains."


def drift(right: np.ndarray, latest: int = LATEST) -> Drift | None:
    r"""The latest answers against all before them, by a two-proportion z test; None with too few of either.

    right: [N] in order of time, 1 for a right answer and 0 for a wrong one; a posterior probability of being
    right does as well. p is two-sided, with the pooled share's variance.

    >>> print(drift(np.repeat([1, 0, 1], [150, 25, 25])).sentence.replace("\N{NARROW NO-BREAK SPACE}", " "))
    Right on 50 % of the latest 50 answers, on 100 % of 150 before: worse than chance explains (p < 0.0001).
    """
    right = np.asarray(right, dtype=float)
    earlier, lately = right[:-latest], right[-latest:]
    if len(lately) < FEWEST or len(earlier) < FEWEST:
        return None
    pooled = right.mean()
    spread = math.sqrt(pooled * (1.0 - pooled) * (1.0 / len(lately) + 1.0 / len(earlier)))
    z = float(lately.mean() - earlier.mean()) / spread if spread > 0 else 0.0
    p = float(2.0 * norm.sf(abs(z)))
    return Drift(len(lately), len(earlier), float(lately.mean()), float(earlier.mean()), z, p)


@dataclass(frozen=True)
class Speed:
    """A volunteer's median seconds an answer, the crowd's, and how many robust deviations lie between."""

    n_answers: int
    seconds: float
    crowd_seconds: float
    z: float

    @property
    def is_striking(self) -> bool:
        """Faster than about one honest volunteer in a thousand."""
        return self.z < -3.0

    @property
    def sentence(self) -> str:
        medians = (
            f"Half of the answers took less than {self.seconds:.3g} s, "
            f"of a typical volunteer's less than {self.crowd_seconds:.3g} s"
        )
        if self.is_striking:
            return f"{medians}: far faster than the others ({-self.z:.1f} deviations)."
        if self.z > 3.0:
            return f"{medians}: far slower than the others ({self.z:.1f} deviations)."
        return f"{medians}: as fast as others."


def speeds(worker: np.ndarray, seconds: np.ndarray, n_workers: int) -> list[Speed | None]:
    """Every volunteer's speed against the crowd's; None below FEWEST answers or FEWEST_PEERS such volunteers.

    worker int [N], seconds [N] above 0. Times are compared as logarithms, volunteers by their medians, and
    their spread by the median deviation, so that neither pauses nor spammers move what is usual.
    """
    seconds = np.log(np.asarray(seconds, dtype=float))
    order = np.lexsort((seconds, worker))
    n = np.bincount(worker, minlength=n_workers)
    starts = np.cumsum(n) - n
    sorted_seconds = np.append(seconds[order], 0.0)  # so that a volunteer without answers has a place to look
    lower, upper = starts + np.maximum(n - 1, 0) // 2, starts + n // 2
    median = (sorted_seconds[lower] + sorted_seconds[np.minimum(upper, len(seconds))]) / 2.0
    is_known = n >= FEWEST
    if is_known.sum() < FEWEST_PEERS:
        return [None] * n_workers
    usual = float(np.median(median[is_known]))
    spread = max(SMALLEST_SPREAD, MAD_TO_STD * float(np.median(np.abs(median[is_known] - usual))))
    return [
        Speed(int(n[w]), math.exp(median[w]), math.exp(usual), float(median[w] - usual) / spread)
        if is_known[w]
        else None
        for w in range(n_workers)
    ]


@dataclass(frozen=True)
class Habit:
    """Whether a volunteer's answers depend on the task at all.

    log_odds: natural logarithm of how much likelier their answers are under one fixed habit, whatever the
    task, than from whoever follows it: with a confusion matrix of the crowd's kind, or as the poorest honest
    volunteer does. entropy: bits of their answers; favourite, share: the label they give most, and how often.
    """

    n_answers: int
    log_odds: float
    entropy: float
    favourite: int
    share: float

    @property
    def is_striking(self) -> bool:
        """A hundred times likelier under a habit."""
        return self.log_odds > math.log(100.0)

    @property
    def sentence(self) -> str:
        most = f"the commonest is {percent(self.share)} of their {self.n_answers:,} answers"
        if self.is_striking:
            return f"The answers do not depend on the task ({_times(self.log_odds)} likelier so); {most}."
        if self.log_odds < -math.log(100.0):
            return f"The answers follow the task ({_times(-self.log_odds)} likelier so); {most}."
        return f"Too little to tell whether the answers follow the task; {most}."


def habits(counts: np.ndarray) -> list[Habit | None]:
    """For every volunteer the evidence that their answers ignore the task; None below FEWEST answers.

    counts: [W, K, K], how often volunteer w answered k (last axis) where j was true (middle axis); expected
    counts do. Models of a volunteer's answers are weighed by their likelihoods: one Dirichlet over labels for
    all tasks, against one Dirichlet a true label, or the poorest honest volunteer, whichever explains more.
    The Dirichlets have the crowd's shares, without the volunteer, as mean and PRIOR_ANSWERS answers' weight a
    row, so neither is favoured by having more parameters (Dirichlet-multinomial; Gelman et al., Bayesian Data
    Analysis, 3rd ed. 2013, section 3.4). Somebody who is that poor and honest seems a hundred times likelier
    to ignore the task about once in a hundred, whatever the number of answers (Markov's inequality; the
    simulation is in the tests). With two labels that leaves out who clicks at random: 300 answers can't tell
    50 % right from 55 %.
    """
    counts = np.asarray(counts, dtype=float)
    n_classes = counts.shape[1]
    others = counts.sum(axis=0) - counts  # [W, K, K]
    by_label = others.sum(axis=1)  # [W, K]
    overall = (by_label + 1.0 / n_classes) / (by_label.sum(axis=1, keepdims=True) + 1.0)
    rows = (others + overall[:, None, :]) / (others.sum(axis=2, keepdims=True) + 1.0)
    n = counts.sum(axis=(1, 2))
    share = counts.sum(axis=1) / np.maximum(n, 1.0)[:, None]
    ignoring = _log_marginal(counts.sum(axis=1), PRIOR_ANSWERS * overall)  # [W]
    following = _log_marginal(counts, PRIOR_ANSWERS * rows).sum(axis=1)
    log_odds = ignoring - np.maximum(following, _log_poorest(counts, share))
    entropy = -(share * np.log2(np.where(share > 0, share, 1.0))).sum(axis=1)
    return [
        Habit(round(n[w]), float(log_odds[w]), float(entropy[w]) + 0.0,
              int(share[w].argmax()), float(share[w].max()))
        if n[w] >= FEWEST
        else None
        for w in range(len(counts))
    ]  # fmt: skip


def _log_poorest(counts: np.ndarray, share: np.ndarray) -> np.ndarray:
    """[W]: log P(counts in a given order) of who knows the label just often enough to be right on
    LEAST_RIGHT, and otherwise guesses: half the time any label, half the time by their own shares [W, K]."""
    n_classes = counts.shape[1]
    knows = (LEAST_RIGHT - 1.0 / n_classes) / (1.0 - 1.0 / n_classes)
    guess = (share + 1.0 / n_classes) / 2.0
    rows = knows * np.eye(n_classes) + (1.0 - knows) * guess[:, None, :]
    return xlogy(counts, rows).sum(axis=(1, 2))


def _log_marginal(counts: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """log P(counts in a given order) under Dirichlet(prior), over the last axis."""
    total, n = prior.sum(axis=-1), counts.sum(axis=-1)
    return gammaln(total) - gammaln(total + n) + (gammaln(prior + counts) - gammaln(prior)).sum(axis=-1)


def _chance(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def _times(log_odds: float) -> str:
    return "over a million times" if log_odds > math.log(1e6) else f"{math.exp(log_odds):,.0f} times"
