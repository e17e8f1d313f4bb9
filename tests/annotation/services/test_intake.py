"""Records in: what is taken, what is refused and why, and what survives a killed worker or a full disk."""

import csv
import io
import json
import logging
import os
import resource
import stat
import tracemalloc
import zipfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.algorithms.checksum import text_checksum
from annotation.errors import DiskFull, Invalid
from annotation.models import Campaign, Import, MicroTask, Record
from annotation.services import intake
from annotation.services.held_records import release_records
from annotation.services.intake import framing, imports
from annotation.services.intake.framing import DelimitedRows, read_frames
from annotation.tasks import import_file, intake_tick
from hc_platform.celery import app
from tests.factories import NOW, SIDES, make_campaign

pytestmark = pytest.mark.django_db
SECRET = "Jane Miller of Elm Street"


@pytest.fixture
def campaign():
    return make_campaign()


@pytest.fixture(autouse=True)
def uploads(tmp_path, settings) -> Path:
    settings.UPLOAD_DIR = tmp_path / "uploads"
    return settings.UPLOAD_DIR


def start(campaign: Campaign, name: str, content: bytes | str, *, deidentified: bool = True) -> Import:
    content = content.encode() if isinstance(content, str) else content
    return intake.store_upload(campaign, name, [content], deidentified=deidentified, by=None)


def take_in(campaign: Campaign, name: str, content: bytes | str, **options) -> Import:
    return intake.run_import(start(campaign, name, content, **options).pk, clock=lambda: NOW)


def texts(campaign: Campaign) -> dict[str, str]:
    return dict(Record.objects.filter(campaign=campaign).values_list("external_id", "text"))


def refused(batch: Import) -> list[tuple[int, str, str]]:
    return list(batch.refused_rows.values_list("line", "external_id", "reason"))


def zipped(entries: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return packed.getvalue()


# --- what goes in


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start_of_file", ["", "\ufeff"])
def test_delimiter_and_byte_order_mark_are_found(campaign, delimiter, start_of_file):
    rows = [["ID", "text", "ward"], ["a", "No rash, no; fever", "3 | W\t"]]
    content = io.StringIO()
    csv.writer(content, delimiter=delimiter).writerows(rows)
    batch = take_in(campaign, "r.csv", start_of_file + content.getvalue())
    record = Record.objects.get(campaign=campaign)
    assert (record.external_id, record.text, record.metadata) == (
        "a",
        "No rash, no; fever",
        {"ward": "3 | W\t"},
    )
    assert (batch.state, batch.n_rows, batch.n_imported, batch.share_read) == ("done", 1, 1, 1.0)


def test_text_is_kept_to_the_letter(campaign):
    text = 'He said "no".\r\n\tBack\\slash \\N, emoji 🩺, 没有皮疹.\n\nEnd '
    content = io.StringIO()
    csv.writer(content).writerows([["id", "text"], ["a", text]])
    take_in(campaign, "r.csv", content.getvalue())
    take_in(campaign, "r.jsonl", json.dumps({"id": "b", "text": text}))
    assert texts(campaign) == {"a": text, "b": text}


def test_sentences_become_tasks_that_cover_their_text():
    campaign = make_campaign(unit=Campaign.Unit.SENTENCE, needed=2)
    text = "HPI: Seen by Dr. Lee 🩺. No fever."
    batch = take_in(campaign, "r.jsonl", json.dumps({"id": 1, "text": text}))
    tasks = list(MicroTask.objects.filter(campaign=campaign).order_by("ordinal"))
    assert [text[task.start : task.end] for task in tasks] == ["Seen by Dr. Lee 🩺.", "No fever."]
    assert [task.checksum for task in tasks] == [text_checksum(text[t.start : t.end]) for t in tasks]
    assert {(t.section, t.needed, t.taken, t.held, t.is_open) for t in tasks} == {("HPI", 2, 0, False, True)}
    assert all(0 <= task.priority < 1 for task in tasks)
    campaign.refresh_from_db()
    assert batch.n_tasks == campaign.n_tasks == 2


def test_importing_twice_changes_nothing(campaign):
    content = "id,text\na,No rash.\nb,A rash.\n"
    take_in(campaign, "r.csv", content)
    again = take_in(campaign, "r.csv", content)
    assert (again.state, again.n_imported, again.n_unchanged, again.n_refused) == ("done", 0, 2, 0)
    assert MicroTask.objects.filter(campaign=campaign).count() == 2


def test_a_folder_gives_a_record_for_each_text_file(campaign, tmp_path):
    folder = tmp_path / "notes"
    (folder / "ward").mkdir(parents=True)
    (folder / "ward" / "b.txt").write_text("A rash.")
    (folder / "a.TXT").write_bytes(b"\xef\xbb\xbfNo rash.")
    (folder / "c.docx").write_bytes(b"PK")
    (folder / ".DS_Store").write_bytes(b"\0")
    batch = intake.start_import(campaign, folder, file_name="notes", deidentified=True, by=None)
    batch = intake.run_import(batch.pk)
    assert texts(campaign) == {"a": "No rash.", "ward/b": "A rash."}
    assert refused(batch) == [(2, "c", "not_a_text_file")]
    assert folder.exists()


def test_a_zip_is_read_without_unpacking_it(campaign, tmp_path):
    entries = {
        "../../etc/evil.txt": "No rash.",
        "n/a.txt": "A rash.",
        "__MACOSX/n/._a.txt": b"\0",
        "x.pdf": "x",
    }
    entries |= {"latin.txt": "Müller".encode("latin-1"), "zip.txt": zipped({"a.txt": "a"})}
    batch = take_in(campaign, "notes.zip", zipped(entries))
    assert texts(campaign) == {"../../etc/evil": "No rash.", "n/a": "A rash."}
    assert refused(batch) == [
        (4, "x", "not_a_text_file"),
        (5, "latin", "bad_encoding"),
        (6, "zip", "not_a_text_file"),
    ]
    assert not list(tmp_path.rglob("evil*"))


def test_zip_entries_that_cannot_be_unpacked_are_refused_alone(campaign):
    packed = bytearray(zipped({"good.txt": "A rash.", "bad.txt": "No rash." * 20}, zipfile.ZIP_STORED))
    packed[packed.index(b"No rash.")] ^= 1
    other_method = zipped({"a.txt": "a" * 50}, zipfile.ZIP_LZMA)
    assert refused(take_in(campaign, "a.zip", bytes(packed))) == [(2, "bad", "unreadable")]
    assert refused(take_in(campaign, "b.zip", other_method)) == [(1, "a", "unreadable")]
    assert texts(campaign) == {"good": "A rash."}


# --- pairs


@pytest.fixture
def comparison():
    return make_campaign(kind="pairs", labels=SIDES)


def pairs_of(campaign: Campaign) -> list[tuple[str, str, str]]:
    """The texts of each task as they are handed out."""
    return [
        (
            task.record.external_id,
            task.record.text[task.start : task.divider - 2],
            task.record.text[task.divider : task.end],
        )
        for task in MicroTask.objects.filter(campaign=campaign)
        .select_related("record")
        .order_by("record__external_id")
    ]


def test_pairs_come_as_two_columns_and_are_one_task_of_one_record(comparison):
    rows = [
        ["id", "first", "second", "first_id"],
        ["p1", "A 😀 rash.\n\nIt went.", "发热三天。", "a"],
        ["p2", "No. Yes.", " B", "b"],
    ]
    content = io.StringIO()
    csv.writer(content).writerows(rows)
    batch = take_in(comparison, "pairs.csv", content.getvalue())
    assert (batch.n_imported, batch.n_tasks, batch.failure) == (2, 2, "")
    assert pairs_of(comparison) == [("p1", "A 😀 rash.\n\nIt went.", "发热三天。"), ("p2", "No. Yes.", " B")]
    assert Record.objects.get(external_id="p1").metadata == {"first_id": "a"}
    task = MicroTask.objects.get(record__external_id="p1")
    assert task.checksum == text_checksum(task.record.text)


def test_pairs_come_as_jsonl_and_the_same_file_changes_nothing(comparison):
    lines = [{"id": 1, "first": "A", "second": "B", "second_id": "b"}, {"id": 2, "first": "C", "second": "D"}]
    content = "\n".join(json.dumps(line) for line in lines)
    assert take_in(comparison, "pairs.jsonl", content).n_tasks == 2
    assert pairs_of(comparison) == [("1", "A", "B"), ("2", "C", "D")]
    assert Record.objects.get(external_id="1").metadata == {"second_id": "b"}
    assert take_in(comparison, "pairs.jsonl", content).n_unchanged == 2


def test_half_a_pair_is_refused_by_its_line(comparison):
    batch = take_in(comparison, "p.csv", "id,first,second\na,One,Other\nb,One, \nc,,Other\n")
    assert refused(batch) == [(3, "b", "half_a_pair"), (4, "c", "half_a_pair")]
    batch = take_in(
        comparison, "p.jsonl", '{"id": "d", "first": "One"}\n{"id": "e", "first": 1, "second": "x"}'
    )
    assert refused(batch) == [(1, "d", "half_a_pair"), (2, "e", "half_a_pair")]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("p.csv", "id,text\na,A rash.\n", "no_id_or_first_or_second_column"),
        ("p.zip", zipped({"a.txt": "A rash."}), "pairs_need_columns"),
    ],
)
def test_pairs_in_another_form_are_not_taken(comparison, name, content, code):
    batch = take_in(comparison, name, content)
    assert (batch.failure_code, MicroTask.objects.count()) == (code, 0)


# --- what does not go in


def test_bad_csv_rows_are_refused_by_line_and_the_others_go_in(campaign):
    lines = [
        b"id,text",
        b"a,No rash.",
        b"",
        b"b,",
        b",A rash.",
        b"a,Another text.",
        b"c,M\xfcller has no rash.",
        b"d,NUL \0 here",
        b"e,one,two",
        b"f",
        b"g" * 201 + b",Long id.",
        b'h,"Two\nlines."',
        b'i,"never closed',
        b"j,so this is lost",
    ]
    batch = take_in(campaign, "r.csv", b"\n".join(lines))
    assert texts(campaign) == {"a": "No rash.", "h": "Two\nlines."}
    assert refused(batch) == [
        (4, "b", "no_text"),
        (5, "", "no_id"),
        (6, "a", "duplicate_id"),
        (7, "", "bad_encoding"),
        (8, "", "nul_character"),
        (9, "", "wrong_number_of_columns"),
        (10, "", "wrong_number_of_columns"),
        (11, "g" * 200, "id_too_long"),
        (14, "", "unclosed_quote"),
    ]
    assert (batch.state, batch.n_rows, batch.n_imported, batch.n_refused) == ("done", 11, 2, 9)


def test_bad_json_lines_are_refused_by_line(campaign):
    deep = {"id": "deep", "text": "x", "m": [[[[[[]]]]]]}
    lines = [
        '{"id": "a", "text": "No rash.", "ward": {"n": 3}}',
        '{"id": "b", "text": ',
        "[1]",
        '{"id": true, "text": "x"}',
        '{"id": "c", "text": 5}',
        '{"id": "d", "text": "a \\u0000"}',
        '{"id": "e", "text": "x", "m": "\\u0000"}',
        '{"id": "f", "text": "\\ud800"}',
        json.dumps(deep),
        json.dumps({"id": "wide", "text": "x", "m": "y" * 5000}),
    ]
    batch = take_in(campaign, "r.jsonl", "\n".join(lines))
    assert Record.objects.get(campaign=campaign).metadata == {"ward": {"n": 3}}
    assert refused(batch) == [
        (2, "", "bad_json"),
        (3, "", "bad_json"),
        (4, "", "no_id"),
        (5, "c", "no_text"),
        (6, "d", "nul_character"),
        (7, "e", "nul_character"),
        (8, "", "bad_json"),
        (9, "deep", "bad_metadata"),
        (10, "wide", "bad_metadata"),
    ]


def test_an_id_with_another_text_keeps_the_first(campaign):
    take_in(campaign, "r.csv", "id,text\na,No rash.\n")
    batch = take_in(campaign, "r.csv", "id,text\na,A rash.\nb,A rash.\n")
    assert refused(batch) == [(2, "a", "id_taken_by_other_text")]
    assert texts(campaign) == {"a": "No rash.", "b": "A rash."}


def test_a_repeated_id_is_found_across_batches(campaign, monkeypatch):
    monkeypatch.setattr(imports, "BATCH_ROWS", 2)
    batch = take_in(campaign, "r.csv", "id,text\na,1\nb,2\nc,3\na,1\n")
    assert refused(batch) == [(5, "a", "duplicate_id")]


def test_refusals_past_the_list_are_still_counted(campaign, monkeypatch):
    monkeypatch.setattr(imports, "MAX_LISTED", 3)
    monkeypatch.setattr(imports, "BATCH_ROWS", 2)
    batch = take_in(campaign, "r.csv", "id,text\n" + "a,\n" * 9)
    assert (batch.n_refused, batch.refused_rows.count()) == (9, 3)


def test_a_cell_of_a_gigabyte_is_refused_in_little_memory(campaign, tmp_path):
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.write(b'id,text\na,No rash.\nb,"')
        file.seek(1_000_000_000)
        file.write(b'",\nc,"A rash."\n')  # the hole before reads as a gigabyte of NUL
    batch = intake.start_import(campaign, path, file_name=path.name, deidentified=True, by=None)
    tracemalloc.start()
    batch = intake.run_import(batch.pk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused(batch) == [(3, "", "too_long")]
    assert texts(campaign) == {"a": "No rash.", "c": "A rash."}
    assert peak < 60_000_000


def test_a_text_over_the_limit_is_refused(campaign):
    batch = take_in(campaign, "r.csv", f"id,text\na,{'x' * 1_000_001}\nb,{'🩺' * 1_000_000}\n")
    assert refused(batch) == [(2, "a", "too_long")]
    assert list(texts(campaign)) == ["b"]


PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
NOTE = "No rash was seen. " * 4_000_000


@pytest.mark.parametrize(
    ("name", "content", "code", "part_of_sentence"),
    [
        ("r.csv", b"", "empty_file", "empty"),
        ("r.csv", b" \r\n\n", "empty_file", "empty"),
        ("r.csv", b"id,text\n", "empty_file", "no row"),
        ("r.csv", PNG, "not_text", "binary"),
        ("r.csv", bytes(range(256)) * 40, "not_text", "UTF-8"),
        ("r.csv", "id,text\na,b\n".encode("utf-16"), "not_text", "UTF-16"),
        ("r.csv", zipped({"a.txt": "a"}), "not_text", "binary"),
        ("r.csv", b"name;note\na;b\n", "no_id_or_text_column", "Found are 2, separated by a semicolon"),
        ("r.csv", b"id,text,text\na,b,c\n", "repeated_column", "text"),
        ("r.csv", b"id,text," + b",".join(b"m%d" % n for n in range(21)), "too_many_columns", "21"),
        ("r.jsonl", b'[{"id": "a", "text": "b"}]', "not_jsonl", "one object a line"),
        ("r.jsonl", PNG, "not_text", "binary"),
        ("r.zip", b"id,text\n", "bad_zip", "damaged"),
        ("r.zip", zipped({"a.txt": "a"})[:-30], "bad_zip", "damaged"),
        ("r.zip", zipped({}), "empty_file", "no file"),
        ("r.zip", zipped({"a.txt": "a", "b.ZIP": zipped({"c.txt": "c"})}), "nested_zip", "zip inside"),
        ("r.zip", zipped({"a.txt": NOTE}), "zip_bomb", "72,000,000 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_read_fails_with_a_code_and_a_sentence(
    campaign, uploads, name, content, code, part_of_sentence
):
    batch = take_in(campaign, name, content)
    assert (batch.state, batch.failure_code) == ("failed", code)
    assert part_of_sentence in batch.failure
    assert not Record.objects.filter(campaign=campaign).exists()
    assert list(uploads.iterdir()) == []


def test_a_zip_whose_list_of_names_is_too_long_is_refused_unread(campaign):
    packed = bytearray(zipped({"a.txt": "a"}))
    at = packed.rindex(b"PK\x05\x06") + 12
    packed[at : at + 4] = (200_000_000).to_bytes(4, "little")
    assert take_in(campaign, "r.zip", bytes(packed)).failure_code == "too_many_files"


def test_a_file_that_vanished_fails_the_import(campaign, tmp_path):
    batch = intake.start_import(campaign, tmp_path / "r.csv", file_name="r.csv", deidentified=True, by=None)
    batch = intake.run_import(batch.pk)
    assert (batch.state, batch.failure_code) == ("failed", "file_missing")


# --- held records


def test_records_not_said_to_be_deidentified_are_held_until_released(campaign):
    take_in(campaign, "r.csv", "id,text\na,No rash.\n", deidentified=False)
    held = {"held": True, "is_open": False}
    assert MicroTask.objects.values("held", "is_open").get(campaign=campaign) == held
    assert release_records(campaign, by=None) == 1
    assert MicroTask.objects.values("held", "is_open").get(campaign=campaign) == {
        "held": False,
        "is_open": True,
    }


# --- uploads


def test_an_upload_is_readable_by_the_server_alone_and_deleted_when_done(campaign, uploads):
    batch = start(campaign, "C:\\notes\\r.csv", "id,text\na,No rash.\n")
    path = Path(batch.path)
    assert batch.file_name == "r.csv"
    assert path.parent == uploads
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert intake.run_import(batch.pk).state == "done"
    assert not path.exists()


@pytest.mark.parametrize("name", ["notes.docx", "notes", "notes.csv.exe", ""])
def test_an_upload_of_unknown_format_is_refused(campaign, uploads, name):
    with pytest.raises(Invalid) as refusal:
        start(campaign, name, "id,text\n")
    assert refusal.value.code == "unknown_format"
    assert not uploads.exists()


def test_an_upload_over_the_limit_leaves_nothing(campaign, uploads, monkeypatch):
    monkeypatch.setattr(imports, "MAX_FILE_BYTES", 10)
    with pytest.raises(Invalid) as refusal:
        start(campaign, "r.csv", "id,text\na,No rash.\n")
    assert refusal.value.code == "file_too_large"
    assert list(uploads.iterdir()) == []
    assert not Import.objects.exists()


def test_a_full_disk_leaves_nothing_and_says_so(campaign, uploads):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, hard))
    try:
        with pytest.raises(DiskFull) as refusal:
            intake.store_upload(campaign, "r.csv", [b"x" * 1_000_000] * 9, deidentified=True, by=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refusal.value.code == "disk_full"
    assert list(uploads.iterdir()) == []
    assert not Import.objects.exists()


def test_forgotten_uploads_are_deleted_after_a_day(campaign, uploads):
    waiting = Path(start(campaign, "r.csv", "id,text\na,b\n").path)
    orphan = uploads / "orphan"
    orphan.write_text("x")
    for path in (waiting, orphan):
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert intake.delete_orphans(NOW + timedelta(hours=23)) == 0
    assert intake.delete_orphans(NOW + timedelta(hours=25)) == 1
    assert list(uploads.iterdir()) == [waiting]


# --- workers that are killed, and others that take over


class Killed(BaseException):
    """Nothing catches it, as nothing catches kill -9."""


def kill(share_read: float) -> None:
    raise Killed


def rows_csv(n: int) -> str:
    return "id,text\n" + "".join(f"r{i},Text {i}.\n" if i % 5 else f"r{i},\n" for i in range(n))


def test_a_killed_import_goes_on_where_it_was_after_its_lease(campaign, monkeypatch):
    monkeypatch.setattr(imports, "BATCH_ROWS", 10)
    batch = start(campaign, "r.csv", rows_csv(25))
    with pytest.raises(Killed):
        intake.run_import(batch.pk, clock=lambda: NOW, on_progress=kill)
    assert intake.run_import(batch.pk, clock=lambda: NOW + imports.LEASE) is None
    batch = intake.run_import(batch.pk, clock=lambda: NOW + imports.LEASE + timedelta(seconds=1))
    assert (batch.state, batch.n_rows, batch.n_imported, batch.n_refused) == ("done", 25, 20, 5)
    assert [line for line, _, _ in refused(batch)] == [2, 7, 12, 17, 22]
    assert batch.fencing_token == 2
    campaign.refresh_from_db()
    assert campaign.n_tasks == MicroTask.objects.filter(campaign=campaign).count() == 20


def test_a_worker_that_lost_its_import_writes_nothing_more(campaign, monkeypatch):
    monkeypatch.setattr(imports, "BATCH_ROWS", 10)
    batch = start(campaign, "r.csv", rows_csv(25))

    def lose(share_read: float) -> None:
        Import.objects.filter(pk=batch.pk).update(fencing_token=7)

    assert intake.run_import(batch.pk, on_progress=lose) is None
    batch.refresh_from_db()
    assert (batch.state, batch.n_rows) == ("running", 10)
    assert Record.objects.filter(campaign=campaign).count() == 8


def test_an_import_that_breaks_every_worker_is_given_up(campaign):
    batch = start(campaign, "r.csv", rows_csv(5))
    Import.objects.filter(pk=batch.pk).update(fencing_token=imports.MAX_TAKES)
    assert intake.run_import(batch.pk).failure_code == "gave_up"


def test_a_fault_of_ours_fails_the_import_and_logs_no_text(campaign, monkeypatch, caplog):
    def break_off(*args, **options):
        raise ValueError(SECRET)

    monkeypatch.setattr(imports, "write_batch", break_off)
    with caplog.at_level(logging.DEBUG):
        batch = take_in(campaign, "r.csv", f"id,text\na,{SECRET}\n")
    assert (batch.state, batch.failure_code, batch.n_rows) == ("failed", "unexpected", 0)
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text + batch.failure


def test_a_finished_import_is_not_run_again(campaign):
    batch = take_in(campaign, "r.csv", "id,text\na,b\n")
    assert intake.run_import(batch.pk) is None


def test_the_tick_wakes_a_worker_for_what_waits(campaign):
    batch = start(campaign, "r.csv", "id,text\na,b\n")
    with app.connection_for_read() as connection, closing(connection.SimpleQueue("default")) as queue:
        queue.clear()
        intake_tick()
        message = queue.get(timeout=5)
        message.ack()
    assert message.headers["task"] == import_file.name
    (import_id,), _, _ = message.payload
    import_file(import_id)
    batch.refresh_from_db()
    assert batch.state == "done"


# --- framing


def frames(data: bytes, delimiter: str = ",") -> list[tuple[int, bytes, str]]:
    return [tuple(frame) for frame in read_frames(io.BytesIO(data), DelimitedRows(delimiter))]


cells = st.text(alphabet='ab ",;\n\r\\é', max_size=8)


@given(st.lists(st.lists(cells, min_size=2, max_size=3), max_size=6), st.integers(1, 9))
def test_rows_are_framed_as_the_csv_module_reads_them(rows, chunk_bytes):
    content = io.StringIO(newline="")
    csv.writer(content, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "CHUNK_BYTES", chunk_bytes)
        found = [data.decode() for _, data, _ in frames(content.getvalue().encode())]
    assert [next(csv.reader([row])) for row in found] == rows


@given(st.integers(1, 9), st.lists(cells, min_size=1, max_size=4), st.booleans())
def test_a_row_over_the_limit_is_passed_over_whole(chunk_bytes, long_row, with_end):
    content = io.StringIO(newline="")
    long_row = [*long_row, "x" * 40]
    csv.writer(content).writerows([["a", "b"], long_row, ["c", "d"]])
    data = content.getvalue().encode() if with_end else content.getvalue().encode()[:-2]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(framing, "MAX_ROW_BYTES", 20)
        found = frames(data)
    assert [(row.rstrip(), fault) for _, row, fault in found] == [
        (b"a,b", ""),
        (b"", "too_long"),
        (b"c,d", ""),
    ]


def test_old_line_ends_are_known():
    assert frames(b"a,b\rc,d\r") == [(1, b"a,b\r", ""), (2, b"c,d\r", "")]


def test_a_quotation_mark_inside_a_bare_cell_is_a_letter():
    assert frames(b"a,5'4\" tall\nb,c\n") == [(1, b"a,5'4\" tall\n", ""), (2, b"b,c\n", "")]
