"""The engine's own choice: a blend of models, each weighed by how well it foretells answers it has not seen.

No one model suits every crowd. Where volunteers are biased only their own confusion matrices find the truth;
where each gave a few answers those are noise, and one number a volunteer does better; learned label shares
help with a rare label and harm where they feed on mistakes; some crowds meet many hopeless tasks, some none.
Which of it holds shows in the answers alone: a model that has understood a crowd foretells its answers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np

from annotation.algorithms.answer_matrix import Answers
from annotation.algorithms.certainty import certainty_rates
from annotation.algorithms.expectation_maximisation import UNKNOWN, fix_gold
from annotation.algorithms.hierarchical import Design, fit_design
from annotation.algorithms.one_coin import fit_one_number_each
from annotation.algorithms.parameters import (
    MAX_DENSE_CLASSES,
    SMALLEST,
    Matrices,
    Parameters,
    of_labels,
    posterior_of,
    softmax,
)

DESIGNS = tuple(
    Design(row_strength, share_exponent, hard_tasks)
    for hard_tasks, share_exponent, row_strength in product((False, True), (0.0, 0.5, 1.0), (2.0, 8.0, 32.0))
)
# Where there are too few answers to hold any out.
PLAIN = Design(row_strength=8.0, share_exponent=0.5, hard_tasks=False)

HELD_OUT = 0.15
FEWEST_HELD_OUT = 30
# A model that foretells the held-out answers worse by so much log probability an answer than another weighs a
# factor e less; fewer answers, held out by chance, distinguish less (the second is divided by their number).
SOFTNESS, SOFTNESS_OF_CHANCE = 0.01, 4.0
LEAST_WEIGHT = 0.02
# What a held-out gold task can cost: one disputed gold label must not decide between models.
LEAST_GOLD = 0.05
# Models are chosen on so many answers at most, and as many of the best are fitted to all answers as this
# budget of answers allows: a small campaign gets the whole blend, one of millions the best model alone.
ANSWERS_TO_CHOOSE_ON = 60_000
ANSWERS_TO_FIT = 4_000_000
LOOP = {"n_rounds": 50, "tolerance": 2e-3}


def fit_engine(
    answers: Answers, gold: np.ndarray | None, *, ordinal: bool, rng: np.random.Generator
) -> tuple[Parameters, dict]:
    """Parameters, and what was chosen and why (JSON). rng draws the answers that are held out."""
    if answers.n_classes > MAX_DENSE_CLASSES:
        why = f"More than {MAX_DENSE_CLASSES} labels: one accuracy a volunteer."
        return fit_one_number_each(answers, gold), {"why": why}
    choice = choose_designs(answers, gold, ordinal=ordinal, rng=rng)
    fitted = [fit_design(answers, d, gold, ordinal=ordinal, **LOOP)[0].models[0] for d in choice.designs]
    return _with_certainty(answers, blend(fitted, choice), gold), choice.described()


@dataclass(frozen=True, eq=False)
class Choice:
    """Designs with weights that add up to 1, best first; n_held_out answers by which they were judged."""

    designs: tuple[Design, ...]
    weights: np.ndarray
    n_held_out: int

    def described(self) -> dict:
        if self.n_held_out == 0:
            why = "Too few answers to compare models: confusion rows drawn to the crowd's."
        elif len(self.designs) == 1:
            why = f"The model that best foretold {self.n_held_out} answers it had not seen."
        else:
            why = f"{len(self.designs)} models, weighed by how well they foretold {self.n_held_out} answers."
        weighed = zip(self.designs, self.weights.tolist(), strict=True)
        return {"why": why, "designs": [asdict(design) | {"weight": round(w, 3)} for design, w in weighed]}


def choose_designs(
    answers: Answers, gold: np.ndarray | None, *, ordinal: bool, rng: np.random.Generator
) -> Choice:
    """Weigh the designs by the log probability of held-out answers, and of held-out gold if there is some."""
    n_fitted = int(np.clip(ANSWERS_TO_FIT // max(len(answers), 1), 1, len(DESIGNS)))
    answers, gold = _some_tasks(answers, gold, rng)
    out = held_out(answers, rng)
    if out.sum() < FEWEST_HELD_OUT:
        return Choice((PLAIN,), np.ones(1), 0)
    seen, unseen = answers.only(~out), answers.only(out)
    gold_seen, gold_unseen = _halves(gold, rng)
    softness = SOFTNESS + SOFTNESS_OF_CHANCE / len(unseen)
    scores = []
    for design in DESIGNS:
        parameters, states = fit_design(seen, design, gold_seen, ordinal=ordinal, **LOOP)
        score = foretold(unseen, parameters.models[0], states) / softness
        scores.append(score + _log_probability_of(gold_unseen, states, answers.n_classes))
    best = np.argsort(-np.array(scores), kind="stable")[:n_fitted]
    weights = softmax(np.array(scores)[best])
    kept = weights >= LEAST_WEIGHT * weights[0]
    designs = tuple(DESIGNS[i] for i in best[kept])
    return Choice(designs, weights[kept] / weights[kept].sum(), len(unseen))


def held_out(answers: Answers, rng: np.random.Generator) -> np.ndarray:
    """bool [N]: answers to hold out, never a task's only one. The same ones in whatever order they come."""
    order = np.lexsort((answers.label, answers.worker, answers.task))
    out = np.zeros(len(answers), dtype=bool)
    out[order] = rng.random(len(answers)) < HELD_OUT
    left = np.bincount(answers.task[~out], minlength=answers.n_tasks)
    return out & (left[answers.task] > 0)


def foretold(unseen: Answers, model: Matrices, states: np.ndarray) -> float:
    """Mean log probability of unseen answers, given states [T, S K] of their tasks from other answers."""
    n_classes = unseen.n_classes
    easy = states[unseen.task, :n_classes]  # [N, K]
    probability = (easy * model.rows[unseen.worker, :, unseen.label]).sum(axis=1)
    if model.hard_rows is not None:
        hard = states[unseen.task, n_classes:]
        probability += (hard * model.hard_rows[:, unseen.label].T).sum(axis=1)
    return float(np.log(np.maximum(probability, SMALLEST)).mean())


def blend(models: list[Matrices], choice: Choice) -> Parameters:
    """One model without hard tasks and one with: within each kind, log probabilities are averaged.

    The average of log rows is no distribution any more, only a set of likelihoods; that is all they are
    used for.
    """
    blended, weights = [], []
    for hard_tasks in (False, True):
        at = [i for i, design in enumerate(choice.designs) if design.hard_tasks == hard_tasks]
        weight = float(choice.weights[at].sum())
        if not at:
            continue
        of_kind = [models[i] for i in at]
        shares = choice.weights[at] / weight
        hard = {}
        if hard_tasks:
            hard_share = float(shares @ [model.hard_share for model in of_kind])
            hard = {"hard_share": hard_share, "hard_rows": _log_mean(of_kind, shares, "hard_rows")}
        averaged = {name: _log_mean(of_kind, shares, name) for name in ("prior", "rows", "crowd_rows")}
        blended.append(Matrices(**averaged, **hard))
        weights.append(weight)
    return Parameters(tuple(blended), tuple(weights))


def _log_mean(models: list[Matrices], shares: np.ndarray, name: str) -> np.ndarray:
    logs = (np.log(np.maximum(getattr(model, name), SMALLEST)) for model in models)
    return np.exp(sum(share * log for share, log in zip(shares, logs, strict=True)))


def _with_certainty(answers: Answers, parameters: Parameters, gold: np.ndarray | None) -> Parameters:
    if answers.certain is None:
        return parameters
    posterior = fix_gold(posterior_of(answers, parameters), gold, answers.n_classes)
    return parameters.with_certainty(certainty_rates(answers, posterior))


def _some_tasks(
    answers: Answers, gold: np.ndarray | None, rng: np.random.Generator
) -> tuple[Answers, np.ndarray | None]:
    """A random part of the tasks that has about ANSWERS_TO_CHOOSE_ON answers; the others keep no answers."""
    if len(answers) <= ANSWERS_TO_CHOOSE_ON:
        return answers, gold
    chosen = rng.random(answers.n_tasks) < ANSWERS_TO_CHOOSE_ON / len(answers)
    number = np.cumsum(chosen) - 1
    kept = chosen[answers.task]
    part = answers.only(kept)
    task = number[part.task]
    smaller = Answers(
        task, part.worker, part.label, int(chosen.sum()), part.n_workers, part.n_classes, part.certain
    )
    return smaller, None if gold is None else gold[chosen]


def _halves(gold: np.ndarray | None, rng: np.random.Generator) -> tuple[np.ndarray | None, np.ndarray | None]:
    if gold is None:
        return None, None
    first = rng.random(len(gold)) < 0.5
    return np.where(first, gold, UNKNOWN), np.where(first, UNKNOWN, gold)


def _log_probability_of(gold: np.ndarray | None, states: np.ndarray, n_classes: int) -> float:
    if gold is None:
        return 0.0
    known = np.flatnonzero(gold != UNKNOWN)
    probability = of_labels(states, n_classes)[known, gold[known]]
    return float(np.log(np.maximum(probability, LEAST_GOLD)).sum())
