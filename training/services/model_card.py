"""A model card: what a model is, what it learned from, how good it is, and what it must not be used for.

The structure is the Hugging Face Hub's (https://huggingface.co/docs/hub/model-cards), after Mitchell et al.
2019, "Model Cards for Model Reporting". It holds no record text, no name and no place on the server.
"""

import html
import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson

from annotation.exchange import is_of_pairs
from training.algorithms.examples import MARKING_HEADS
from training.config import shown_settings
from training.models import ModelVersion
from training.services.base_origin import BaseOrigin
from training.services.model_card_code import loading_example

ASKED = {
    "single": "which one of its labels holds for a text",
    "ordinal": "which one of its labels, which are in order, holds for a text",
    "multiple": "which of its labels hold for a text, each on its own",
    "spans": "which stretches of a text its labels mark",
    "relations": "how stretches of a text, which it marks itself or is given, belong together",
}
FAMILIES = {
    "encoder": "a BERT-like text encoder, fine-tuned",
    "embedding": "a logistic regression on the vectors of a frozen text encoder",
    "tfidf": "a logistic regression on counted words (TF-IDF)",
    "combined": "two logistic regressions, on counted words (TF-IDF) and on a frozen encoder's vectors",
}
FIGURES = {
    "n_examples": "texts",
    "accuracy": "accuracy: share of texts that are all right",
    "macro_f1": "F1, mean over labels",
    "micro_f1": "F1, all labels together",
    "strict_f1": "F1 of spans: start, end and label are right",
    "relaxed_f1": "F1 of spans that overlap a right one of their label",
    "relation_f1": "F1 of relations, all labels together: label and both spans are right",
    "relaxed_relation_f1": "F1 of relations whose spans overlap right ones of their labels",
    "given_spans_f1": "F1 of relations between spans that are given and right",
    "auroc": "area under the ROC curve, mean over labels",
    "negative_log_likelihood": "log loss in nats",
    "brier": "Brier score, 0 to 2",
    "expected_calibration_error": "expected calibration error",
}
PER_LABEL = ("precision", "recall", "f1", "support")
FILES_OF_LINEAR = """
Transformers cannot load this model; what is in the folder is enough to compute it with numpy:

- `model.safetensors`: `weights` [K, F] and `intercepts` [K], float32;
  scores = features · weightsᵀ + intercepts.
{inputs}
- `manifest.json`: `label_names` and `class_names` (their keys) in the outputs' order, `temperature`, `head`.

Of a pair the features (each sort for itself) are first, second, |first − second| and first × second, end to
end. Probabilities are softmax(scores / temperature); for labels on their own (`"head": "multiple"`),
sigmoid(scores / temperature).
"""
FOLDERS_OF_RELATIONS = """
Transformers cannot load this model in one piece, but each of its two folders: `spans` (token classification)
finds the stretches, `pairs` (text classification) says of a text in which two of them are marked how they
belong together: `@ * label * … @` around the first and `# ^ label ^ … #` around the second, as
`training/algorithms/marking.py` of the platform makes them.
"""
WORDS = """\
  `inverse_frequency` [V], float64.
- `vocabulary.json`: `terms` [V] in the features' order and their `unit`: `words` (one and two words, pattern
  `\\b\\w+\\b`, lower case) or `characters` (one to three). A term counted n times weighs
  (1 + ln n) × inverse_frequency; a text's features are scaled to length 1."""
VECTORS = """\
- Features are a text's vector: the mean over its tokens of the base model's last layer, scaled to length 1,
  in half precision. The base model is not in this folder; `base_model_sha256` is that of its weights."""
INPUTS = {
    "tfidf": WORDS,
    "embedding": VECTORS,
    "combined": (
        f"{WORDS}\n{VECTORS}\n"
        "- Both sorts of features, the terms' before the vector's, make one row. `weights` and `intercepts`\n"
        "  hold what either counts (`counts` under `derived` in manifest.json; the third is that of the log\n"
        "  shares of the classes) and their temperatures, so T is 1."
    ),
}
CALIBRATION = {
    "single": "p = softmax(logits / T)",
    "multiple": "p = sigmoid(logits / T), each label on its own; it holds from 0.5 on",
    "ordinal": (
        "output k is the log-odds of “beyond label k”; differences of neighbouring sigmoids give the labels' "
        "probabilities q, and p = softmax(log q / T)"
    ),
    "spans": (
        "p = softmax over a label's three outputs (O, B, I) / T. The platform takes the likeliest legal tags "
        "(Viterbi), reads long texts in windows, and gives each span the probability sigmoid(slope · s + "
        "shift) of its tags' mean log-odds s (`span_slope`, `span_shift` in manifest.json)"
    ),
    "relations": (
        "of the folder `pairs`, whose model gives a pair of spans p = softmax(logits / T) over none and the "
        "labels; `spans` has its own. A relation that is found has the probability p × those of its two "
        "spans. Asked about are pairs whose labels stand in `joined` of manifest.json, a text's nearest ones"
    ),
}


def card_of(
    version: ModelVersion,
    manifest: dict[str, Any],
    names: list[str],
    base: BaseOrigin | None,
    *,
    language: str | None,
) -> str:
    """Return README.md for an exported folder; names are the outputs' labels as people know them."""
    parts = [
        _header(version, manifest, base, language),
        f"# {_plain(version.campaign.name)}, model v{version.number}",
        _details(version, manifest, names, base, language),
        _uses(),
        _start(version, manifest),
        _data(version),
        _evaluation(version, names),
        _origin(version, manifest),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _header(version: ModelVersion, manifest: dict, base: BaseOrigin | None, language: str | None) -> str:
    """YAML; its strings are written as JSON, which is YAML as well."""
    is_encoder = version.family == ModelVersion.Family.ENCODER
    task = "token-classification" if manifest["head"] in MARKING_HEADS else "text-classification"
    fields: dict[str, Any] = {"language": language or "und"}
    if is_encoder and manifest["head"] != "relations":  # which are two models
        fields |= {"library_name": "transformers"}
    fields |= {"pipeline_tag": task, "license": "other", "license_name": "ask-the-site-that-trained-it"}
    if base is not None:
        fields["base_model"] = base.name
    fields |= {"metrics": ["accuracy", "f1"], "tags": ["medical", "crowdsourced-labels", "calibrated"]}
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _details(
    version: ModelVersion, manifest: dict, names: list[str], base: BaseOrigin | None, language: str | None
) -> str:
    campaign = version.campaign
    rows = [
        f"- **What it is:** {FAMILIES[version.family]}.",
        f"- **What it says:** {ASKED[manifest['head']]}.",
        f"- **The question, as volunteers were asked it:** {_plain(campaign.question)}",
        *([f"- **The rule for doubtful cases:** {_plain(campaign.rule)}"] if campaign.rule else []),
        f"- **Labels:** {', '.join(map(_plain, names))}.",
        *(["- **Input:** two texts that are compared."] if is_of_pairs(campaign) else []),
        f"- **Language of the texts:** {_plain(language) if language else 'unknown'}.",
    ]
    if base is not None:
        reading = ", which first read the campaign's texts" if base.is_adapted else ""
        rows += [
            f"- **Base model:** {_plain(base.name)}{reading} (SHA-256 of its weights {base.sha256}).",
            f"- **Licence of the base model:** {_plain(base.licence)}.",
        ]
    rows.append("- **Licence of this model:** not decided here; ask the site that trained it.")
    return "## Model details\n\n" + "\n".join(rows)


def _uses() -> str:
    return """
## Uses, and what it must not be used for

It orders work for people and gives a first opinion that people check: which records to read first, which
labels to look at again.

- **It is not a medical device.** It has not been tested or approved for diagnosis, treatment, triage, billing
  or any other decision about a person.
- **It learned from one site's records.** Elsewhere wording, templates, patients and how often each label
  occurs differ; measure it on your own labelled texts before you rely on a figure below.
- **It knows one question.** A text that has nothing to do with the question gets an answer all the same.
- **Its labels are what volunteers agreed on,** not a clinician's finding, and it repeats their habitual
  mistakes.
- **De-identification.** The records were said to be free of identifying details before anybody labelled
  them, and nothing of them is in this folder but what the weights (and a vocabulary, if there is one) keep
  of their words. No attack on that has been tried. Treat the folder as you treat the records until somebody
  responsible has decided otherwise.
- **Probabilities** are calibrated on texts like those that it was trained on, and on no others.
"""


def _start(version: ModelVersion, manifest: dict) -> str:
    example = loading_example(version.family, manifest["head"], pairs=is_of_pairs(version.campaign))
    text = f"## How to load it\n\n```python\n{example}\n```\n"
    if version.family == ModelVersion.Family.ENCODER:
        text += "\nThe platform may compute in bf16, which moves a probability a little.\n"
        text += FOLDERS_OF_RELATIONS if manifest["head"] == "relations" else ""
    else:
        text += FILES_OF_LINEAR.format(inputs=INPUTS[version.family])
    return f"""{text}
**Calibration.** Temperature T = {manifest["temperature"]:.4f} (`temperature` in manifest.json):
{CALIBRATION[manifest["head"]]}."""


def _data(version: ModelVersion) -> str:
    run, campaign = version.run, version.campaign
    left_out = f"; {run.n_left_out:,} more were left out, because people are too unsure of them"
    rows = [
        f"- {run.n_examples:,} labelled texts of one campaign{left_out if run.n_left_out else ''}.",
        *_counts(version),
        f"- How answers became labels: {campaign.get_aggregation_display()}, "
        f"{campaign.get_stopping_display()} ({campaign.needed} at first).",
        "- Which texts were labelled was in part chosen by earlier models, so the labels' shares are not "
        "those of the site's records.",
        f"- SHA-256 of the frozen data: {run.snapshot_sha256 or 'unknown'}.",
    ]
    return "## Training data\n\n" + "\n".join(rows)


def _counts(version: ModelVersion) -> list[str]:
    """From the run's snapshot, where it is kept still: who answered, and what each text was for."""
    path = Path(version.run.snapshot_path) if version.run.snapshot_path else None
    if path is None or not path.is_file():
        return ["- The frozen data are not kept on the server any more, so they can't be counted."]
    parts, origins, n_answers = Counter(), Counter(), 0
    with path.open("rb") as file:
        for row in map(orjson.loads, file):
            if "part" in row:
                parts[row["part"]] += 1
                origins[row.get("origin", "crowd")] += 1
                n_answers += row["n_answers"]
    rows = [f"- {n_answers:,} answers of volunteers stand behind them."]
    if origins["expert"]:
        rows.append(f"- {origins['expert']:,} of them were decided by a reviewer.")
    if origins["gold"]:
        rows.append(f"- {origins['gold']:,} came with a right answer, and were used to judge models alone.")
    n_aside = parts.pop("aside", 0)
    if n_aside:
        rows.append(f"- {n_aside:,} were not used: they are too near to texts that judge models.")
    rows.append("- Used for: " + ", ".join(f"{part} {n:,}" for part, n in parts.most_common()) + ".")
    if version.family != ModelVersion.Family.ENCODER:
        rows.append("- Those for validation and calibration taught it as well, these once it was calibrated.")
    return rows


def _evaluation(version: ModelVersion, names: list[str]) -> str:
    test = version.metrics.get("test")
    if not test:
        return "## Evaluation\n\nNo figures were kept of this model."
    known = [(words, test[key]) for key, words in FIGURES.items() if test.get(key) is not None]
    text = "## Evaluation\n\nOn texts that it neither learned from nor was stopped or calibrated by.\n\n"
    text += _table(["figure", "value"], [[words, _number(value)] for words, value in known])
    columns = [test["per_class"][column] for column in PER_LABEL]
    rows = [[_plain(name), *(_number(column[k]) for column in columns)] for k, name in enumerate(names)]
    text += "\n\n### Each label\n\n" + _table(["label", *PER_LABEL], rows)
    return text + _slices(version.metrics.get("slices") or [])


def _slices(slices: list[dict]) -> str:
    """By the records' other columns, to see whom it serves worse."""
    text = ""
    for one in slices:
        rows = [[_plain(g["name"]), _number(g["n"]), _number(g["score"])] for g in one["groups"]]
        text += f"\n\n### By {_plain(one['column'])}\n\n" + _table(["group", "texts", "F1, all labels"], rows)
        text += f"\n\nLargest gap between two groups: {_number(one['largest_gap'])}."
    return (
        text or "\n\nNot measured by groups of patients or sites: the records had no columns to tell them by."
    )


def _origin(version: ModelVersion, manifest: dict) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in manifest["versions"].items())
    return f"""
## How it was made

- Model id {version.pk}, version {version.number} of its campaign, made {version.created_at:%Y-%m-%d}.
- SHA-256 of its files: {version.sha256}.
- Seed {manifest["seed"]}; {versions}.
- SHA-256 of the platform's code that made it: {version.lineage.get("code_sha256", "unknown")}.
- Settings: `{json.dumps(shown_settings(manifest["config"]))}`
"""


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _plain(text: str) -> str:
    """Somebody's words on one line, without a meaning in Markdown or HTML."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{letter}" if letter in "\\`*_[]|#!<>" else letter for letter in escaped)
