"""Keep a few programs running: start them, start them again when they end, stop them all.

One thread and one loop. Each program leads a process group of its own, so that Ctrl-C in the terminal
reaches the supervisor alone, and whatever a program leaves behind can be ended with it. A guard ends the
groups when the supervisor is killed and cannot.
"""

import logging
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

STEADY_SECONDS = 60  # who has run that long is no longer suspected of failing at every start
LONGEST_PAUSE_SECONDS = 60
GRACE_SECONDS = 10
SHOWN_A_MINUTE = 5  # of a program's warnings; the log has them all
WORTH_SHOWING = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b")


@dataclass(frozen=True)
class Program:
    name: str
    command: Sequence[str]
    stop_signal: signal.Signals = signal.SIGTERM
    niceness: int = 0


class Supervisor:
    def __init__(
        self, programs: Sequence[Program], *, log: logging.Logger, say: Callable[[str], None]
    ) -> None:
        self._children = [_Child(program) for program in programs]
        self._log = log
        self._say = say
        self._outputs = selectors.DefaultSelector()
        self._n_signals = 0
        self._guard = _Guard()

    def run(self, every_second: Callable[[], None]) -> None:
        """Keep the programs running until a signal says stop, then stop them."""
        before = {
            s: signal.signal(s, self._note_signal) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            while not self._n_signals:
                for child in self._children:
                    self._keep(child)
                self._pass_on_output(seconds=1)
                every_second()
        finally:
            self._say("Stopping (a second Ctrl-C does not wait) …")
            self._stop()
            self._guard.dismiss()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note_signal(self, number: int, frame: object) -> None:
        self._n_signals += 1

    def _keep(self, child: "_Child") -> None:
        if child.process is None:
            if time.monotonic() >= child.start_at:
                child.start()
                self._guard.watch(child.process.pid)
                self._outputs.register(child.process.stdout, selectors.EVENT_READ, child)
        elif child.process.poll() is not None:
            code = child.process.returncode
            self._bury(child)
            pause = child.pause_before_next_start()
            end = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            self._say(f"{child.program.name} {end}; starting it again in {pause} s")

    def _bury(self, child: "_Child") -> None:
        child.signal_group(signal.SIGKILL)  # what it started must not hold the port, or work on
        self._guard.forget(child.process.pid)
        self._drain(child)
        self._forget_output(child)
        child.process.stdout.close()
        child.process = None

    def _pass_on_output(self, seconds: float) -> None:
        for key, _ in self._outputs.select(seconds):
            self._drain(key.data)

    def _forget_output(self, child: "_Child") -> None:
        with suppress(KeyError):
            self._outputs.unregister(child.process.stdout)

    def _drain(self, child: "_Child") -> None:
        output = child.read()
        if output == b"":
            self._forget_output(child)  # closed: it would be "ready" for ever
        for line in child.lines(output or b""):
            self._log.info("%-8s %s", child.program.name, line)
            if WORTH_SHOWING.search(line):
                self._show(child, line)

    def _show(self, child: "_Child", line: str) -> None:
        rank = child.rank_of_warning()
        if rank <= SHOWN_A_MINUTE:
            self._say(f"{child.program.name}: {line}")
        if rank == SHOWN_A_MINUTE:
            self._say(f"{child.program.name}: what it says further in this minute is in the log only")

    def _stop(self) -> None:
        running = [child for child in self._children if child.process is not None]
        for child in running:
            with suppress(ProcessLookupError):
                child.process.send_signal(child.program.stop_signal)
        deadline = time.monotonic() + GRACE_SECONDS
        n_signals = self._n_signals
        while any(child.process.poll() is None for child in running):
            # Whoever presses Ctrl-C again does not want to wait.
            if time.monotonic() > deadline or self._n_signals > n_signals:
                break
            self._pass_on_output(seconds=0.1)
        for child in running:
            child.signal_group(signal.SIGKILL)
            child.process.wait()
            self._bury(child)


class _Child:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen | None = None
        self.start_at = 0.0
        self._started_at = 0.0
        self._n_short_lives = 0
        self._unfinished_line = b""
        self._minute = 0
        self._n_warnings = 0

    def start(self) -> None:
        self._started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: os.nice(self.program.niceness),
        )
        os.set_blocking(self.process.stdout.fileno(), False)

    def pause_before_next_start(self) -> int:
        lived = time.monotonic() - self._started_at
        self._n_short_lives = 0 if lived > STEADY_SECONDS else self._n_short_lives + 1
        pause = min(2**self._n_short_lives, LONGEST_PAUSE_SECONDS)
        self.start_at = time.monotonic() + pause
        return pause

    def signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def rank_of_warning(self) -> int:
        """Which warning of the current minute this is, from 1."""
        minute = int(time.monotonic() // 60)
        self._n_warnings = self._n_warnings + 1 if minute == self._minute else 1
        self._minute = minute
        return self._n_warnings

    def read(self) -> bytes | None:
        """What was printed since; None for nothing yet, b"" for never again."""
        try:
            return os.read(self.process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return None

    def lines(self, output: bytes) -> list[str]:
        *lines, self._unfinished_line = re.split(rb"[\r\n]+", self._unfinished_line + output)
        return [line.decode("utf-8", "replace").rstrip() for line in lines if line.strip()]


class _Guard:
    """A process that knows the groups and outlives us: the end of its input is the end of them."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)

    def watch(self, group: int) -> None:
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}")

    def _tell(self, word: str) -> None:
        with suppress(BrokenPipeError):  # without its guard the platform works on
            print(word, file=self._process.stdin, flush=True)

    def dismiss(self) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def _guard_groups(words: Iterable[str]) -> None:
    groups = set()
    for word in words:
        change = groups.add if word.startswith("+") else groups.discard
        change(int(word[1:]))
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _guard_groups(sys.stdin)
