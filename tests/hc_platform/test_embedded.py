"""The servers from wheels: start, stop, and what they survive."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from hc_platform import embedded

PROGRAM = Path(embedded.__file__)


@contextmanager
def temporary_data_dir():
    directory = Path(tempfile.mkdtemp(prefix="hc-test-"))
    try:
        yield directory
    finally:
        embedded.stop(directory)
        for place in ((directory / "postgres").resolve(), directory):
            shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_data_dir():
    with temporary_data_dir() as directory:
        yield directory


@pytest.fixture
def data_dir(shared_data_dir):
    """A database that exists, and servers that do not run."""
    yield shared_data_dir
    embedded.release(shared_data_dir)
    embedded.stop(shared_data_dir)


@pytest.fixture
def fresh_data_dir():
    with temporary_data_dir() as directory:
        yield directory


def query(data_dir: Path, sql: str):
    entries = embedded.postgres_url(data_dir)
    connection = psycopg2.connect(
        host=entries["HOST"], port=entries["PORT"], user=entries["USER"], dbname=entries["NAME"]
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone() if cursor.description else None
    finally:
        connection.close()


def postmaster_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def redis_pid(data_dir: Path) -> int:
    return int((data_dir / "redis" / "redis.pid").read_text())


def runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def python_that_starts(data_dir: Path, then: str) -> subprocess.Popen:
    code = f"""
        import sys; sys.path.insert(0, {str(PROGRAM.parent)!r})
        import embedded, pathlib, time
        data_dir = pathlib.Path({str(data_dir)!r})
        print(*embedded.start(data_dir).started, sep=",", flush=True)
        {then}
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    # An input of its own: the tests' may be at its end, and nobody would wait for it.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-P", "-c", code], text=True, **pipes)


def test_socket_paths_stay_short_however_deep_the_data_directory_is():
    deep = Path("/" + "/".join(["directory-with-a-long-name"] * 20))
    host = embedded.postgres_url(deep)["HOST"]
    assert len(f"{host}/.s.PGSQL.5432") < 100
    assert len(embedded.redis_url(deep)) < 100
    assert embedded.redis_unix_url(deep) == embedded.redis_url(deep).replace("redis+socket", "unix")
    assert host != embedded.postgres_url(deep / "other")["HOST"]
    assert not Path(host).exists()


def test_importing_the_module_needs_neither_django_nor_the_servers():
    heavy = {"django", "psycopg2", "redis", "celery"}
    code = f"import sys, embedded; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={"PYTHONPATH": str(PROGRAM.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"


def test_servers_start_once_answer_on_sockets_only_and_leave_nothing_behind(data_dir):
    assert embedded.start(data_dir).started == ("PostgreSQL", "Redis")
    assert embedded.start(data_dir).started == ()
    assert embedded.is_running(data_dir)
    assert query(data_dir, "SHOW listen_addresses") == ("",)
    assert query(data_dir, "SHOW shared_buffers") == ("256MB",)
    assert query(data_dir, "SELECT upper('é'), length('😀')") == ("É", 1)
    assert embedded._ask_redis(data_dir, "CONFIG GET port").split() == [b"*2", b"$4", b"port", b"$1", b"0"]
    assert embedded.socket_dir(data_dir).stat().st_mode & 0o066 == 0
    number = postmaster_pid(data_dir)
    assert embedded.release(data_dir) is True
    assert not embedded.is_running(data_dir)
    assert not runs(number)
    assert not embedded.socket_dir(data_dir).exists()


def test_rows_survive_kill_nine_of_everything(data_dir):
    embedded.start(data_dir)
    query(data_dir, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(postmaster_pid(data_dir), signal.SIGKILL)
    os.kill(redis_pid(data_dir), signal.SIGKILL)
    time.sleep(0.1)
    assert set(embedded.start(data_dir).started) == {"PostgreSQL", "Redis"}
    assert query(data_dir, "SELECT number FROM kept") == (7,)


def test_scratch_servers_do_not_wait_for_the_disk_and_lose_nothing_of_a_killed_process(data_dir):
    embedded.start(data_dir, scratch=True)
    assert query(data_dir, "SHOW fsync") == ("off",)
    query(data_dir, "CREATE TABLE kept_in_cache AS SELECT 8 AS number")
    os.kill(postmaster_pid(data_dir), signal.SIGKILL)
    time.sleep(0.1)
    assert embedded.start(data_dir).started == ("PostgreSQL",)
    assert query(data_dir, "SELECT number FROM kept_in_cache") == (8,)
    assert query(data_dir, "SHOW fsync") == ("on",), "unless it is asked for, it is for keeps"


def test_lock_file_whose_number_belongs_to_another_program_does_not_stop_the_start(data_dir):
    embedded.start(data_dir)
    embedded.stop(data_dir)
    lock = data_dir / "postgres" / "data" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{lock.parent}\n1700000000\n5432\n/tmp\n\n  1 1\nready\n")
    assert "PostgreSQL" in embedded.start(data_dir).started
    assert postmaster_pid(data_dir) != os.getpid()


def test_four_first_starts_at_once_make_one_server_each_even_after_a_start_that_was_cut_off(fresh_data_dir):
    half_made = embedded._cluster(fresh_data_dir).home / "data.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18")
    starters = [python_that_starts(fresh_data_dir, "time.sleep(60)") for _ in range(4)]
    try:
        said = [starter.stdout.readline().strip() for starter in starters]
        assert sorted(said) == ["", "", "", "PostgreSQL,Redis"]
        assert query(fresh_data_dir, "SHOW server_encoding") == ("UTF8",)
    finally:
        for starter in starters:
            starter.kill()
            starter.communicate()


def test_the_last_one_to_leave_stops_the_servers(data_dir):
    other = python_that_starts(data_dir, "sys.stdin.readline()")
    try:
        other.stdout.readline()
        assert embedded.start(data_dir).started == ()
        assert embedded.release(data_dir) is False
        assert embedded.is_running(data_dir)
    finally:
        other.kill()  # nobody has to say goodbye: the lock goes with the process
        other.communicate()
    embedded.start(data_dir)
    assert embedded.release(data_dir) is True
    assert not embedded.is_running(data_dir)


def test_the_last_will_stops_the_servers_after_their_user_was_killed(data_dir):
    user = python_that_starts(data_dir, "time.sleep(60)")
    user.stdout.readline()
    will = subprocess.Popen([sys.executable, "-P", PROGRAM, "stop-when-unused", data_dir])
    time.sleep(1)
    assert will.poll() is None and embedded.is_running(data_dir)
    user.kill()
    user.communicate()
    assert will.wait(30) == 0
    assert not embedded.is_running(data_dir)


def test_a_socket_directory_that_is_a_trap_is_refused(data_dir, tmp_path):
    embedded.socket_dir(data_dir).symlink_to(tmp_path)
    try:
        with pytest.raises(embedded.ServerError, match="belongs to the user"):
            embedded.start(data_dir)
        assert list(tmp_path.iterdir()) == []
    finally:
        embedded.socket_dir(data_dir).unlink()


def test_a_program_that_fails_says_what_it_printed(data_dir, monkeypatch):
    monkeypatch.setattr(embedded, "POSTGRES_CONF", "shared_buffers = nonsense\n")
    with pytest.raises(embedded.ServerError, match='invalid value for parameter "shared_buffers"'):
        embedded.start(data_dir, redis=False)
