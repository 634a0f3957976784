# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The processes that take turns. One that has not the turn is stopped by a signal, so that not even its spinning
threads take anything from the one that has."""
import ctypes
import json
import os
import pathlib
import select
import signal
import subprocess


class PeerError(Exception):
    """The peer cannot go on; the text is the reason that the report shows."""


def one_cpu_per_core():
    """Returns the CPUs that this process may use, of each physical core the first."""
    chosen, seen = [], set()
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
        except OSError:
            siblings = str(cpu)
        if siblings not in seen:
            seen.add(siblings)
            chosen.append(cpu)
    return chosen


def busy_seconds():
    """Returns the seconds that all CPUs together have worked, for anyone, since the machine started."""
    fields = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def bind(cpus):
    """For a process that begins: runs on these CPUs, and ends with its parent even while it is stopped."""
    os.sched_setaffinity(0, cpus)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def available_memory():
    fields = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


class Process:
    """One server (peers/server.py says what it speaks). Raises PeerError when it fails, dies or is silent too long."""

    def __init__(self, command, cpus, log, environment, ready_seconds=900):
        self.command, self.cpus, self.log = command, cpus, log
        self.environment, self.ready_seconds = environment, ready_seconds
        self.child, self.ready = None, {}

    def start(self):
        with open(self.log, "a") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0,
                env=self.environment, preexec_fn=lambda: bind(self.cpus))
        self.buffer = b""
        self.ready = self._answer(self.ready_seconds)
        self._signal(signal.SIGSTOP)

    def request(self, timeout=300, **what):
        self._signal(signal.SIGCONT)
        try:
            self.child.stdin.write((json.dumps(what) + "\n").encode())
        except BrokenPipeError:
            raise PeerError(self._why_dead()) from None
        answer = self._answer(timeout)
        self._signal(signal.SIGSTOP)
        return answer

    def running(self):
        return self.child is not None and self.child.poll() is None

    def memory(self):
        """Returns the bytes that it holds and that no file backs; what is mapped from files the system can take back."""
        for line in pathlib.Path(f"/proc/{self.child.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self):
        if self.child is None:
            return
        if self.running():
            self.child.kill()
        self.child.wait()
        self.child.stdin.close()
        self.child.stdout.close()
        self.child = None

    def _signal(self, number):
        if self.running():
            self.child.send_signal(number)

    def _answer(self, timeout):
        while b"\n" not in self.buffer:
            if not select.select([self.child.stdout], [], [], timeout)[0]:
                self.stop()
                raise PeerError(f"no answer within {timeout} s")
            chunk = os.read(self.child.stdout.fileno(), 1 << 16)
            if not chunk:
                raise PeerError(self._why_dead())
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        try:
            answer = json.loads(line)
        except ValueError:
            raise PeerError(f"not an answer: {line[:200]!r}") from None
        if answer["event"] == "error":
            raise PeerError(answer["reason"])
        return answer

    def _why_dead(self):
        code = self.child.wait()
        return f"ended by signal {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
