"""What a model looked at, as marks of five strengths in the text, and in words."""

from dataclasses import replace
from uuid import UUID

from django import template
from django.urls import reverse
from django.utils import timezone

from annotation.models import Campaign, User
from training.services.explanations import Shown, has_explanations, reader_of, show_explanation

register = template.Library()
STRONGEST = 5
WORDS_NAMED = 10
Marked = list[dict]


@register.simple_tag
def explanation_for(user: User, task_id: UUID, *, has_asked: bool = True) -> Shown:
    """`has_asked`: false where what is known already is not shown before somebody wants to see it."""
    reader = reader_of(user, task_id)
    return show_explanation(replace(reader, has_asked=reader.has_asked and has_asked), now=timezone.now())


@register.simple_tag
def explanation_address(campaign: Campaign) -> str:
    """Of no task, with zeros for its id; empty where the campaign's kind has no explanations."""
    nobody = UUID(int=0)
    return reverse("task_explanation", args=[campaign.pk, nobody]) if has_explanations(campaign) else ""


@register.inclusion_tag("training/explanation_card.html", takes_context=True)
def explanation_card(context, shown: Shown, back: str) -> dict:
    """`back` names the page it is on: "desk" (the reviewer's), "task" (its own) or "explanation"."""
    card = {
        "shown": shown,
        "back": back,
        "skip": context.get("skip", 0),
        "csrf_token": context.get("csrf_token"),
    }
    card["is_of_kind"] = has_explanations(shown.campaign)
    content = shown.content
    if content is None:
        return card
    most = max((abs(word[2]) for word in [*content["words"], *content["second_words"]]), default=0.0)
    return card | {
        "label": shown.campaign.label_names.get(content["label"], content["label"]),
        "probability": content["probability"],
        "method": content["method"],
        "missed": _missed(content),
        "texts": [
            _marked(text, words, most)
            for text, words in ((shown.text, content["words"]), (shown.second, content["second_words"]))
            if text is not None
        ],
        "named": _named(shown, content, most),
    }


def _missed(content: dict) -> float | None:
    """The convergence gap as a share of what the words were to add up to."""
    if content["convergence_gap"] is None:
        return None
    return content["convergence_gap"] / abs(content["change"]) if content["change"] else 0.0


def _marked(text: str, words: list[list], most: float) -> Marked:
    """The text in pieces, each with its mark: for or against the label, from 1 (weak) to 5, or none."""
    pieces, end_before = [], 0
    for start, end, score in words:
        if start > end_before:
            pieces.append({"words": text[end_before:start], "mark": ""})
        pieces.append({"words": text[start:end], "mark": _mark(score, most)})
        end_before = end
    return [*pieces, {"words": text[end_before:], "mark": ""}]


def _mark(score: float, most: float) -> str:
    strength = round(STRONGEST * abs(score) / most) if most else 0
    return f"{'for' if score > 0 else 'against'}-{strength}" if strength else ""


def _named(shown: Shown, content: dict, most: float) -> list[dict]:
    """The strongest words, for whoever does not see colours and lines."""
    words = [(shown.text[start:end], score) for start, end, score in content["words"]]
    words += [((shown.second or "")[start:end], score) for start, end, score in content["second_words"]]
    strongest = sorted(words, key=lambda word: -abs(word[1]))[:WORDS_NAMED]
    return [
        {"words": word, "is_for": score > 0, "share": abs(score) / most} for word, score in strongest if score
    ]
