"""A campaign to look at: synthetic notes, gold, a simulated crowd that works for the first minutes."""

import json
import secrets
from datetime import timedelta

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from tqdm import tqdm

from annotation.algorithms.synthetic_notes import SyntheticNote, generate_notes
from annotation.models import Campaign, Gold, Membership, MicroTask, Role, User
from annotation.services import campaigns, intake
from training.models import TrainingPolicy

N_NOTES = 300
SEED = 20
CROWD = {"n_workers": 12, "seed": SEED, "n_answers": 60, "limit": 2700}
CROWD_WORKS_FOR = timedelta(minutes=15)
GUIDELINE = """\
## What counts

A **reaction that happened to this patient** and that the note links to a drug.

| The sentence says | Answer |
|---|---|
| "She developed a rash after the second dose of amoxicillin." | Yes |
| "Denies rash." | No |
| "Advised to watch for bleeding." (a plan, a warning) | No |
| "Mother had angioedema on lisinopril." (somebody else) | No |
| "?related to the new tablet" (the writer thinks it likely) | Yes |

If you can't decide, press **S** to skip: nobody counts skips against you.
"""


class Command(BaseCommand):
    help = "Load the demo: 300 synthetic notes, a campaign, two accounts and a simulated crowd."

    def handle(self, **options):
        if Campaign.objects.exists():
            raise CommandError("There are campaigns already; the demo is for an empty database.")
        notes = list(generate_notes(N_NOTES, seed=SEED))
        with transaction.atomic():
            admin, admin_password = make_account("demo-admin")
            _, volunteer_password = make_account("demo-volunteer")
            Membership.objects.create(user=admin, role=Role.CAMPAIGN_ADMIN)
            Membership.objects.create(user=admin, role=Role.SYSTEM_ADMIN)
            campaign = make_campaign(admin)
        import_notes(campaign, notes, by=admin)
        add_gold(campaign, notes)
        campaigns.set_state(campaign, Campaign.State.OPEN, by=admin)
        send_crowd(campaign)
        # Settings read this: where the demo lives, whoever comes may make an account, unless SIGN_UP says no.
        (settings.DATA_DIR / "demo").touch()
        self.stdout.write(
            "\nThe demo is loaded. A simulated crowd answers for some minutes; a model follows by itself.\n"
            "Sign-up is open here (SIGN_UP=invitation closes it). These passwords are shown once:\n\n"
            f"    campaign admin   demo-admin       {admin_password}\n"
            f"    volunteer        demo-volunteer   {volunteer_password}\n"
        )


def make_account(username: str) -> tuple[User, str]:
    password = secrets.token_urlsafe(12)
    return User.objects.create_user(username, password=password), password


def make_campaign(admin: User) -> Campaign:
    campaign = campaigns.create_campaign(
        by=admin,
        name="Adverse drug reactions",
        question="Does the marked sentence report an adverse drug reaction?",
        rule="Only what happened to this patient; a warning or a plan does not count.",
        guideline=GUIDELINE,
        labels=[
            {"key": "yes", "name": "Yes", "hint": "It happened to this patient"},
            {"key": "no", "name": "No", "hint": "Denied, planned, warned of, or somebody else's"},
        ],
        unit=Campaign.Unit.SENTENCE,
        needed=3,
        joining=Campaign.Joining.ANYONE,
    )
    # From 300 labels on a model tells more than the labels' shares; the crowd gives them in two minutes.
    # Every sentence is gold, since the generator knows them all: a few judge, the rest is asked and taught.
    TrainingPolicy.objects.create(
        campaign=campaign, min_new_labels=300, min_interval_seconds=60, gold_share=0.15
    )
    return campaign


def import_notes(campaign: Campaign, notes: list[SyntheticNote], *, by: User) -> None:
    lines = (
        orjson.dumps({"id": n.external_id, "text": n.text, **n.metadata}, option=orjson.OPT_APPEND_NEWLINE)
        for n in notes
    )
    batch = intake.store_upload(campaign, "demo-notes.jsonl", lines, deidentified=True, by=by)
    with tqdm(
        total=100, desc="Importing notes", bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}"
    ) as bar:

        def show(share_read: float) -> None:
            bar.n = 100 * share_read
            bar.refresh()

        intake.run_import(batch.pk, on_progress=show)


def add_gold(campaign: Campaign, notes: list[SyntheticNote]) -> None:
    """The generator knows the truth of each sentence that it wrote; crowd and dashboard learn it as gold."""
    truth = {
        (note.external_id, start, end): "yes" if reports else "no"
        for note in notes
        for start, end, reports in note.sentences
    }
    tasks = MicroTask.objects.filter(campaign=campaign).values_list(
        "pk", "record__external_id", "start", "end"
    )
    known = [(pk, truth[tuple(place)]) for pk, *place in tasks if tuple(place) in truth]
    gold = [
        Gold(task_id=pk, campaign=campaign, label=label, value={"label": label}) for pk, label in known
    ]
    Gold.objects.bulk_create(gold, batch_size=1000)


def send_crowd(campaign: Campaign) -> None:
    """Beat wakes the crowd every few seconds and forgets it after a quarter of an hour."""
    every, _ = IntervalSchedule.objects.get_or_create(every=5, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(
        name="The demo's simulated crowd",
        task="annotation.tasks.simulate_crowd",
        interval=every,
        kwargs=json.dumps({"campaign_id": str(campaign.pk), **CROWD}),
        expires=timezone.now() + CROWD_WORKS_FOR,
        expire_seconds=None,
    )
