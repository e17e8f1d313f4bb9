"""A real data set through the whole loop, beside TF-IDF with logistic regression on one split. Prints JSON.

The texts are imported as records, one volunteer answers each with its gold label through the services that a
browser's answers pass through, a run takes its snapshot, trains, measures and orders the queue.

    ./hc bench loop_accuracy symptom2disease medical_abstracts
"""

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path

import _stack as stack
import numpy as np
from _real_texts import data_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["symptom2disease"], help="folders of the data's text/")
    arguments = parser.parse_args()
    folders = [data_folder(name) for name in arguments.names]
    with stack.data_directory():
        print(json.dumps([through_the_loop(folder) for folder in folders], indent=1))


def through_the_loop(folder: Path) -> dict:
    from django.utils import timezone

    from annotation.models import Campaign
    from annotation.services import campaigns, intake
    from annotation.services.replay import replay_answers
    from training.services import runs
    from training.services.execution import execute_run

    with (folder / "gold.csv").open(newline="") as file:
        gold = list(csv.DictReader(file))
    labels = [{"key": label} for label in sorted({row["label"] for row in gold})]
    campaign = campaigns.create_campaign(
        by=None, name=folder.name, question="Which one?", labels=labels, needed=1
    )
    campaign = campaigns.set_state(campaign, Campaign.State.OPEN, by=None)
    with (folder / "texts.csv").open() as texts, tempfile.NamedTemporaryFile("w", suffix=".csv") as records:
        records.write(texts.read().replace("task,text", "id,text", 1))
        records.flush()
        batch = intake.start_import(
            campaign, Path(records.name), file_name="texts.csv", deidentified=True, by=None
        )
        intake.run_import(batch.pk)
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as answers:
        writer = csv.writer(answers)
        writer.writerow(["task", "worker", "label"])
        writer.writerows([row["task"], "gold", row["label"]] for row in gold)
        answers.flush()
        replay_answers(campaign, Path(answers.name))
    run = runs.open_run(campaign, now=timezone.now())
    began = time.monotonic()
    succeeded = execute_run(run.pk)
    seconds = time.monotonic() - began
    run.refresh_from_db()
    if not succeeded:
        raise SystemExit(f"the run failed: {run.failure}")
    return {
        "data": folder.name,
        "n_records": campaigns.Campaign.objects.get(pk=campaign.pk).n_tasks,
        "n_examples": run.n_examples,
        "run_minutes": round(seconds / 60, 1),
        "models": {one.family: summary(one.metrics["test"]) for one in run.versions.all()},
        "in_charge": run.model_version.family,
        "refit_seconds": refit(campaign),
        "tf_idf_logistic_regression": summary(linear_on(Path(run.snapshot_path))),
    }


def refit(campaign) -> float:
    """Fit the fast models again, judge them and have the one in charge order the queue."""
    from django.utils import timezone

    from training.models import TrainingRun
    from training.services import runs
    from training.services.execution import execute_run

    run = runs.open_run(campaign, kind=TrainingRun.Kind.REFIT, now=timezone.now())
    began = time.monotonic()
    if not execute_run(run.pk):
        raise SystemExit("the refit failed")
    return round(time.monotonic() - began, 1)


def linear_on(snapshot_path: Path) -> dict:
    """The linear baseline on the very parts of the run's snapshot."""
    from text_accuracy import linear_baseline

    from training.services.snapshot import read_snapshot

    snapshot = read_snapshot(snapshot_path)
    given = [row["value"]["label"] for row in snapshot.rows]
    names = sorted(set(given))
    labels = np.array([names.index(label) for label in given])
    return linear_baseline(snapshot.texts, labels, snapshot.parts)


def summary(metrics: dict) -> dict:
    return {name: round(metrics[name], 4) for name in ("accuracy", "macro_f1", "expected_calibration_error")}


if __name__ == "__main__":
    main()
