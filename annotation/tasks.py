"""Celery's entry points: a message carries ids and wakes a worker; what is to do stands in rows."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from annotation.models import Campaign, Volunteer
from annotation.services import agreement, crowd, doubts, flagging, intake, ranking, simulation, standing
from annotation.services.handout import expire_leases

FIT_TICK_SECONDS = 30
TICK_SECONDS = 5  # a message that no worker took by then is worthless: the next tick sends another


@shared_task
def import_file(import_id: str) -> None:
    """A task of its own: a long import must not keep the ticks from giving leases back."""
    intake.run_import(import_id)


@shared_task
def intake_tick() -> None:
    """Beat calls this every few seconds: a lost message or a killed worker delays, and loses nothing."""
    now = timezone.now()
    expire_leases(now=now)
    intake.delete_orphans(now)
    for batch in intake.waiting_imports(now):
        import_file.apply_async([str(batch.pk)], expires=TICK_SECONDS)


@shared_task
def consensus_tick() -> None:
    """Beat's look: whose crowd is to be fitted anew, whose rules have changed, what is to be ranked or
    compared, whose answers count or not?"""
    for campaign_id, is_fit_due in crowd.campaigns_to_judge():
        judge_campaign.apply_async([str(campaign_id), is_fit_due], expires=FIT_TICK_SECONDS)
    for campaign_id in ranking.campaigns_to_rank(now=timezone.now()):
        rank_campaign.apply_async([str(campaign_id)], expires=FIT_TICK_SECONDS)
    for campaign_id in agreement.campaigns_to_compare(now=timezone.now()):
        compare_volunteers.apply_async([str(campaign_id)], expires=FIT_TICK_SECONDS)
    for volunteer in standing.volunteers_to_weigh():
        weigh_volunteer.apply_async([str(volunteer.pk)], expires=FIT_TICK_SECONDS)


@shared_task
def weigh_volunteer(volunteer_id: str) -> None:
    """Their earlier answers count, or don't, by their standing; two messages at once do no harm."""
    standing.weigh_answers_again(Volunteer.objects.get(pk=volunteer_id), now=timezone.now())


@shared_task
def judge_campaign(campaign_id: str, is_fit_due: bool) -> None:
    """A second message finds the first at work and leaves it to it."""
    campaign, now = Campaign.objects.get(pk=campaign_id), timezone.now()
    if is_fit_due:
        if crowd.refit(campaign, now=now) is not None:
            flagging.flag_volunteers(campaign, now=now)
            doubts.mark_unclear_cases(campaign, now=now)
    else:
        crowd.judge_again(campaign, now=now)


@shared_task
def rank_campaign(campaign_id: str) -> None:
    """What was compared; a second message finds the first at work and leaves it to it."""
    ranking.store_ranking(Campaign.objects.get(pk=campaign_id), now=timezone.now())


@shared_task
def compare_volunteers(campaign_id: str) -> None:
    """How much they agree; a second message finds the first at work and leaves it to it."""
    agreement.store_agreement(Campaign.objects.get(pk=campaign_id), now=timezone.now())


@shared_task
def simulate_crowd(campaign_id: str, n_workers: int, seed: int, n_answers: int, limit: int) -> None:
    """The demo's beat calls this: its simulated crowd gives a few more answers until it has given `limit`."""
    simulation.continue_crowd(UUID(campaign_id), n_answers, n_workers=n_workers, seed=seed, limit=limit)
