"""Campaigns: made, changed, opened, paused. Every act leaves a line in the trail."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import transaction

from annotation.errors import Conflict, Forbidden, Invalid
from annotation.kinds import kind_named
from annotation.models import Campaign, Membership, Role, TrailEntry, User
from annotation.services.judging import DECIDING, FITTED
from annotation.services.need import follow_need


@transaction.atomic
def create_campaign(*, by: User | None, **fields) -> Campaign:
    """Make a paused campaign; its maker administers it. `by` is None on the command line."""
    if by is not None and not Membership.objects.may_create_campaigns(by):
        raise Forbidden("Only campaign admins of this site may create campaigns.")
    campaign = Campaign(created_by=by, **fields)
    campaign.labels = kind_named(campaign.kind).parse_labels(campaign.labels)
    _validate(campaign)
    campaign.save(force_insert=True)
    if by is not None:
        Membership.objects.create(user=by, campaign=campaign, role=Role.CAMPAIGN_ADMIN)
    _note(campaign, by, "create_campaign")
    return campaign


def update_campaign(campaign: Campaign, *, by: User | None, **fields) -> Campaign:
    """Change what may still be changed: kind and unit stay once there are tasks. Answers with a label that is
    taken out are kept, and count no longer."""
    campaign, changed = _update(campaign, by, fields)
    if "needed" in changed:
        follow_need(campaign)
    return campaign


@transaction.atomic
def _update(campaign: Campaign, by: User | None, fields: dict) -> tuple[Campaign, Collection[str]]:
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    changed = {name: value for name, value in fields.items() if getattr(campaign, name) != value}
    if "labels" in changed:
        changed["labels"] = kind_named(campaign.kind).parse_labels(changed["labels"])
    for name in {"unit", "kind"} & changed.keys():
        if campaign.n_tasks:
            raise Conflict(
                f"The records are already cut into tasks, so the {name} stays.", code=f"{name}_in_use"
            )
    for name, value in changed.items():
        setattr(campaign, name, value)
    _validate(campaign)
    if changed.keys() & set(DECIDING) and campaign.n_tasks:
        changed["is_to_be_judged"] = campaign.is_to_be_judged = True
    if changed.keys() & set(FITTED):
        changed["crowd_version"] = campaign.crowd_version = 0  # the next fit is of the new rules
    if changed:
        campaign.save(update_fields=list(changed))
        _note(campaign, by, "update_campaign", fields=sorted(changed.keys() & fields.keys()))
    return campaign, changed.keys()


@transaction.atomic
def set_state(campaign: Campaign, state: str, *, by: User | None) -> Campaign:
    """Open or pause. Pausing keeps everything; who holds a task is told so when they answer."""
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if campaign.state != state:
        campaign.state = Campaign.State(state)
        campaign.save(update_fields=["state"])
        _note(campaign, by, "open_campaign" if campaign.is_open else "pause_campaign")
    return campaign


def _validate(campaign: Campaign) -> None:
    try:
        # Its kind has been over the labels, and knows whether there may be none.
        campaign.full_clean(exclude={"labels"}, validate_constraints=False)
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        name = campaign._meta.get_field(field).verbose_name
        raise Invalid(f"{str(name).capitalize()}: {messages[0]}", code=f"invalid_{field}") from error
    kind = kind_named(campaign.kind)
    if kind.of_pairs and campaign.unit != Campaign.Unit.DOCUMENT:
        raise Invalid("The two texts of a pair are compared whole.", code="invalid_unit")
    if campaign.preannotates and not kind.is_drafted:
        raise Invalid("The model marks beforehand only where spans are marked.", code="invalid_preannotates")
    if campaign.aggregation not in kind.methods:
        raise Invalid("Answers of this kind can't be weighed in that way.", code="invalid_aggregation")
    if len(campaign.labels) > kind.most_labels.get(campaign.aggregation, len(campaign.labels)):
        raise Invalid(
            f"This way of weighing takes at most {kind.most_labels[campaign.aggregation]} labels: it keeps a "
            "table of all labels for each volunteer. The engine's own choice takes more.",
            code="too_many_labels_for_aggregation",
        )
    if campaign.is_adaptive and not campaign.weighs_volunteers:
        raise Invalid(
            "Stopping when it is sure enough takes a way of weighing that knows how sure it is: choose one "
            "other than majority.",
            code="stopping_needs_weighing",
        )
    if campaign.is_adaptive and campaign.needed > campaign.most_answers:
        raise Invalid(
            "The answers to start with are more than the answers at most.", code="invalid_most_answers"
        )


def _note(campaign: Campaign, by: User | None, verb: str, **detail) -> None:
    TrailEntry.objects.create(user=by, campaign=campaign, verb=verb, detail=detail)
