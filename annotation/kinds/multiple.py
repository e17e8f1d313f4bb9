"""Multiple choice: any number of labels, none included."""

from dataclasses import replace

import numpy as np

from annotation.algorithms.crowd import Answers, fit_crowd
from annotation.algorithms.online import answer_weights, task_posterior
from annotation.errors import InvalidAnswer
from annotation.kinds.decision import Decision, Fit, Given, SkillRow, Table, entropy_bits
from annotation.kinds.labels import parse_labels

MAJORITY = "majority"


class Multiple:
    """Each label is a yes-or-no question of its own, to the engine as to the vote."""

    name = "multiple"
    title = "any number of labels"
    one_label = False
    needs_text = False
    methods = {
        "majority": "A label holds when more than half of the answers have it.",
        "engine": "Learns for each label how good each volunteer is at it, and weighs their answers by that.",
    }

    def parse_labels(self, raw: object) -> list[dict]:
        return parse_labels(raw, least=1)

    def answer_schema(self, labels: list[dict]) -> dict:
        keys = {"type": "array", "items": {"enum": [label["key"] for label in labels]}, "uniqueItems": True}
        return {
            "type": "object",
            "properties": {"labels": keys},
            "required": ["labels"],
            "additionalProperties": False,
        }

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

    def score(self, value: dict, gold: dict) -> float:
        """Jaccard's index of the two sets of labels: 1 where they are the same.

        >>> Multiple().score({"labels": ["a", "b"]}, {"labels": ["b"]})
        0.5
        """
        both, either = set(value["labels"]) & set(gold["labels"]), set(value["labels"]) | set(gold["labels"])
        return len(both) / len(either) if either else 1.0

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
            probability, weights, name, posterior = shares, None, MAJORITY, None
        else:
            probability, weights = _weighed(chosen, given, crowd)
            name, posterior = method, _by_label(keys, probability)
        value = {"labels": [key for key, p in zip(keys, probability, strict=True) if p > 0.5]}
        is_tied = bool(np.any(probability == 0.5))
        return Decision(
            name,
            "",
            None if is_tied else value,
            float(np.maximum(shares, 1 - shares).mean()),
            votes,
            float(np.maximum(probability, 1 - probability).prod()),
            sum(entropy_bits([p, 1 - p]) for p in probability),
            posterior,
            weights,
        )

    def fit(self, table: Table, labels: list[dict], *, method: str) -> Fit:
        keys = [label["key"] for label in labels]
        answers = Answers(
            table.task, table.worker, table.code, table.n_tasks, table.n_workers, 2, table.certain
        )
        fits = []
        for key in keys:
            has_it = np.array([key in value["labels"] for value in table.values], dtype=np.int32)
            label = has_it[table.code] if len(table.code) else np.zeros(0, np.int32)
            gold = np.full(table.n_tasks, -1, dtype=np.int32)
            for task, value in table.gold.items():
                gold[task] = int(key in value["labels"])
            fits.append(fit_crowd(replace(answers, label=label), method=method, gold=gold))
        accuracy = np.mean([fit.accuracy for fit in fits], axis=0)  # [W]
        interval = np.mean([fit.accuracy_interval for fit in fits], axis=0)  # [W, 2]
        skills = [
            SkillRow(
                {"labels": [fit.workers[w] for fit in fits]},
                float(accuracy[w]),
                *map(float, interval[w]),
                confusion=None,
            )
            for w in range(table.n_workers)
        ]
        return Fit({"keys": keys, "labels": [fit.crowd for fit in fits]}, skills)


def _weighed(chosen: np.ndarray, given: list[Given], crowd: dict) -> tuple[np.ndarray, list[float]]:
    """Each label's probability [K], and what each answer weighed over all labels."""
    certain = [-1 if answer.certain is None else int(answer.certain) for answer in given]
    probability, weights = np.empty(chosen.shape[1]), np.zeros(len(given))
    for k, shared in enumerate(crowd["labels"]):
        skills = [answer.skill and answer.skill["labels"][k] for answer in given]
        votes = chosen[:, k].astype(int).tolist()
        probability[k] = task_posterior(votes, skills, shared, certain)[1]
        weights += np.abs(answer_weights(votes, skills, shared, certain))
    return probability, (weights / chosen.shape[1]).tolist()


def _by_label(keys: list[str], probability: np.ndarray) -> dict[str, float]:
    return {key: round(float(p), 6) for key, p in zip(keys, probability, strict=True)}
