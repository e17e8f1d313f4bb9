"""Write a campaign's model as a folder for others."""

import re
from pathlib import Path

from django.core.management.base import CommandError

from annotation.management.console import PlatformCommand, campaign_named
from training.models import ModelVersion


class Command(PlatformCommand):
    help = (
        "Write a model as a folder that transformers loads by path (safetensors, tokenizer, label names), "
        "with a model card: what it learned from, how good it is and what it must not be used for."
    )

    def create_parser(self, *args, **options):
        """Django's own --version, which tells Django's, gives way to ours."""
        return super().create_parser(*args, conflict_handler="resolve", **options)

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="the campaign's id")
        parser.add_argument(
            "--version", type=int, metavar="N", help="3 for v3; the one in charge if left out"
        )
        parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder to make")
        parser.add_argument("--language", help="of the texts, as a code: en, zh")

    def handle(self, *, campaign: str, version: int | None, out: Path, language: str | None, **options):
        # Imported here because it brings torch, which --help does not need.
        from training.services.model_export import export_model

        if language and not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?", language):
            raise CommandError("--language is a code of two or three letters, such as en or zh.")
        chosen = version_of(campaign_named(campaign).pk, version)
        try:
            base = export_model(chosen, out, language=language)
        except OSError as error:
            raise CommandError(f"{out} can't be written: {error.strerror}.") from error
        self.stdout.write(f"v{chosen.number} is in {out}; README.md there is its model card.")
        if base is not None:
            self.stdout.write(f"Its base model is {base.name}; that one's licence: {base.licence}.")


def version_of(campaign_id, number: int | None) -> ModelVersion:
    versions = ModelVersion.objects.filter(campaign=campaign_id).select_related("campaign", "run")
    found = versions.filter(in_charge=True) if number is None else versions.filter(number=number)
    if version := found.first():
        return version
    raise CommandError("There is no model in charge." if number is None else f"There is no model v{number}.")
