"""Multiple choice: any number of labels, none included."""

import numpy as np
from scipy.special import logit

from annotation.algorithms.agreement_report import set_sums, sets_by_label
from annotation.algorithms.finds import finds
from annotation.algorithms.intervals import credible_interval
from annotation.algorithms.model_annotator import heard
from annotation.algorithms.model_of_sets import (
    evidence_on_labels,
    measured_annotator_of_sets,
    model_of_sets_earns_its_place,
    sets_with_model,
)
from annotation.algorithms.multiple_choice import LabelSets, MultipleFit, fit_multiple, multiple_posterior
from annotation.algorithms.one_coin import STRENGTH
from annotation.errors import InvalidAnswer
from annotation.kinds.answer_schema import exact_object, label_key
from annotation.kinds.calibration import as_calibrated, fit_calibrated
from annotation.kinds.comparison import Compared, Comparison, Facts, LabelAgreement, named
from annotation.kinds.decision import MAJORITY, Decision, Fit, Given, SkillRow, Table, entropy_bits, find_rows
from annotation.kinds.labels import parse_labels
from annotation.kinds.traits import FindsWords, Traits

LEFT_OUT_ON = 200_000  # answers up to which a fit is cheap enough to be made again for parts of the gold


class Multiple(Traits):
    """Each label is a yes-or-no question of its own, to the engine as to the vote."""

    name = "multiple"
    title = "any number of labels"
    sentence = "All labels that apply, and none where none does."
    rightness = "of the labels rightly chosen or left out"
    measure = "overlap of labels (Jaccard)"
    planning = (
        "Computed for one label at a time, which applies or not. A task stops when it is sure of all its "
        "labels at once, so it takes more answers than this."
    )
    certainty_is_probability = True
    one_label = False
    hears_models = True
    needs_text = False
    head = "multiple"
    finds_words = FindsWords(
        "How often each label was chosen where it applies, and where it does not",
        "Label",
        "Where it applies",
        "Where it does not",
    )
    methods = {
        "majority": "A label holds when more than half of the answers have it.",
        "engine": "Learns for each label how good each volunteer is at it, and weighs their answers by that.",
    }

    most_labels: dict[str, int] = {}

    def parse_labels(self, raw: object) -> list[dict]:
        return parse_labels(raw, least=1)

    def answer_schema(self, labels: list[dict]) -> dict:
        keys = {"type": "array", "items": label_key(labels), "uniqueItems": True}
        return exact_object({"labels": keys})

    def parse_answer(self, raw: object, labels: list[dict], length: int) -> dict:
        """`{"labels": [keys]}` in the campaign's order; an empty list says that none applies."""
        if not isinstance(raw, dict) or set(raw) != {"labels"} or not isinstance(raw["labels"], list):
            raise InvalidAnswer('An answer to this question looks like {"labels": ["key", "key"]}.')
        given = raw["labels"]
        keys = [label["key"] for label in labels]
        if any(not isinstance(key, str) or key not in keys for key in given):
            raise InvalidAnswer("This label is not one of the campaign's labels.", code="unknown_label")
        if len(set(given)) < len(given):
            raise InvalidAnswer("A label stands twice in this answer.", code="label_twice")
        return {"labels": [key for key in keys if key in given]}

    def parse_cell(self, cell: str, labels: list[dict], length: int) -> dict:
        """Keys separated by |."""
        return self.parse_answer({"labels": [key for key in cell.split("|") if key]}, labels, length)

    def cell(self, value: dict) -> str:
        return "|".join(value["labels"])

    def counts(self, value: dict, labels: list[dict]) -> bool:
        return {label["key"] for label in labels}.issuperset(value["labels"])

    def votes_of(self, value: dict) -> list[str]:
        return value["labels"]

    def lines(self, value: dict, names: dict[str, str], text: str) -> list[str]:
        return [names.get(key, key) for key in value["labels"]] or ["none of the labels"]

    def stated(self, value: dict) -> set[str]:
        return set(value["labels"])

    def figures(self, pairs: list[tuple[dict, dict]]) -> dict:
        return {"mean_score": float(np.mean([self.score(found, gold) for found, gold in pairs]))}

    def score(self, value: dict, gold: dict) -> float:
        """Jaccard's index of the two sets of labels: 1 where they are the same.

        >>> Multiple().score({"labels": ["a", "b"]}, {"labels": ["b"]})
        0.5
        """
        both, either = set(value["labels"]) & set(gold["labels"]), set(value["labels"]) | set(gold["labels"])
        return len(both) / len(either) if either else 1.0

    def n_choices(self, labels: list[dict]) -> int:
        return 2

    def is_right(self, value: dict, true: dict) -> bool:
        """Exactly these labels."""
        return set(value["labels"]) == set(true["labels"])

    def clear_mistakes(self, value: dict, true: dict) -> dict:
        return value

    def likeness(self, value: dict, other: dict) -> float:
        return self.score(value, other)

    def compare(self, compared: Compared) -> Comparison:
        return _Sets(compared)

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
        keys = [label["key"] for label in labels]
        chosen = np.array([[key in answer.value["labels"] for key in keys] for answer in given])  # [N, K]
        shares = chosen.mean(axis=0)
        votes = {key: int(n) for key, n in zip(keys, chosen.sum(axis=0), strict=True) if n}
        if method == MAJORITY or crowd is None or crowd["keys"] != keys:
            probability, weights, model_weight, name, posterior = shares, None, None, MAJORITY, None
        else:
            model = opinion and [opinion.get(key, 0.0) for key in keys]
            probability, weights, model_weight = _weighed(chosen, given, crowd, model)
            name, posterior = method, _by_label(keys, probability)
        value = {"labels": [key for key, p in zip(keys, probability, strict=True) if p > 0.5]}
        is_tied = bool(np.any(probability == 0.5))
        decided = Decision(
            name,
            "",
            None if is_tied else value,
            float(np.maximum(shares, 1 - shares).mean()),
            votes,
            float(np.maximum(probability, 1 - probability).prod()),
            sum(entropy_bits([p, 1 - p]) for p in probability),
            posterior,
            weights,
            model_weight,
        )
        return as_calibrated(decided, crowd)

    def fit(self, table: Table, labels: list[dict], *, method: str) -> Fit:
        return fit_calibrated(self, self._fit, table, labels, method=method, left_out_on=LEFT_OUT_ON)

    def _fit(self, table: Table, labels: list[dict], method: str) -> Fit:
        keys = [label["key"] for label in labels]
        chosen = np.array([[key in value["labels"] for key in keys] for value in table.values], dtype=bool)
        answers = LabelSets(
            table.task,
            table.worker,
            chosen.reshape(-1, len(keys))[table.code],
            table.n_tasks,
            table.n_workers,
            table.certain,
        )
        gold = np.full((table.n_tasks, len(keys)), -1, dtype=np.int32)
        for task, value in table.gold.items():
            gold[task] = [int(key in value["labels"]) for key in keys]
        fitted = fit_multiple(answers, gold=gold)
        right = fitted.counts[:, :, [0, 1], [0, 1]].sum(axis=(1, 2))  # [W], in labels judged
        judged = fitted.counts.sum(axis=(1, 2, 3))
        crowd_accuracy = (right.sum() + 1.0) / (judged.sum() + 2.0)
        n = judged + STRENGTH
        accuracy = (right + STRENGTH * crowd_accuracy) / n
        interval = credible_interval(accuracy, n)
        found = finds(fitted.counts, fitted.rates)
        skills = [
            SkillRow(
                parameters, float(accuracy[w]), *map(float, interval[w]), finds=find_rows(keys, found[w])
            )
            for w, parameters in enumerate(fitted.workers)
        ]
        return Fit(fitted.crowd | {"keys": keys} | _hear_model(table, fitted, gold, keys), skills)


def _hear_model(table: Table, fitted: MultipleFit, gold: np.ndarray, keys: list[str]) -> dict:
    """What the model is worth by the fit, in force (`annotator`) only if it earned its place."""
    tasks, probabilities = table.opinions_on(keys)
    if not len(tasks):
        return {}
    people = fitted.unanchored[tasks]
    annotator = measured_annotator_of_sets(probabilities, people, table.n_answers[tasks], fitted.crowd)
    if annotator is None:
        return {}
    together = sets_with_model(people, probabilities, annotator)
    is_fair = np.isin(tasks, list(table.fair_gold))
    fair_gold = np.where(is_fair[:, None], gold[tasks], -1)
    return heard(annotator, model_of_sets_earns_its_place(people, together, fair_gold))


def _weighed(
    chosen: np.ndarray, given: list[Given], crowd: dict, model: list[float] | None
) -> tuple[np.ndarray, list[float], float | None]:
    """Each label's probability [K]; and by how many log odds each answer, and the model where it is heard,
    moved the labels, on the mean, towards what was found."""
    sets = [np.flatnonzero(row).tolist() for row in chosen]
    skills, certain = [answer.skill for answer in given], [answer.said for answer in given]
    probability, of_model = multiple_posterior(sets, skills, crowd, certain), None
    if model is not None and crowd.get("annotator"):
        of_model = evidence_on_labels(model, crowd["annotator"])
        probability = sets_with_model(probability, np.array(model), crowd["annotator"])
    prior, found = logit(np.array(crowd["prior"])), np.where(probability > 0.5, 1.0, -1.0)
    each = zip(sets, skills, certain, strict=True)
    alone = [multiple_posterior([one], [skill], crowd, [said]) for one, skill, said in each]
    weights = [float(np.mean(found * (logit(p) - prior))) for p in alone]
    return probability, weights, None if of_model is None else float(np.mean(found * of_model))


def _by_label(keys: list[str], probability: np.ndarray) -> dict[str, float]:
    return {key: round(float(p), 6) for key, p in zip(keys, probability, strict=True)}


class _Sets(Facts):
    paired = "label_f1"

    def __init__(self, compared: Compared):
        stated = [set(value["labels"]) for value in compared.values]
        self._chosen = np.array([[label["key"] in one for label in compared.labels] for one in stated])
        super().__init__(compared, stated, set_sums(compared.task, self._chosen))

    def by_label(self, rng: np.random.Generator) -> list[LabelAgreement]:
        names = [label["name"] for label in self._compared.labels]
        return named(names, sets_by_label(self._compared.task, self._chosen, rng=rng))
