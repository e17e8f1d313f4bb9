"""The life of an import: stored, taken by a worker under a lease, run batch by batch, done or failed.

Each batch commits its rows together with the counters, so a worker that is killed leaves an exact mark:
whoever takes the import next passes over the rows that are counted and goes on.
"""

import errno
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import psycopg2.errors
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from annotation.errors import DiskFull, Invalid, PlatformError, place_of
from annotation.kinds import kind_named
from annotation.models import Campaign, Import, RefusedRow, TrailEntry, User
from annotation.services.intake.batches import Outcome, write_batch
from annotation.services.intake.readers import (
    TWO_TEXTS,
    Item,
    Row,
    read_csv,
    read_folder,
    read_jsonl,
    read_zip,
)
from annotation.services.intake.refusals import MAX_LISTED
from annotation.services.intake.tables import open_file

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 2_000_000_000
LEASE = timedelta(minutes=2)  # a batch takes a second or two, and passing over counted rows seconds
MAX_TAKES = 5  # a file that has broken so many workers is not given to another
BATCH_ROWS = 2000
BATCH_CHARACTERS = 2_000_000
ORPHANED_AFTER = timedelta(days=1)

READERS = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".zip": read_zip,
}


class Superseded(Exception):
    """Another worker has taken this import since; what we were about to write is dropped."""


def store_upload(
    campaign: Campaign, file_name: str, chunks: Iterable[bytes], *, deidentified: bool, by: User | None
) -> Import:
    """Keep an uploaded file for a worker. A file that can't be kept whole leaves nothing."""
    file_name = os.path.basename(file_name.replace("\\", "/"))
    _extension(file_name)
    path = Path(settings.UPLOAD_DIR, secrets.token_hex(16))
    try:
        _save(path, chunks)
        return start_import(campaign, path, file_name=file_name, deidentified=deidentified, by=by)
    except BaseException as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise DiskFull() from error
        raise


def _save(path: Path, chunks: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    n_bytes = 0
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for chunk in chunks:
            n_bytes += len(chunk)
            if n_bytes > MAX_FILE_BYTES:
                raise Invalid(f"The file is larger than {MAX_FILE_BYTES:,} bytes.", code="file_too_large")
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def start_import(
    campaign: Campaign, path: Path, *, file_name: str, deidentified: bool, by: User | None
) -> Import:
    """Make a file or folder of this machine wait for a worker."""
    if not path.is_dir():
        _extension(file_name)
    with transaction.atomic():
        batch = Import.objects.create(
            campaign=campaign,
            file_name=file_name.replace("\0", "")[-255:],
            path=str(path),
            deidentified=deidentified,
            imported_by=by,
        )
        TrailEntry.objects.create(
            user=by,
            campaign=campaign,
            verb="import_records",
            detail={"import": str(batch.pk), "deidentified": deidentified},
        )
    return batch


def _extension(file_name: str) -> str:
    extension = os.path.splitext(file_name)[1].lower()
    if extension not in READERS:
        raise Invalid(
            f"Records come as CSV, JSONL or a zip of TXT, and the file's name says which: "
            f"{', '.join(READERS)}. This name ends otherwise.",
            code="unknown_format",
        )
    return extension


def waiting_imports(now: datetime) -> QuerySet[Import]:
    """Those that nobody works on: new ones, and those whose worker has fallen silent."""
    silent = Q(state=Import.State.RUNNING, lease_expires_at__lt=now)
    return Import.objects.filter(Q(state=Import.State.WAITING) | silent).order_by("created_at")


def run_import(
    import_id: UUID,
    *,
    clock: Callable[[], datetime] = timezone.now,
    on_progress: Callable[[float], None] | None = None,
) -> Import | None:
    """Take the import and bring it to its end; None when it is somebody else's, or ended already.

    A file that can't be read fails the import with a code and a sentence; rows taken in before stay.
    """
    batch = _take(import_id, clock())
    if batch is None:
        return None
    try:
        _work(batch, clock, on_progress or (lambda share_read: None))
    except Superseded:
        return None
    except PlatformError as error:
        _end(batch, clock(), error.code, error.sentence)
    except (OperationalError, InterfaceError) as error:
        if not isinstance(error.__cause__, psycopg2.errors.DiskFull):
            raise  # the database is away: the lease runs out and the import is taken again
        _end(batch, clock(), DiskFull.code, DiskFull.sentence)
    except Exception as error:
        logger.error("import %s broke off: %s\n%s", batch.pk, type(error).__name__, place_of(error))
        _end(
            batch,
            clock(),
            "unexpected",
            "The import broke off through a fault of this program. Rows taken in so far are kept.",
        )
    return batch


def _take(import_id: UUID, now: datetime) -> Import | None:
    taken = waiting_imports(now).filter(pk=import_id)
    changed = taken.update(
        state=Import.State.RUNNING, lease_expires_at=now + LEASE, fencing_token=F("fencing_token") + 1
    )
    return Import.objects.get(pk=import_id) if changed else None


def _work(batch: Import, clock: Callable[[], datetime], on_progress: Callable[[float], None]) -> None:
    if batch.fencing_token > MAX_TAKES:
        raise Invalid(f"The import was taken up {MAX_TAKES} times and never came to its end.", code="gave_up")
    with _reading(batch) as (items, share_read):
        next(islice(items, batch.n_rows, batch.n_rows), None)
        for chunk in _batches(items):
            _write(batch, chunk, share_read(), clock())
            on_progress(batch.share_read)
    if not batch.n_rows:
        raise Invalid("There is no row in this file.", code="empty_file")
    _end(batch, clock())
    on_progress(1.0)


@contextmanager
def _reading(batch: Import) -> Iterator[tuple[Iterator[Item], Callable[[], float]]]:
    path = Path(batch.path)
    is_pairs = kind_named(batch.campaign.kind).of_pairs
    if is_pairs and (path.is_dir() or _extension(batch.file_name) == ".zip"):
        raise Invalid(
            "A pair has two texts, so pairs come as CSV or JSONL with id, first and second.",
            code="pairs_need_columns",
        )
    if path.is_dir():
        yield read_folder(path), lambda: 0.0
        return
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise Invalid("The file is empty.", code="empty_file")
        if size > MAX_FILE_BYTES:
            raise Invalid(f"The file is larger than {MAX_FILE_BYTES:,} bytes.", code="file_too_large")
        read = READERS[_extension(batch.file_name)]
        items = read(file, TWO_TEXTS) if is_pairs else read(file)
        yield items, lambda: min(1.0, file.tell() / size)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Small enough that memory stays bounded and the campaign is locked for a second at most."""
    chunk: list[Item] = []
    n_characters = 0
    for item in items:
        chunk.append(item)
        n_characters += len(item.text) if isinstance(item, Row) else 0
        if len(chunk) == BATCH_ROWS or n_characters >= BATCH_CHARACTERS:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk


@transaction.atomic
def _write(batch: Import, items: list[Item], share_read: float, now: datetime) -> None:
    outcome = write_batch(batch, items, now=now)
    _list_refusals(batch, outcome)
    _count(batch, outcome, max(batch.share_read, share_read))
    _keep(batch, lease_expires_at=now + LEASE)


def _list_refusals(batch: Import, outcome: Outcome) -> None:
    room = max(0, MAX_LISTED - batch.n_refused)
    RefusedRow.objects.bulk_create(
        RefusedRow(
            batch=batch,
            line=refusal.line,
            external_id=refusal.name,
            reason=refusal.reason,
            sentence=refusal.sentence,
        )
        for refusal in outcome.refusals[:room]
    )


def _count(batch: Import, outcome: Outcome, share_read: float) -> None:
    batch.n_rows += outcome.n_rows
    batch.n_imported += outcome.n_imported
    batch.n_unchanged += outcome.n_unchanged
    batch.n_refused += len(outcome.refusals)
    batch.n_tasks += outcome.n_tasks
    batch.share_read = share_read


def _keep(batch: Import, **fields) -> None:
    """Write the counters, if the import is still ours."""
    counters = ("n_rows", "n_imported", "n_unchanged", "n_refused", "n_tasks", "share_read")
    if not _ours(batch).update(**{name: getattr(batch, name) for name in counters}, **fields):
        raise Superseded()


def _ours(batch: Import) -> QuerySet[Import]:
    return Import.objects.filter(pk=batch.pk, fencing_token=batch.fencing_token, state=Import.State.RUNNING)


def _end(batch: Import, now: datetime, failure_code: str = "", failure: str = "") -> None:
    """Close the import and delete the file, if it was uploaded; the counters stand as last committed."""
    outcome: dict[str, object] = {
        "state": Import.State.FAILED,
        "failure_code": failure_code,
        "failure": failure[:500],
    }
    if not failure:
        outcome = {"state": Import.State.DONE, "share_read": 1.0}
    if _ours(batch).update(finished_at=now, lease_expires_at=None, **outcome):
        path = Path(batch.path)
        if path.parent == settings.UPLOAD_DIR:
            path.unlink(missing_ok=True)
    batch.refresh_from_db()


def delete_orphans(now: datetime) -> int:
    """Delete uploads that no unfinished import knows: their sender was cut off, or their deletion was."""
    known = set(Import.objects.filter(finished_at=None).values_list("path", flat=True))
    before = (now - ORPHANED_AFTER).timestamp()
    n_deleted = 0
    with suppress(FileNotFoundError):
        for entry in os.scandir(settings.UPLOAD_DIR):
            if entry.is_file() and entry.path not in known and entry.stat().st_mtime < before:
                os.unlink(entry.path)
                n_deleted += 1
    return n_deleted


def refusal_counts(batch: Import) -> dict[str, int]:
    """How many of the listed refusals there are of each reason."""
    counts = batch.refused_rows.order_by().values_list("reason").annotate(n=Count("pk"))
    return dict(counts)
