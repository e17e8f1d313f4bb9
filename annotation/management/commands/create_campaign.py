"""Make a campaign from the command line."""

from pathlib import Path

from django.core.management.base import CommandError

from annotation.kinds import KINDS
from annotation.management.console import PlatformCommand
from annotation.models import Campaign
from annotation.services.campaigns import create_campaign, set_state

TAKEN_AS_GIVEN = (
    "kind", "unit", "needed", "joining", "rule", "asks_certainty", "hides_gold", "preannotates",
    "stop_certainty", "most_answers", "audit_share",
)  # fmt: skip


class Command(PlatformCommand):
    help = "Make a campaign and open it. The last line printed is its id alone."

    def add_arguments(self, parser):
        parser.add_argument("name")
        parser.add_argument("--question", required=True, help="what volunteers are asked")
        parser.add_argument("--kind", choices=list(KINDS), default="choice", help="what an answer is")
        parser.add_argument("--labels", default="", help="keys, separated by commas: yes,no; none for a text")
        parser.add_argument("--relations", default="", help="for relations: the keys that join two marks")
        parser.add_argument("--hints", default="", help="one for each label, separated by |")
        parser.add_argument("--unit", choices=Campaign.Unit.values, default=Campaign.Unit.DOCUMENT)
        parser.add_argument("--needed", type=int, default=3, help="answers a task needs (3)")
        parser.add_argument(
            "--aggregation",
            choices=Campaign.Aggregation.values,
            help="how answers are weighed (majority; engine with --adaptive)",
        )
        parser.add_argument("--asks-certainty", action="store_true", help="volunteers may say “not sure”")
        parser.add_argument("--hides-gold", action="store_true", help="gold goes out among the tasks")
        parser.add_argument(
            "--preannotates", action="store_true", help="spans: volunteers begin with the model's marks"
        )
        parser.add_argument(
            "--adaptive",
            action="store_true",
            help="ask --needed times, then until --stop-certainty is reached or --most-answers given",
        )
        parser.add_argument("--stop-certainty", type=float, default=0.97, help="sure enough to stop (0.97)")
        parser.add_argument("--most-answers", type=int, default=7, help="then a reviewer decides (7)")
        parser.add_argument("--audit-share", type=float, default=0.03, help="asked once more (0.03)")
        parser.add_argument("--lease", type=int, default=900, help="seconds a volunteer has for a task (900)")
        parser.add_argument("--joining", choices=Campaign.Joining.values, default=Campaign.Joining.INVITED)
        parser.add_argument("--rule", default="", help="one line that decides doubtful cases")
        parser.add_argument("--guideline-file", type=Path, help="Markdown")
        parser.add_argument("--paused", action="store_true", help="leave it paused")

    def handle(
        self, *, name, question, labels, relations, hints, guideline_file, lease, paused, adaptive, **options
    ):
        campaign = create_campaign(
            by=None,
            name=name,
            question=question,
            labels=parse_labels(labels, relations, hints),
            guideline=read_guideline(guideline_file) if guideline_file else "",
            lease_seconds=lease,
            stopping=Campaign.Stopping.ADAPTIVE if adaptive else Campaign.Stopping.FIXED,
            aggregation=options["aggregation"] or ("engine" if adaptive else "majority"),
            **{field: options[field] for field in TAKEN_AS_GIVEN},
        )
        if not paused:
            set_state(campaign, Campaign.State.OPEN, by=None)
        self.stdout.write(f"{campaign.name}: {'paused' if paused else 'open'}")
        self.stdout.write(str(campaign.pk))


def parse_labels(keys: str, relations: str, hints: str) -> list[dict]:
    labels = [{"key": key.strip()} for key in keys.split(",") if keys]
    labels += [{"key": key.strip(), "role": "relation"} for key in relations.split(",") if relations]
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
