"""A platform of its own for a benchmark: fresh data directory, embedded servers, a real web server."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def data_directory() -> Iterator[Path]:
    """A temporary DATA_DIR with PostgreSQL and Redis running in it and Django set up; all gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="hc-bench-"))
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ |= {
        "DATA_DIR": str(path),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DJANGO_SETTINGS_MODULE": "hc_platform.settings",
        "LOG_LEVEL": "WARNING",
    }
    sys.path.insert(0, str(ROOT))
    from hc_platform import embedded

    embedded.start(path)
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("createcachetable", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        yield path
    finally:
        from django.db import connections

        connections.close_all()
        embedded.stop(path)
        shutil.rmtree(path, ignore_errors=True)


GUNICORN = ["gunicorn", "--worker-class", "gthread", "--threads", "8", "hc_platform.wsgi:application"]


@contextmanager
def web_server(server: str = "granian", n_workers: int = 2) -> Iterator[int]:
    """The pages on a free port; `server` is granian (as `./hc up` starts it) or gunicorn."""
    from hc_platform.management.commands.up import web_server as granian

    port = free_port()
    if server == "granian":
        command = granian("127.0.0.1", port)
        command[command.index("--workers") + 1] = str(n_workers)
    else:
        command = [*GUNICORN, "--workers", str(n_workers), "--bind", f"127.0.0.1:{port}"]
    with open(Path(os.environ["DATA_DIR"]) / "web.log", "wb") as log:
        process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_until_alive(f"http://127.0.0.1:{port}/livez", process)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_alive(url: str, process: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit("the web server ended; see web.log")
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the web server did not answer within 60 s")
