"""The platform's own programs as processes on the test database, with a Redis and models of their own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

from hc_platform import embedded
from hc_platform.management.commands.up import programs

ROOT = Path(__file__).resolve().parent.parent


class Stack:
    """What `./hc up` starts, one by one, so that a test can kill one and look on."""

    def __init__(self) -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="hc-stack-"))
        self.port = free_port()
        self._programs = {program.name: program for program in programs("127.0.0.1", self.port)}
        self._processes: dict[str, subprocess.Popen] = {}
        self._silent: list[int] = []
        self.start_redis()

    def start_redis(self) -> None:
        embedded.start(self.data_dir, postgres=False)

    def stop_redis(self) -> None:
        embedded.stop(self.data_dir)

    def silence_redis(self) -> None:
        """It closes nothing and answers no more, as if its machine were gone; `start_redis` gives another."""
        number = int((self.data_dir / "redis" / "redis.pid").read_text())
        os.kill(number, signal.SIGSTOP)
        self._silent.append(number)
        Path(embedded.redis_url(self.data_dir).removeprefix("redis+socket://")).unlink()

    def start(self, *names: str) -> None:
        for name in names:
            with open(self.data_dir / f"{name}.log", "ab") as log:
                self._processes[name] = subprocess.Popen(
                    self._programs[name].command,
                    cwd=ROOT,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        if "web" in names:
            self.wait_for(self._page_answers, 90)

    def _environment(self) -> dict[str, str]:
        return environment(self.data_dir) | {"REDIS_URL": embedded.redis_url(self.data_dir)}

    def kill(self, name: str) -> None:
        """kill -9, children included: nothing gets to say goodbye."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def is_running(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def wait_for(self, condition: Callable[[], Any], seconds: float) -> Any:
        """What the condition gives as soon as it is true; the programs' last words if it never is."""
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not true within {seconds} s\n{self.last_words()}")
            time.sleep(0.05)
        return result

    def log_of(self, name: str) -> str:
        path = self.data_dir / f"{name}.log"
        return path.read_text(errors="replace") if path.is_file() else ""  # it was not started

    def last_words(self) -> str:
        return "\n".join(f"--- {name}\n{self.log_of(name)[-3000:]}" for name in self._programs)

    def get(self, path: str, token: str) -> Any:
        return self._send(path, token, None, "application/json")[1]

    def post(self, path: str, token: str, body: dict | None = None) -> tuple[int, Any]:
        data = json.dumps(body or {}).encode()
        return self._send(path, token, data, "application/json")

    def upload(self, path: str, token: str, file_name: str, content: bytes) -> tuple[int, Any]:
        """A multipart form with the file and the assurance that it is de-identified."""
        parts = (
            '--cut\r\nContent-Disposition: form-data; name="deidentified"\r\n\r\ntrue\r\n--cut\r\n'
            f'Content-Disposition: form-data; name="file"; filename="{file_name}"\r\n\r\n'
        )
        data = parts.encode() + content + b"\r\n--cut--\r\n"
        return self._send(path, token, data, "multipart/form-data; boundary=cut")

    def _send(self, path: str, token: str, data: bytes | None, content_type: str) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            data=data,
            headers={"Authorization": f"Token {token}", "Content-Type": content_type},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                content = reply.read()
                return reply.status, json.loads(content) if content else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def _page_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as page:
                return page.status == 200
        except OSError:
            return False

    def stop(self) -> None:
        for name in list(self._processes):
            self.kill(name)
        for number in self._silent:
            os.kill(number, signal.SIGKILL)
        embedded.release(self.data_dir)
        shutil.rmtree(self.data_dir, ignore_errors=True)


def environment(data_dir: Path) -> dict[str, str]:
    """For a process that works on the test database and keeps its files in data_dir."""
    database = connection.settings_dict
    password = f":{quote(database['PASSWORD'], safe='')}" if database["PASSWORD"] else ""
    who = f"{quote(database['USER'], safe='')}{password}"
    where = f"{quote(database['HOST'], safe='')}:{database['PORT'] or 5432}"
    return os.environ | {
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": f"postgresql://{who}@{where}/{database['NAME']}",
        "ALLOWED_HOSTS": "127.0.0.1",
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
