"""Make a campaign from the command line."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.kinds import KINDS
from annotation.management.console import PlatformCommand
from annotation.models import Campaign
from annotation.services.campaigns import create_campaign, set_state


class Command(PlatformCommand):
    help = "Make a campaign and open it. The last line printed is its id alone."

    def add_arguments(self, parser):
        parser.add_argument("name")
        parser.add_argument("--question", required=True, help="what volunteers are asked")
        parser.add_argument("--labels", required=True, help="keys, separated by commas: yes,no")
        parser.add_argument("--hints", default="", help="one for each label, separated by |")
        parser.add_argument("--kind", choices=sorted(KINDS), default="choice")
        parser.add_argument("--unit", choices=Campaign.Unit.values, default=Campaign.Unit.DOCUMENT)
        parser.add_argument("--needed", type=int, default=3, help="answers a task needs (3)")
        parser.add_argument("--lease", type=int, default=900, help="seconds a volunteer has for a task (900)")
        parser.add_argument("--joining", choices=Campaign.Joining.values, default=Campaign.Joining.INVITED)
        parser.add_argument("--rule", default="", help="one line that decides doubtful cases")
        parser.add_argument("--guideline-file", type=Path, help="Markdown")
        parser.add_argument("--paused", action="store_true", help="leave it paused")

    def handle(self, *, name, question, labels, hints, guideline_file, lease, paused, **options):
        campaign = create_campaign(
            by=None,
            name=name,
            question=question,
            labels=parse_labels(labels, hints),
            guideline=read_guideline(guideline_file) if guideline_file else "",
            lease_seconds=lease,
            **{field: options[field] for field in ("kind", "unit", "needed", "joining", "rule")},
        )
        if not paused:
            set_state(campaign, Campaign.State.OPEN, by=None)
        self.stdout.write(f"{campaign.name}: {'paused' if paused else 'open'}")
        self.stdout.write(str(campaign.pk))


def parse_labels(keys: str, hints: str) -> list[dict]:
    labels = [{"key": key.strip()} for key in keys.split(",")]
    if hints:
        parts = hints.split("|")
        if len(parts) != len(labels):
            raise CommandError(f"There are {len(labels)} labels and {len(parts)} hints.")
        for label, hint in zip(labels, parts, strict=True):
            label["hint"] = hint
    return labels


def read_guideline(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"The guideline {path} can't be read as UTF-8 text.") from error
