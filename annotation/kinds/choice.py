"""Single choice: one of a fixed set of labels."""

import numpy as np

from annotation.algorithms.crowd import Answers, CrowdFit, fit_crowd, posterior_without_own_gold
from annotation.algorithms.majority import majority_vote
from annotation.algorithms.model_annotator import (
    heard,
    measured_annotator,
    model_earns_its_place,
    with_model,
)
from annotation.algorithms.online import answer_weights, model_weight, task_posterior
from annotation.algorithms.parameters import MAX_DENSE_CLASSES
from annotation.algorithms.posterior_calibration import calibrate, recalibrated_by_others
from annotation.algorithms.scores import macro_f1
from annotation.errors import InvalidAnswer
from annotation.kinds.answer_schema import exact_object, label_key
from annotation.kinds.calibration import LEAST_GOLD, figures
from annotation.kinds.comparison import Compared, Comparison, OneLabel
from annotation.kinds.decision import MAJORITY, Decision, Fit, Given, SkillRow, Table, entropy_bits
from annotation.kinds.labels import parse_labels
from annotation.kinds.traits import Traits


class Choice(Traits):
    name = "choice"
    title = "one of several labels"
    sentence = "One press on one label: the quickest to answer."
    rightness = "of the answers right"
    measure = "share right"
    planning = ""
    certainty_is_probability = True
    one_label = True
    hears_models = True
    needs_text = False
    head = "single"
    has_own_styles = False
    methods = {
        "majority": "Every answer counts the same; the label that most people gave wins.",
        "engine": (
            "Learns how good each volunteer is at each label and weighs their answers by it; it picks the "
            "model of volunteers that predicts their answers best."
        ),
        "dawid_skene": "Learns for each volunteer which labels they take for which (Dawid and Skene 1979).",
        "one_coin": "Learns one figure a volunteer: how often they are right.",
    }

    most_labels = {"dawid_skene": MAX_DENSE_CLASSES}

    def parse_labels(self, raw: object) -> list[dict]:
        return parse_labels(raw)

    def answer_schema(self, labels: list[dict]) -> dict:
        return exact_object({"label": label_key(labels)})

    def parse_answer(self, raw: object, labels: list[dict], length: int) -> dict:
        """`{"label": key}` and nothing else."""
        if not isinstance(raw, dict) or set(raw) != {"label"} or not isinstance(raw["label"], str):
            raise InvalidAnswer('An answer to this question looks like {"label": "key"}.')
        if all(raw["label"] != label["key"] for label in labels):
            raise InvalidAnswer("This label is not one of the campaign's labels.", code="unknown_label")
        return {"label": raw["label"]}

    def parse_cell(self, cell: str, labels: list[dict], length: int) -> dict:
        """An answer as a file's cell has it."""
        return self.parse_answer({"label": cell}, labels, length)

    def cell(self, value: dict) -> str:
        return value["label"]

    def counts(self, value: dict, labels: list[dict]) -> bool:
        """Not when its label was taken out of the campaign since."""
        return any(value["label"] == label["key"] for label in labels)

    def votes_of(self, value: dict) -> list[str]:
        return [value["label"]]

    def lines(self, value: dict, names: dict[str, str], text: str) -> list[str]:
        return [names.get(value["label"], value["label"])]

    def stated(self, value: dict) -> set[str]:
        return {value["label"]}

    def figures(self, pairs: list[tuple[dict, dict]]) -> dict:
        return {"macro_f1": macro_f1([f["label"] for f, _ in pairs], [g["label"] for _, g in pairs])}

    def score(self, value: dict, gold: dict) -> float:
        """1 where the answer is the right one, else 0."""
        return float(value["label"] == gold["label"])

    def n_choices(self, labels: list[dict]) -> int:
        return len(labels)

    def is_right(self, value: dict, true: dict) -> bool:
        return value["label"] == true["label"]

    def clear_mistakes(self, value: dict, true: dict) -> dict:
        return value

    def likeness(self, value: dict, other: dict) -> float:
        return self.score(value, other)

    def compare(self, compared: Compared) -> Comparison:
        return OneLabel(compared, is_ordinal=self.is_ordered)

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
        vote = majority_vote((answer.value["label"] for answer in given), keys)
        if method == MAJORITY or crowd is None or crowd["keys"] != keys:
            shares = [n / len(given) for n in vote.votes.values()]
            value = {"label": vote.label} if vote.label else None
            entropy = entropy_bits(shares)
            return Decision(MAJORITY, vote.label or "", value, vote.share, vote.votes, vote.share, entropy)
        indices = [crowd["keys"].index(answer.value["label"]) for answer in given]
        skills = [answer.skill for answer in given]
        certain = [answer.said for answer in given]
        model = opinion and [opinion.get(key, 0.0) for key in keys]
        posterior = task_posterior(indices, skills, crowd, certain, model=model)
        best = int(posterior.argmax())
        label = crowd["keys"][best]
        return Decision(
            method,
            label,
            {"label": label},
            vote.share,
            vote.votes,
            float(posterior[best]),
            entropy_bits(posterior),
            _likeliest(posterior, crowd["keys"]),
            answer_weights(indices, skills, crowd, certain, model=model),
            model_weight(posterior, model, crowd),
        )

    def fit(self, table: Table, labels: list[dict], *, method: str) -> Fit:
        keys = [label["key"] for label in labels]
        index = {key: k for k, key in enumerate(keys)}
        classes = np.array([index.get(value["label"], -1) for value in table.values], dtype=np.int32)
        gold = np.full(table.n_tasks, -1, dtype=np.int32)
        for task, value in table.gold.items():
            gold[task] = index[value["label"]]
        # What reviewers decided teaches who is right, but says nothing of how sure to be elsewhere.
        fair_gold = np.where(np.isin(np.arange(table.n_tasks), list(table.reviewed)), -1, gold)
        answers = Answers(
            table.task,
            table.worker,
            classes[table.code],
            table.n_tasks,
            table.n_workers,
            len(keys),
            table.certain,
        )
        fitted = fit_crowd(answers, method=method, gold=gold, ordinal=self.is_ordered)
        skills = [
            SkillRow(
                parameters,
                float(fitted.accuracy[w]),
                float(fitted.accuracy_interval[w, 0]),
                float(fitted.accuracy_interval[w, 1]),
                None if fitted.counts is None else np.round(fitted.counts[w], 2).tolist(),
            )
            for w, parameters in enumerate(fitted.workers)
        ]
        crowd = fitted.crowd | {"keys": keys} | _hear_model(table, fitted, fair_gold, keys)
        if (fair_gold >= 0).sum() >= LEAST_GOLD:
            posterior = posterior_without_own_gold(
                answers, gold, fair_gold >= 0, method=method, ordinal=self.is_ordered
            )
            crowd |= _calibration(posterior, fair_gold)
        return Fit(crowd, skills)


def _calibration(posterior: np.ndarray, gold: np.ndarray) -> dict:
    """The calibration that gold asks for, in force from this fit on; and, each gold task judged by others'
    gold alone, how sure it is, how often right, and how far the two are apart, before and with it.

    posterior [T, K], of each task made without its own gold.
    """
    calibration, known = calibrate(posterior, gold), gold >= 0
    unseen = recalibrated_by_others(posterior, gold)[known]
    right = posterior[known].argmax(axis=1) == gold[known]
    return {
        "temperature": round(calibration.temperature, 6),
        "log_lead": np.round(calibration.log_lead, 6).tolist(),
        "calibration": figures(posterior[known].max(axis=1), unseen.max(axis=1), right),
    }


def _hear_model(table: Table, fitted: CrowdFit, gold: np.ndarray, keys: list[str]) -> dict:
    """What the model is worth by the fit, in force (`annotator`) only if it earned its place."""
    tasks, probabilities = table.opinions_on(keys)
    if not len(tasks):
        return {}
    people, n_people = fitted.unanchored[tasks], table.n_answers[tasks]
    annotator = measured_annotator(probabilities, people, n_people, fitted.crowd["typical_accuracy"])
    if annotator is None:
        return {}
    together = with_model(people, probabilities, annotator)
    return heard(annotator, model_earns_its_place(people, together, gold[tasks]))


def _likeliest(posterior: np.ndarray, keys: list[str], most: int = 20) -> dict[str, float]:
    """The posterior by label, the likeliest first; with many labels only the first of them."""
    order = np.argsort(-posterior, kind="stable")[:most]
    return {keys[k]: round(float(posterior[k]), 6) for k in order}
