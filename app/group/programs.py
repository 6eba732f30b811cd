"""A group of programs that run together: started in order, started again when they die, stopped in order."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.processes import kill_group, signal_group, start, wait_until

LOG_BYTES = 10 << 20
"""A log grows to this size; then it becomes NAME.log.1, and the one before that goes."""
_LONGEST_PAUSE = 30.0
_STEADY_SECONDS = 60.0


@dataclass
class Program:
    """One program of the group, and its process while there is one."""

    name: str
    command: Sequence[str]
    stop_seconds: float
    """How long it may take to end when asked to."""
    keep: Sequence[int] = ()
    """File descriptors it inherits."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    """In a row; a program that ran for a minute begins anew."""
    start_again_at: float = field(default=0.0)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Group:
    """Runs programs, with their output in files (or here, when `logs` is None)."""

    def __init__(
        self, logs: Path | None, environment: Mapping[str, str], say: Callable[[str], None]
    ) -> None:
        self._logs = logs
        self._environment = environment
        self._say = say
        self.programs: list[Program] = []
        if logs is not None:
            logs.mkdir(parents=True, exist_ok=True)

    def start(self, program: Program) -> None:
        """Start a program; the order of the first starts is the group's."""
        if program not in self.programs:
            self.programs.append(program)
        log = self.log_of(program)
        if log is None:
            program.process = start(program.command, env=self._environment, keep=program.keep)
        else:
            with log.open("ab") as output:
                program.process = start(
                    program.command, output=output, env=self._environment, keep=program.keep
                )
        program.started_at = time.monotonic()

    def log_of(self, program: Program) -> Path | None:
        """Where a program's output goes."""
        return self._logs / f"{program.name}.log" if self._logs is not None else None

    def look_after(self) -> None:
        """Start again what has died, after a pause that doubles, and keep the logs small."""
        now = time.monotonic()
        for program in self.programs:
            self._rotate(program)
            if program.running:
                continue
            if program.process is not None:
                self._note_death(program, program.process, now)
            elif now >= program.start_again_at:
                self.start(program)

    def _note_death(self, program: Program, process: subprocess.Popen[bytes], now: float) -> None:
        kill_group(process.pid)  # its children may live on
        program.process = None
        if now - program.started_at > _STEADY_SECONDS:
            program.failures = 0
        pause = min(2.0**program.failures, _LONGEST_PAUSE)
        program.failures += 1
        program.start_again_at = now + pause
        log = self.log_of(program)
        self._say(
            f"{program.name} ended ({_how(process.returncode)}) and starts again in {pause:.0f} s."
            + (f" Its log: {log}" if log else "")
        )

    def stop(self, names: Sequence[str]) -> None:
        """Ask these programs to end, wait for all of them, and kill what takes too long."""
        asked = [p for p in self.programs if p.name in names and p.process is not None]
        for program in asked:
            assert program.process is not None  # noqa: S101
            program.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic()
        for program in asked:
            wait_until(
                lambda program=program: not program.running,  # type: ignore[misc]
                within=deadline + program.stop_seconds - time.monotonic(),
            )
            if program.running:
                self._say(f"{program.name} does not end, and is killed.")
        self.kill(names)

    def kill(self, names: Sequence[str] | None = None) -> None:
        """Kill these programs (or all) with everything they started."""
        for program in self.programs:
            if program.process is not None and (names is None or program.name in names):
                signal_group(program.process.pid, signal.SIGKILL)
                kill_group(program.process.pid)
                program.process.wait()
                program.process = None

    def _rotate(self, program: Program) -> None:
        log = self.log_of(program)
        if log is not None and log.is_file() and log.stat().st_size > LOG_BYTES:
            # Copied and cut, since the program keeps the file open (for appending, so this is safe).
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
