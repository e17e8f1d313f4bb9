"""What would a strategy gain? Simulated volunteers answer what the platform hands out."""

import json
from dataclasses import asdict
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from annotation import exchange
from annotation.errors import PlatformError
from training.management.commands.train import campaign_named
from training.models import TrainingPolicy


class Command(BaseCommand):
    help = (
        "Simulate volunteers of a given accuracy on a campaign made for it: they answer what the platform "
        "hands out, a model is trained after each round and orders the queue for the next. Prints the "
        "learning curve as JSON, measured on the gold of tasks that have no consensus yet."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="id of an open campaign with records and no training yet")
        parser.add_argument("--gold", type=Path, required=True, help="CSV task,label by the record's id")
        parser.add_argument("--budget", type=int, required=True, help="answers in all")
        parser.add_argument("--strategy", choices=TrainingPolicy.Acquisition.values, required=True)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--rounds", type=int, default=4, help="trainings (4)")
        parser.add_argument("--volunteers", type=int, default=6, help="how many (6)")
        parser.add_argument("--accuracy", type=float, default=0.85, help="of each volunteer (0.85)")

    def handle(self, *, campaign, gold, budget, strategy, seed, rounds, volunteers, accuracy, **options):
        # Imported here because it brings torch, which --help and the other commands do not need.
        from training.services.simulation import learning_curve

        with tqdm(total=100 * rounds, bar_format="{desc:<22} {percentage:3.0f}% |{bar}| {elapsed}") as bar:

            def watch(turn: int, stage: str, share_done: float) -> None:
                bar.set_description_str(f"round {turn}: {stage}", refresh=False)
                bar.n = 100 * (turn - 1 + share_done)
                bar.refresh()

            try:
                found = campaign_named(campaign)
                with gold.open("rb") as file:
                    exchange.import_gold(found, file)
                points = learning_curve(
                    found, budget=budget, n_rounds=rounds, strategy=strategy, seed=seed,
                    n_volunteers=volunteers, accuracy=accuracy, watch=watch,
                )  # fmt: skip
                curve = [asdict(point) for point in points]
            except PlatformError as error:
                raise CommandError(error.sentence) from error
            except OSError as error:
                raise CommandError(f"{gold} could not be read: {error.strerror}.") from error
        settings = {"strategy": strategy, "seed": seed, "budget": budget, "accuracy": accuracy}
        self.stdout.write(json.dumps({**settings, "curve": curve}))
