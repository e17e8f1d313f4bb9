"""What would a strategy gain? Simulated volunteers answer what the platform hands out."""

import json
import math
from dataclasses import asdict
from pathlib import Path

from django.core.management.base import CommandError

from annotation import exchange
from annotation.management.console import (
    SHARE_FORMAT,
    PlatformCommand,
    campaign_named,
    progress_bar,
    show_share,
)
from training.algorithms.time_model import USUAL_EXPONENT, USUAL_SECONDS, TimeModel
from training.models import TrainingPolicy


class Command(PlatformCommand):
    help = (
        "Simulate volunteers of a given accuracy on a campaign made for it: they answer what the platform "
        "hands out, a model is trained after each round and orders the queue for the next. Three in ten "
        "gold tasks are never answered: on them each model is measured. "
        "Prints the learning curve as JSON, by answers and by minutes."
    )

    def add_arguments(self, parser):
        parser.add_argument("campaign", help="id of an open campaign with records and no training yet")
        parser.add_argument("--gold", type=Path, required=True, help="CSV task,label by the record's id")
        parser.add_argument("--budget", type=int, required=True, help="answers in all")
        parser.add_argument("--strategy", choices=TrainingPolicy.Acquisition.values, required=True)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--rounds", type=int, default=4, help="trainings (4)")
        parser.add_argument("--volunteers", type=int, default=6, help="how many (6)")
        parser.add_argument(
            "--seconds", type=float, default=USUAL_SECONDS, help="median for a text of 100 characters (8)"
        )
        parser.add_argument(
            "--exponent",
            type=float,
            default=USUAL_EXPONENT,
            help="how time grows with length: 0 not at all, 1 with it (0.4)",
        )
        parser.add_argument("--accuracy", type=float, default=0.85, help="of each volunteer (0.85)")

    def handle(self, *, campaign, gold, budget, strategy, seed, rounds, volunteers, accuracy, **options):
        # Imported here because it brings torch, which --help and the other commands do not need.
        from training.services.simulation import learning_curve

        if options["seconds"] <= 0 or options["exponent"] < 0:
            raise CommandError("--seconds must be above 0 and --exponent at least 0.")
        found = campaign_named(campaign)
        tally = exchange.import_gold(found, gold)
        if not tally.n_taken and not tally.n_unchanged:
            raise CommandError(f"No row of {gold} is gold of a task of this campaign.")
        time_model = TimeModel(level=math.log(options["seconds"]), exponent=options["exponent"])
        with progress_bar(total=100, bar_format=SHARE_FORMAT) as bar:

            def watch(turn: int, stage: str, share_done: float) -> None:
                bar.set_description_str(f"round {turn} of {rounds}: {stage}", refresh=False)
                show_share(bar, (turn - 1 + share_done) / rounds)

            points = learning_curve(
                found,
                budget=budget,
                n_rounds=rounds,
                strategy=strategy,
                seed=seed,
                n_volunteers=volunteers,
                accuracy=accuracy,
                time_model=time_model,
                watch=watch,
            )
            curve = [asdict(point) for point in points]
        chosen = {"strategy": strategy, "seed": seed, "budget": budget, "accuracy": accuracy}
        self.stdout.write(json.dumps({**chosen, "curve": curve}))
