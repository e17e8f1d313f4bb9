"""Campaigns that volunteers have worked on already: settled consensus without the answers behind it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils import timezone

from annotation.models import Campaign, Consensus, MicroTask
from tests.factories import NOW, make_sentences

YES_NO = [{"key": "no", "name": "No", "hint": ""}, {"key": "yes", "name": "Yes", "hint": ""}]
FILLER = [f"word{i}" for i in range(40)]
SIGNS = {"no": ["calm", "healthy", "well"], "yes": ["rash", "nausea", "fever"]}
WORDS = [*FILLER, *SIGNS["no"], *SIGNS["yes"]]


def sentences(n: int) -> list[tuple[str, str]]:
    """n different texts, each with its label, in turn no and yes: one sign word among fillers decides."""
    made = []
    for i in range(n):
        label = ("no", "yes")[i % 2]
        words = [FILLER[i % 40], FILLER[i // 40 % 40], SIGNS[label][i // 2 % 3], FILLER[7 * i % 40]]
        made.append((" ".join(words), label))
    return made


def add_open(campaign: Campaign, texts: Iterable[str]) -> list[MicroTask]:
    """A record with one task for each text."""
    return [make_sentences(campaign, text, [(0, len(text))])[0] for text in texts]


def add_labelled(
    campaign: Campaign, examples: Iterable[tuple[str, str]], *, settled_at: datetime = NOW
) -> list[MicroTask]:
    """Tasks on whose label everybody agreed; a label of '' is a tie."""
    examples = list(examples)
    tasks = add_open(campaign, [text for text, _ in examples])
    settle(campaign, tasks, [label for _, label in examples], settled_at=settled_at)
    return tasks


def settle(
    campaign: Campaign, tasks: Sequence[MicroTask], labels: Sequence[str], *, settled_at: datetime = NOW
) -> None:
    MicroTask.objects.filter(pk__in=[task.pk for task in tasks]).update(taken=campaign.needed)
    Consensus.objects.bulk_create(
        Consensus(
            task=task,
            campaign=campaign,
            method="majority",
            label=label,
            value={"label": label} if label else None,
            share=1.0 if label else 0.5,
            votes={label: campaign.needed} if label else {"no": 1, "yes": 1},
            n_answers=campaign.needed,
            settled_at=settled_at,
        )
        for task, label in zip(tasks, labels, strict=True)
    )


def add_marked(campaign: Campaign, examples: Iterable[tuple[str, dict]]) -> list[MicroTask]:
    """Tasks on whose marks, and relations, everybody agreed: texts with the answer."""
    examples = list(examples)
    tasks = add_open(campaign, [text for text, _ in examples])
    MicroTask.objects.filter(pk__in=[task.pk for task in tasks]).update(taken=campaign.needed)
    votes = dict.fromkeys(campaign.label_names, campaign.needed)
    Consensus.objects.bulk_create(
        Consensus(
            task=task, campaign=campaign, method="majority", label="", value=value, share=1.0, certainty=1.0,
            votes=votes, n_answers=campaign.needed, settled_at=timezone.now(),
        )
        for task, (_, value) in zip(tasks, examples, strict=True)
    )  # fmt: skip
    return tasks
