"""Short free text: what volunteers write in their own words."""

import numpy as np

from annotation.algorithms.agreement_report import text_sums
from annotation.algorithms.free_text import medoid, numbered_tokens, similarity
from annotation.errors import Invalid, InvalidAnswer
from annotation.kinds.answer_schema import exact_object
from annotation.kinds.calibration import as_calibrated, fit_calibrated
from annotation.kinds.comparison import Compared, Comparison, Facts, LabelAgreement
from annotation.kinds.decision import MAJORITY, Decision, Fit, Given, SkillRow, Table, entropy_bits
from annotation.kinds.traits import Traits

MOST_CHARACTERS = 1000
ALIKE = 0.9  # a score from which on a text counts as the right one
NEAR = 0.5  # a score from which on a text says the same in other words
ALL_DIFFERENT = 1000  # so many things may be said that two wrong texts hardly ever say the same
PRIOR_TEXTS = 4  # of the crowd's typical similarity, which a volunteer with few answers leans on


class Text(Traits):
    name = "text"
    title = "a short text"
    sentence = "A few words of the volunteer’s own, up to 1,000 characters."
    rightness = "of the words in common with others’ texts"
    measure = "words in common (F1)"
    planning = (
        "Computed as if right texts all said the same and each wrong one something else. What a rule costs "
        "shows once there are answers: it goes by how alike they are."
    )
    certainty_is_probability = False
    one_label = False
    hears_models = False
    needs_text = False
    has_labels = False
    skill_title = "How like others’ texts mine are"
    methods = {
        "majority": "The answer that is most like all the others wins.",
        "engine": "The same, with the answers of volunteers who usually agree with others counting more.",
    }

    most_labels: dict[str, int] = {}

    def parse_labels(self, raw: object) -> list[dict]:
        if raw not in ([], None):
            raise Invalid("A free text has no labels.", code="invalid_labels")
        return []

    def answer_schema(self, labels: list[dict]) -> dict:
        text = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
        return exact_object({"text": text})

    def parse_answer(self, raw: object, labels: list[dict], length: int) -> dict:
        """`{"text": …}` without white space at its ends."""
        if not isinstance(raw, dict) or set(raw) != {"text"} or not isinstance(raw["text"], str):
            raise InvalidAnswer('An answer to this question looks like {"text": "a few words"}.')
        text = raw["text"].strip()
        if not text or len(text) > MOST_CHARACTERS or "\x00" in text:
            raise InvalidAnswer(
                f"The answer has 1 to {MOST_CHARACTERS:,} characters.", code="invalid_text_answer"
            )
        return {"text": text}

    def parse_cell(self, cell: str, labels: list[dict], length: int) -> dict:
        return self.parse_answer({"text": cell}, labels, length)

    def cell(self, value: dict) -> str:
        return value["text"]

    def counts(self, value: dict, labels: list[dict]) -> bool:
        return True

    def votes_of(self, value: dict) -> list[str]:
        return []

    def lines(self, value: dict, names: dict[str, str], text: str) -> list[str]:
        return [value["text"]]

    def stated(self, value: dict) -> set[str]:
        return set()

    def figures(self, pairs: list[tuple[dict, dict]]) -> dict:
        return {"mean_score": float(np.mean([self.score(found, gold) for found, gold in pairs]))}

    def score(self, value: dict, gold: dict) -> float:
        """How similar the two are in their words, from 0 to 1."""
        return similarity(value["text"], gold["text"])

    def n_choices(self, labels: list[dict]) -> int:
        return ALL_DIFFERENT

    def is_right(self, value: dict, true: dict) -> bool:
        """Up to four words the very same, of more a word in ten may be another: nobody writes a long text
        word for word, and in a short one a word is the matter, be it the dose or a "no".

        >>> Text().is_right({"text": "Aspirin, 100 mg."}, {"text": "aspirin 100 mg"})
        True
        >>> Text().is_right({"text": "rash seen"}, {"text": "no rash seen"})
        False
        """
        return self.score(value, true) >= ALIKE

    def clear_mistakes(self, value: dict, true: dict) -> dict:
        """A text with most of its words in common with the truth has none."""
        return true if self.score(value, true) >= NEAR else value

    def likeness(self, value: dict, other: dict) -> float:
        return self.score(value, other)

    def compare(self, compared: Compared) -> Comparison:
        return _Texts(compared)

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
        texts = [answer.value["text"] for answer in given]
        weights = None
        if method != MAJORITY and crowd is not None:
            weights = [(answer.skill or crowd)["similarity"] for answer in given]
        else:
            method = MAJORITY
        chosen = medoid(texts, weights)
        share = max(float(chosen.share), 1 / len(given))
        decided = Decision(
            method, "", {"text": texts[chosen.index]}, share, {}, share, entropy_bits([share, 1 - share]),
            None, weights,
        )  # fmt: skip
        return as_calibrated(decided, crowd)

    def fit(self, table: Table, labels: list[dict], *, method: str) -> Fit:
        return fit_calibrated(self, self._fit, table, labels, method=method, left_out_on=None)

    def _fit(self, table: Table, labels: list[dict], method: str) -> Fit:
        """A volunteer's skill is how similar their texts are, on the mean, to others' of the same task."""
        texts = [value["text"] for value in table.values]
        order = np.argsort(table.task, kind="stable")
        ends = np.flatnonzero(np.diff(table.task[order], append=-1)) + 1
        total, n = np.zeros(table.n_workers), np.zeros(table.n_workers)
        for rows in np.split(order, ends[:-1]):
            for i in rows:
                others = [similarity(texts[table.code[i]], texts[table.code[j]]) for j in rows if j != i]
                if others:
                    total[table.worker[i]] += np.mean(others)
                    n[table.worker[i]] += 1
        typical = float(total.sum() / n.sum()) if n.sum() else 0.5
        mean = (total + PRIOR_TEXTS * typical) / (n + PRIOR_TEXTS)
        spread = 1.645 * np.sqrt(mean * (1 - mean) / (n + PRIOR_TEXTS))
        skills = [
            SkillRow(
                {"similarity": round(float(mean[w]), 4)},
                float(mean[w]),
                max(0.0, float(mean[w] - spread[w])),
                min(1.0, float(mean[w] + spread[w])),
            )
            for w in range(table.n_workers)
        ]
        return Fit({"similarity": round(typical, 4)}, skills)


class _Texts(Facts):
    weekly, paired = "similarity", "word_f1"

    def __init__(self, compared: Compared):
        texts = [value["text"] for value in compared.values]
        similarity = text_sums(compared.by_task(texts))
        super().__init__(compared, [numbered_tokens(text) for text in texts], {"similarity": similarity})

    def by_label(self, rng: np.random.Generator) -> list[LabelAgreement]:
        return []
