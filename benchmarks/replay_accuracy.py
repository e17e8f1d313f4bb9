"""Real crowds replayed through the platform; accuracy of its majority vote on the data's gold. Prints JSON.

A tie goes to the label that this crowd gave more often in all, as in the export.
"""

import argparse
import csv
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import _stack as stack
from _real_texts import data_folder

PUBLISHED = {"rte": 0.875, "crowdtruth_treat": 0.791}  # majority vote, as the data's README has it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(PUBLISHED), help="folders of the real data's crowd/")
    arguments = parser.parse_args()
    with stack.data_directory():
        print(json.dumps([replay(name) for name in arguments.names], indent=1))


def replay(name: str) -> dict:
    from annotation.models import Campaign
    from annotation.services import campaigns, intake
    from annotation.services.consensus import recompute_consensus
    from annotation.services.export import read_consensus
    from annotation.services.replay import replay_answers

    folder = data_folder(name, "crowd")
    with (folder / "labels.csv").open(newline="") as file:
        answers = list(csv.DictReader(file))
    with (folder / "gold.csv").open(newline="") as file:
        gold = {row["task"]: row["label"] for row in csv.DictReader(file)}
    labels = [{"key": label} for label in sorted({row["label"] for row in answers})]
    campaign = campaigns.create_campaign(by=None, name=name, question="?", labels=labels)
    campaign = campaigns.set_state(campaign, Campaign.State.OPEN, by=None)
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as records:
        writer = csv.writer(records)
        writer.writerow(["id", "text"])
        writer.writerows([task, f"Item {task}"] for task in sorted({row["task"] for row in answers}))
        records.flush()
        path = Path(records.name)
        batch = intake.start_import(campaign, path, file_name="t.csv", deidentified=True, by=None)
        intake.run_import(batch.pk)
    began = time.monotonic()
    tally = replay_answers(campaign, folder / "labels.csv", all_answers=True)
    seconds = time.monotonic() - began
    consensus = {row.task: row for row in read_consensus(campaign)}
    right = [consensus[task].label == label for task, label in gold.items() if task in consensus]
    judged = recompute_consensus(campaign, now=datetime.now(UTC), check=True)
    return {
        "data": name,
        "answers": tally.n_taken,
        "seconds": round(seconds, 1),
        "accuracy": round(sum(right) / len(right), 4),
        "majority_vote_of_the_data": PUBLISHED.get(name),
        "consensus_differences": sum(n for _, n in judged),
    }


if __name__ == "__main__":
    main()
