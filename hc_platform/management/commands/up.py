"""`./hc up`: the whole platform on one machine under one supervisor."""

import fcntl
import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from annotation.models import Campaign
from hc_platform import embedded
from hc_platform.supervisor import Program, Supervisor

FIRST_PAGE_SECONDS = 60
SERVER_CHECK_SECONDS = 5


def programs(host: str, port: int) -> list[Program]:
    """What runs beside PostgreSQL and Redis; compose.yaml has the same list."""
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "-A", "hc_platform"]
    # Workers have nothing to tell each other. One that greets the others, or reports itself, while Redis goes
    # away would end, or wait for it without a word.
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = [*celery, "worker", "--loglevel", settings.LOG_LEVEL, *alone]
    # Training yields to the pages, starts each run in a fresh process (so its memory comes back), and is
    # stopped without waiting: a run goes on from its last checkpoint.
    one = ["--concurrency", "1"]
    once = [*one, "--max-tasks-per-child", "1"]
    return [
        Program("web", [*python, *web_server(host, port)]),
        # Two, so that a long import does not hold up what beat asks for every few seconds.
        Program("worker", [*worker, "-Q", "default", "-n", "worker@%h", "--concurrency", "2"]),
        Program(
            "training", [*worker, "-Q", "training", "-n", "training@%h", *once], signal.SIGQUIT, niceness=10
        ),
        # Its process lives on, since it keeps the model loaded; one, since a second would load another.
        Program("prediction", [*worker, "-Q", "prediction", "-n", "prediction@%h", *one], niceness=5),
        Program("beat", [*celery, "beat", "--loglevel", settings.LOG_LEVEL, "--pidfile", ""]),
    ]


def web_server(host: str, port: int) -> list[str]:
    # Threads, not granian's "backpressure", bound the work: that one counts open connections, so a few
    # idle browsers would lock everybody else out. Each thread keeps one of PostgreSQL's 100 connections.
    size = ["--workers", "2", "--blocking-threads", "4"]
    # Told to stop while a worker is still loading, granian waits for that worker for ever without the limit.
    care = ["--respawn-failed-workers", "--workers-kill-timeout", "5"]
    address = ["--host", host, "--port", str(port)]
    return [
        "granian",
        "--interface",
        "wsgi",
        "--no-ws",
        *size,
        *care,
        *address,
        "hc_platform.wsgi:application",
    ]


class Command(BaseCommand):
    help = "Start the servers, the pages, the workers and the clock; Ctrl-C stops them all."
    requires_system_checks = ()

    def add_arguments(self, parser) -> None:
        port = int(os.environ.get("PORT") or 8000)
        parser.add_argument("--port", type=int, default=port, help=f"port of the pages ({port})")
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")

    def handle(self, *, port: int, no_demo: bool, **options) -> None:
        os.umask(0o077)
        os.chdir(settings.BASE_DIR)
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        host = os.environ.get("HOST") or "127.0.0.1"
        try:
            with only_one(settings.DATA_DIR), embedded_servers(self.say) as keep_servers:
                refuse_busy_port(host, port)
                prepare_database(self.say)
                if not no_demo and is_empty():
                    load_demo(self.say)
                connections.close_all()
                self.supervise(host, port, keep_servers)
        except KeyboardInterrupt:
            pass
        self.say("Stopped. `./hc up` continues where this ended.")

    def supervise(self, host: str, port: int, keep_servers: Callable[[], None]) -> None:
        log_file = settings.DATA_DIR / "logs" / "hc.log"
        announce = Announcement(host, port, log_file, self.say)

        def every_second() -> None:
            keep_servers()
            announce()

        Supervisor(programs(host, port), log=child_log(log_file), say=self.say).run(every_second)

    def say(self, sentence: str) -> None:
        with suppress(OSError):  # the terminal may have gone; the platform goes on, or stops in order
            print(sentence, flush=True)


# --- Before anything runs ---


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(data_dir / "up.lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"`./hc up` already runs with the data in {data_dir}. Stop it there first."
            ) from None
        yield


def refuse_busy_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot open port {port} on {host}: {error.strerror}. "
                f"Choose another: ./hc up --port {port + 1}"
            ) from None


@contextmanager
def embedded_servers(say: Callable[[str], None]) -> Iterator[Callable[[], None]]:
    """Hold the servers that come from wheels; yields the check that starts them again when they end."""
    ours = {"postgres": not settings.DATABASE_URL, "redis": not os.environ.get("REDIS_URL")}
    if not any(ours.values()):
        yield lambda: None
        return
    try:
        with step("Starting PostgreSQL and Redis", say):
            embedded.start(settings.DATA_DIR, **ours)
    except embedded.ServerError as error:
        raise CommandError(str(error)) from None
    last_will = subprocess.Popen(
        [sys.executable, "-P", embedded.__file__, "stop-when-unused", settings.DATA_DIR],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield ServerCheck(ours, say)
    finally:
        for hurry in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(hurry, signal.SIG_IGN)  # the last steps take a second and must not be cut short
        last_will.kill()
        last_will.wait()
        connections.close_all()
        embedded.release(settings.DATA_DIR)


class ServerCheck:
    def __init__(self, ours: dict[str, bool], say: Callable[[str], None]) -> None:
        self._ours = ours
        self._say = say
        self._next_at = 0.0

    def __call__(self) -> None:
        if time.monotonic() < self._next_at:
            return
        try:
            for name in embedded.start(settings.DATA_DIR, **self._ours).started:
                self._say(f"{name} had ended and was started again.")
        except embedded.ServerError as error:
            self._say(str(error).splitlines()[0])
        self._next_at = time.monotonic() + SERVER_CHECK_SECONDS


def prepare_database(say: Callable[[str], None]) -> None:
    try:
        with step("Bringing the database up to date", say):
            call_command("migrate", interactive=False, verbosity=0)
            call_command("createcachetable", verbosity=0)
    except DatabaseError as error:
        raise CommandError(f"The database cannot be brought up to date: {error}") from None
    if not settings.DEBUG:
        with step("Collecting style sheets and scripts", say):
            call_command("collectstatic", interactive=False, verbosity=0)


def is_empty() -> bool:
    return not get_user_model().objects.exists() and not Campaign.objects.exists()


def load_demo(say: Callable[[str], None]) -> None:
    say("The database is empty: loading the demo (leave it out with --no-demo).")
    done = subprocess.run([sys.executable, settings.BASE_DIR / "manage.py", "load_demo"])
    if done.returncode:
        say("The demo was not loaded (see above). The platform starts without it.")


@contextmanager
def step(title: str, say: Callable[[str], None]) -> Iterator[None]:
    """Show that something goes on: a clock in a terminal, plain lines elsewhere."""
    began = time.monotonic()
    done = threading.Event()
    moving = sys.stdout.isatty()
    clock = threading.Thread(target=_tick, args=(title, began, done), daemon=True)
    if moving:
        clock.start()
    else:
        say(f"{title} …")
    try:
        yield
    finally:
        done.set()
        if moving:
            clock.join()
            print("\r\033[K", end="")
    say(f"{title}: {time.monotonic() - began:.1f} s")


def _tick(title: str, began: float, done: threading.Event) -> None:
    while not done.wait(0.2):
        print(f"\r\033[K{title} … {time.monotonic() - began:.0f} s", end="", flush=True)


# --- While it runs ---


def child_log(path: Path) -> logging.Logger:
    path.parent.mkdir(exist_ok=True)
    log = logging.getLogger("hc_platform.up.programs")
    log.propagate = False
    log.setLevel(logging.INFO)
    handler = RotatingFileHandler(path, maxBytes=10_000_000, backupCount=4, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.handlers = [handler]
    return log


class Announcement:
    """Say the address as soon as the first page answers, or where to look when it does not."""

    def __init__(self, host: str, port: int, log_file: Path, say: Callable[[str], None]) -> None:
        self._host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # nosec B104 # a comparison
        self._port = port
        self._log_file = log_file
        self._say = say
        self._give_up_at = time.monotonic() + FIRST_PAGE_SECONDS
        self._done = False

    def __call__(self) -> None:
        if self._done:
            return
        if self._page_answers():
            address = f"[{self._host}]" if ":" in self._host else self._host
            self._say(f"\nHC Platform is at http://{address}:{self._port}/")
            self._say(f"Ctrl-C stops it. Log: {self._log_file}\n")
            self._done = True
        elif time.monotonic() > self._give_up_at:
            self._say(f"No page after {FIRST_PAGE_SECONDS} s. The reason is in {self._log_file}")
            self._done = True

    def _page_answers(self) -> bool:
        page = http.client.HTTPConnection(self._host, self._port, timeout=2)
        try:
            page.request("GET", "/livez")
            return page.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            page.close()
