"""What there is to say of a run and its models: in words, charts and tables, for a page."""

from django.db import transaction

from annotation import exchange
from annotation.models import Campaign, MicroTask, TrailEntry, User
from annotation.shares import percent
from training.models import ModelVersion, Promotion, TrainingRun
from training.services.promotions import refusal_of

FIGURES = [
    ("accuracy", "accuracy", "The share of texts for which it found what people decided, all of it."),
    (
        "macro_f1",
        "macro-F1",
        "How well each label is found, averaged over labels, so a rare one counts as much.",
    ),
    ("strict_f1", "strict span F1", "Spans whose start, end and label are all right."),
    ("relaxed_f1", "relaxed span F1", "Spans of the right label that overlap the right place."),
    (
        "relation_f1",
        "relation F1",
        "Relations whose label and both marks are all right; that two marks are unrelated does not count.",
    ),
    ("relaxed_relation_f1", "relaxed relation F1", "Relations whose marks overlap the right places."),
    (
        "given_spans_f1",
        "relation F1, marks given",
        "How it relates marks that are right: what is missing above beside this, it lost with the marks.",
    ),
    ("auroc", "AUROC", "How well its probabilities order texts of a label before others; 0.5 is chance."),
    (
        "negative_log_likelihood",
        "log loss",
        "The price of being surely wrong; 0 is perfect, lower is better.",
    ),
    ("brier", "Brier score", "The squared distance of its probabilities from the truth; 0 is perfect."),
    (
        "expected_calibration_error",
        "calibration error",
        "How far “80 % sure” is from being right 80 % of the time.",
    ),
]
STRONGEST_SHADE = 5
# By which encoder a loss is of: a heading, and the chart's title.
LEARNED = {
    "": ("How the encoder learned", "Loss"),
    "spans": ("How its first encoder learned to mark", "Loss in marking"),
    "pairs": ("How its second encoder learned to relate marks", "Loss in relating"),
}


def models_of(run: TrainingRun) -> list[ModelVersion]:
    """The run's models, the one before the gate first; each knows why it can't take charge."""
    versions = sorted(run.versions.all(), key=lambda version: version.standing(), reverse=True)
    for version in versions:
        version.refusal = refusal_of(version)
    return versions


def verdict_words(run: TrainingRun) -> dict | None:
    """The gate's decision in a sentence, and its checks; None for a run that came to no gate."""
    said = run.verdict
    if not said:
        return None
    if not said["promoted"]:
        sentence = f"v{said['version']} was not put in charge; v{said['instead_of']} stays."
    elif said["instead_of"]:
        sentence = f"v{said['version']} took charge from v{said['instead_of']}."
    else:
        sentence = f"v{said['version']} took charge."
    gold = f", {said['n_gold']:,} of them gold" if said["n_gold"] else ""
    return {
        "promoted": said["promoted"],
        "sentence": sentence,
        "judged_on": f"Judged on {said['n_judged']:,} texts that no model learns from{gold}.",
        "checks": said["checks"],
    }


def best_family_words(run: TrainingRun, versions: list[ModelVersion]) -> str:
    """Whether the fine-tuned encoder earned its cost: said where a plainer model was put forward."""
    tuned = next((one for one in versions if one.family == ModelVersion.Family.ENCODER), None)
    forward = next((one for one in versions if run.verdict and one.number == run.verdict["version"]), None)
    if tuned is None or forward is None or forward == tuned:
        return ""
    words = (
        f"The fine-tuned encoder did not beat the plainer “{forward.get_family_display()}”, so that one was "
        f"put forward: {tuned.score:.3f} against {forward.score:.3f} on the texts that judge"
    )
    if tuned.score <= forward.score:
        return f"{words}."
    return f"{words}; these are few, and it was no better on others that neither had learned from."


def figures_of(version: ModelVersion, campaign: Campaign) -> dict:
    """Everything that the page draws of one model but for texts."""
    metrics, names = version.metrics["test"], _names(version.label_keys, campaign)
    return {
        "metrics": metrics,
        "figures": [
            {"name": name, "value": metrics[key], "sentence": sentence}
            for key, name, sentence in FIGURES
            if metrics.get(key) is not None
        ],
        "apart": _apart(version.metrics),
        "label_names": names,
        "confusion": [
            _confusion_row(*row) for row in zip(names, metrics.get("confusion_matrix", []), strict=False)
        ],
        "per_label": _per_label(names, metrics["per_class"]),
        "calibration": _calibration_chart(metrics.get("reliability", [])),
        "slices": version.metrics.get("slices", []),
    }


def lineage_rows(version: ModelVersion) -> list[tuple[str, str]]:
    """(what, value) of all that it takes to make the model again."""
    known = version.lineage
    if not known:
        return []
    versions = ", ".join(f"{name} {number}" for name, number in known["versions"].items())
    return [
        ("Weights", f"sha256 {version.sha256}"),
        ("Base weights", f"sha256 {known['base_model_sha256']}" if known["base_model_sha256"] else "none"),
        ("Program", f"sha256 {known['code_sha256']} of its sources"),
        ("Seed", str(known["seed"])),
        ("Libraries", versions),
        ("Machine", f"{known['machine']['processor']}, {known['machine']['n_cores']} cores"),
    ]


def change_words(promotion: Promotion | None) -> str:
    """How the model in charge came to be there, where that was not the gate's doing."""
    if promotion is None or promotion.cause == Promotion.Cause.GATE or promotion.previous is None:
        return ""
    day, before = f"{promotion.at:%-d %B %Y}", f"v{promotion.previous.number}"
    if promotion.cause == Promotion.Cause.HAND:
        return f"Put in charge by hand on {day}, in the place of {before}."
    return (
        f"{before} was taken out of charge on {day}: volunteers agreed with it clearly less often than when "
        "it took charge."
    )


def loss_curves(history: list[dict]) -> list[dict]:
    """A chart under a heading for each encoder that learned: of relations, two do."""
    points: dict[str, list[dict]] = {}
    for point in history:
        points.setdefault(point.get("encoder", ""), []).append(point)
    curves = []
    for encoder, of_encoder in points.items():
        heading, title = LEARNED[encoder]
        curves.append(
            {
                "name": f"chart-loss-{encoder}",
                "heading": heading,
                "chart": _loss_curve(title, of_encoder),
                "starts": _starts(of_encoder),
            }
        )
    return curves


def _loss_curve(title: str, history: list[dict]) -> dict:
    """A pair of lines, pass after pass, of each turn; each start of what learns from all has one line."""
    series = [
        ("on texts it learns from", "train_loss", "ink-2", True),
        ("on others", "validation_loss", "brand", False),
    ]
    seeds = [point.get("seed") for point in history]
    turns = list(dict.fromkeys(seeds))
    names = _names_of_turns(history)
    labels = [
        f"{point['epoch']} ({names[point['seed']]})" if len(turns) > 1 else point["epoch"]
        for point in history
    ]
    return {
        "title": title,
        "kind": "line",
        "x": "passes over the texts",
        "y": "loss",
        "labels": labels,
        "begins": [seeds.index(turn) for turn in turns],  # where another line starts
        "series": [
            {
                "name": name,
                "values": [_rounded(point[key]) for point in history],
                "tone": tone,
                "dashed": dashed,
            }
            for name, key, tone, dashed in series
        ],
    }


def _names_of_turns(history: list[dict]) -> dict[int, str]:
    """By their seeds; what learned next to nothing from all texts starts again."""
    learns_all = {point.get("seed"): point["validation_loss"] is None for point in history}
    names, n_starts = {}, 0
    for place, (seed, learns) in enumerate(learns_all.items()):
        n_starts += learns
        start = f", start {n_starts}" if n_starts > 1 else ""
        names[seed] = f"all texts{start}" if learns else f"turn {place + 1}"
    return names


def _starts(history: list[dict]) -> dict:
    """How often something began to learn from all texts, and the name of the start that learned most."""
    last = {point["seed"]: point["train_loss"] for point in history if point["validation_loss"] is None}
    return {"n": len(last), "kept": _names_of_turns(history)[min(last, key=last.get)] if last else ""}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _names(keys: list[str], campaign: Campaign) -> list[str]:
    known = campaign.label_names
    return [known.get(key, key) for key in keys]


def _apart(metrics: dict) -> list[dict]:
    """Gold and volunteers' consensus each for itself, where both were enough."""
    titles = (("gold", "gold, answered by experts"), ("volunteers", "what volunteers agreed on"))
    return [{"name": title, **metrics[key]} for key, title in titles if key in metrics]


def _per_label(names: list[str], columns: dict) -> list[dict]:
    return [
        {"name": name} | {figure: columns[figure][place] for figure in columns}
        for place, name in enumerate(names)
    ]


def _confusion_row(name: str, counts: list[int]) -> dict:
    """Each count with its share of the row, and a shade from 0 (none) to 5 (all)."""
    n = sum(counts)
    shares = [count / n if n else 0.0 for count in counts]
    cells = [
        {"n": count, "share": share, "shade": min(STRONGEST_SHADE, int(share * STRONGEST_SHADE + 0.999))}
        for count, share in zip(counts, shares, strict=True)
    ]
    return {"name": name, "n": n, "cells": cells}


def _calibration_chart(bins: list[dict]) -> dict | None:
    if not bins:
        return None
    return {
        "title": "Sure and right",
        "kind": "line",
        "x": "how sure it is",
        "y": "how often it is right",
        "labels": [percent(one["confidence"]) for one in bins],
        "series": [
            {"name": "if its word held", "values": [round(one["confidence"], 3) for one in bins],
             "tone": "ink-2", "dashed": True},
            {"name": "this model", "values": [round(one["accuracy"], 3) for one in bins], "tone": "brand",
             "dashed": False},
        ],
    }  # fmt: skip


@transaction.atomic
def read_mistakes(version: ModelVersion, campaign: Campaign, *, by: User) -> list[dict]:
    """Where it is surest and wrong, with the texts of those that may be shown; the trail says who read."""
    mistakes = version.metrics.get("mistakes", [])
    shown = MicroTask.objects.filter(pk__in=[one["task"] for one in mistakes], held=False)
    texts = {str(text.task_id): text for text in exchange.texts_of(shown.values_list("pk", flat=True))}
    known = campaign.label_names
    if texts:
        detail = {"version": version.number, "tasks": sorted(texts)}
        TrailEntry.objects.create(user=by, campaign=campaign, verb="read_mistakes", detail=detail)
    return [
        {
            "task_id": one["task"],
            "text": texts[one["task"]].text,
            "right": _said(one["right"], known, texts[one["task"]].text),
            "found": _said(one["found"], known, texts[one["task"]].text),
            "sureness": one.get("sureness"),
        }
        for one in mistakes
        if one["task"] in texts
    ]


def _said(said: list, names: dict[str, str], text: str) -> str:
    """Labels by their names; of spans, the words with their label; of relations, the label between words."""
    return ", ".join(_mark_words(one, names, text) for one in said) or "nothing"


def _mark_words(one: str | list, names: dict[str, str], text: str) -> str:
    match one:
        case [[start, end, _], [other_start, other_end, _], key]:
            return f"“{text[start:end]}” {names.get(key, key)} “{text[other_start:other_end]}”"
        case [start, end, key]:
            return f"“{text[start:end]}” {names.get(key, key)}"
        case key:
            return names.get(key, key)
