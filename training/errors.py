"""What can go wrong with a run, in words that can be shown."""

from annotation.errors import Conflict, Invalid


class TrainingRefused(Invalid):
    """Training or asking a model cannot go on, and trying again without a change will not help."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence, code=code)


def model_missing() -> TrainingRefused:
    return TrainingRefused(
        "model_missing",
        "The files of the campaign's model are not on the worker's disk. Start a new training.",
    )


def model_damaged() -> TrainingRefused:
    return TrainingRefused(
        "model_damaged",
        "The files of the campaign's model are not as they were written: a disk or a copy has damaged them. "
        "Put another model in charge, or start a new training.",
    )


class RunAlreadyOpen(Conflict):
    code = "run_already_open"
    sentence = "A training run of this campaign is already open. Wait for it to end."


class TooFewLabels(Invalid):
    code = "too_few_labels"


class NoModel(Conflict):
    code = "no_model"
    sentence = "This campaign has no model yet. Train one first."


class NothingToLearn(Invalid):
    code = "nothing_to_learn"


class SnapshotChanged(Invalid):
    code = "snapshot_changed"
    sentence = "The run's snapshot was changed after it was taken."


class SnapshotGone(Invalid):
    code = "snapshot_gone"
    sentence = "The snapshot that this run's models learned from is no longer kept."


class ChargeChanged(Exception):
    """Another model has taken charge since this one was compared."""


class RunLost(Exception):
    """Another worker has taken this run up, or it was ended: whatever we have is not wanted."""
