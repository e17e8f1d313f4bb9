"""The whole platform under its supervisor, as `./hc up` starts it: one stack for all tests of this file."""

import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def data_dir():
    directory = Path(tempfile.mkdtemp(prefix="hc-test-up-"))
    yield directory
    for pid in processes_of(directory):
        os.kill(pid, signal.SIGKILL)
    for place in ((directory / "postgres").resolve(), directory):
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def up(data_dir):
    running = []

    def start(port: int) -> "Up":
        running.append(Up(data_dir, port))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()
    assert eventually(lambda: not processes_of(data_dir))


class Up:
    def __init__(self, data_dir: Path, port: int) -> None:
        surroundings = os.environ | {"DATA_DIR": str(data_dir), "DATABASE_URL": "", "REDIS_URL": ""}
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", "--no-demo", "--port", str(port)],
            cwd=ROOT,
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line.rstrip())
        self._lines.put(None)

    def wait_for(self, words: str, seconds: float = 90) -> str:
        seen, deadline = [], time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=1)
            except queue.Empty:
                continue
            if line is None:
                break
            seen.append(line)
            if words in line:
                return line
        raise AssertionError(f"{words!r} was not said, but:\n" + "\n".join(seen))


def processes_of(data_dir: Path) -> dict[int, str]:
    """All that was started with this data directory, by what is in their environment."""
    marker = f"DATA_DIR={data_dir}".encode()
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (place / "environ").read_bytes().split(b"\0"):
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended, or it is somebody else's
    return found


def pid_of(data_dir: Path, words: str) -> int:
    return min(pid for pid, command in processes_of(data_dir).items() if words in command)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status_of(port: int, path: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as page:
        return page.status


def eventually(true, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_up_serves_the_pages_mends_what_dies_and_ends_without_a_trace(data_dir, up):
    port = free_port()
    platform = up(port)
    assert platform.wait_for("HC Platform is at") == f"HC Platform is at http://127.0.0.1:{port}/"
    assert status_of(port, "/livez") == 200
    assert status_of(port, "/readyz") == 200
    assert status_of(port, "/") == 200
    commands = " ".join(processes_of(data_dir).values())
    queues = ("-Q default", "-Q training", "-Q prediction")
    for part in ("granian", *queues, "hc_platform beat", "redis-server", "postgres"):
        assert part in commands

    os.kill(pid_of(data_dir, "-Q default"), signal.SIGKILL)
    assert platform.wait_for("worker was ended by signal 9; starting it again in 2 s")
    assert eventually(lambda: any("-Q default" in command for command in processes_of(data_dir).values()))

    os.kill(pid_of(data_dir, "redis-server"), signal.SIGKILL)
    assert platform.wait_for("Redis had ended and was started again.")

    second = up(free_port())
    assert second.wait_for("already runs with the data in")
    assert second.process.wait(10) == 1

    platform.process.send_signal(signal.SIGINT)
    assert platform.wait_for("Stopped.")
    assert platform.process.wait(30) == 0
    assert processes_of(data_dir) == {}
    log = (data_dir / "logs" / "hc.log").read_text()
    assert "training" in log and "beat" in log
    assert (data_dir / "logs" / "hc.log").stat().st_mode & 0o077 == 0


def test_a_killed_supervisor_leaves_nothing_running_and_the_next_one_goes_on(data_dir, up):
    port = free_port()
    platform = up(port)
    platform.wait_for("HC Platform is at")
    platform.process.kill()
    assert eventually(lambda: not processes_of(data_dir)), processes_of(data_dir)
    again = up(port)
    again.wait_for("HC Platform is at")
    assert status_of(port, "/readyz") == 200


def test_a_busy_port_is_named_with_the_way_out(data_dir, up):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        platform = up(port)
        said = platform.wait_for("Cannot open port")
        assert said.endswith(f"Address already in use. Choose another: ./hc up --port {port + 1}")
        assert platform.process.wait(30) == 1
    assert processes_of(data_dir) == {}
