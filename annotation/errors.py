"""Errors with a name, a code and a sentence that is safe to show. Services raise them; the API translates."""

import traceback


def place_of(error: BaseException) -> str:
    """Where an error arose, for a log: without its own words, which may quote a record."""
    return "".join(traceback.format_tb(error.__traceback__))


class PlatformError(Exception):
    """Something the caller can understand and act on. `code` is stable, `sentence` is for people."""

    code = "error"
    sentence = "Something went wrong."

    def __init__(self, sentence: str | None = None, *, code: str | None = None):
        self.code = code or self.code
        self.sentence = sentence or self.sentence
        super().__init__(self.sentence)


class NotFound(PlatformError):
    code = "not_found"
    sentence = "There is nothing here that you may see."


class Invalid(PlatformError):
    """What was sent can't be taken as it is."""

    code = "invalid"


class InvitationUnusable(Invalid):
    code = "invitation_unusable"
    sentence = "This invitation has run out or was used up. Ask whoever sent it for a new one."


class Forbidden(PlatformError):
    code = "forbidden"
    sentence = "Your role does not allow this."


class Conflict(PlatformError):
    """What was sent is well formed, but the state of things has moved on."""

    code = "conflict"


class TooMany(PlatformError):
    """Nothing is wrong with it but that it comes too soon."""

    code = "too_many_requests"


class InvalidAnswer(Invalid):
    code = "invalid_answer"


class KeyReused(Invalid):
    code = "key_reused"
    sentence = "This key was used before with another answer. Make a new key for a new answer."


class CampaignPaused(Conflict):
    code = "campaign_paused"
    sentence = "This campaign is paused. Your answers so far are kept; come back when it is open again."


class AlreadyAnswered(Conflict):
    code = "already_answered"
    sentence = "You have answered this one already. The first answer is kept."


class AnswerStands(Conflict):
    code = "answer_stands"
    sentence = (
        "You have been shown right answers to earlier texts, or what a model makes of this one, so what you "
        "had answered before stays as it is."
    )


class LeaseExpired(Conflict):
    code = "lease_expired"
    sentence = "Your time for this one ran out and others filled its places, so this answer was not needed."


class NotOpen(Conflict):
    code = "assignment_closed"
    sentence = "You gave this one back, so it takes no answer."


class TaskFull(Conflict):
    code = "task_full"
    sentence = "This task has all the answers it needs."


class RecordHeld(Conflict):
    code = "record_held"
    sentence = "This record is held back, so it takes no answers now."


class NotYetRead(Conflict):
    code = "not_read_yet"
    sentence = "Read this record among the held ones first; whoever releases a record has looked at it."


class AlreadyDecided(Conflict):
    code = "already_decided"
    sentence = "Another reviewer decided this one meanwhile. Look at it again before you change it."


class GoldStands(Conflict):
    code = "gold_stands"
    sentence = "The right answer of this task came with a file, so there is nothing to decide."


class NothingToDecide(Conflict):
    code = "no_answers"
    sentence = "Nobody has answered this task yet, so there is nothing to decide."


class ConsentRequired(Forbidden):
    code = "consent_required"
    sentence = "Please read and accept the campaign's terms first."


class TakenOut(Forbidden):
    code = "taken_out"
    sentence = (
        "The people who run this campaign have ended your part in it, so it has no more texts for you. "
        "Your answers are kept, with thanks. If you think this is a mistake, ask whoever invited you."
    )


class DiskFull(PlatformError):
    code = "disk_full"
    sentence = "The server's disk is full, so nothing more was saved. Try again when there is room."
