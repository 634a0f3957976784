import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from processes import PeerError, Process, busy_seconds, one_cpu_per_core

SERVER = """
import json, os, sys, time
def say(**what): print(json.dumps(what), flush=True)
say(event="ready", cpus=sorted(os.sched_getaffinity(0)), word=os.environ.get("WORD"))
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "die": os.kill(os.getpid(), 9)
    if request["op"] == "leave": sys.exit(3)
    if request["op"] == "hang": time.sleep(60)
    if request["op"] == "fail": say(event="error", reason="it does not work")
    if request["op"] == "noise": print("hello", flush=True)
    if request["op"] == "echo": say(event="echo", long=request["text"] * 100000)
"""


class Processes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        log = pathlib.Path(self.folder.name) / "log"
        self.cpus = one_cpu_per_core()[:1]
        self.process = Process([sys.executable, "-c", SERVER], self.cpus, log, os.environ | {"WORD": "w"})
        self.process.start()

    def tearDown(self):
        self.process.stop()
        self.folder.cleanup()

    def state(self):
        return pathlib.Path(f"/proc/{self.process.child.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def test_runs_on_its_cpus_in_its_environment(self):
        self.assertEqual((self.process.ready["cpus"], self.process.ready["word"]), (self.cpus, "w"))

    def test_is_stopped_while_it_has_not_the_turn(self):
        end = time.monotonic() + 5
        while self.state() != "T" and time.monotonic() < end:
            time.sleep(0.01)
        self.assertEqual(self.state(), "T")
        self.assertEqual(len(self.process.request(op="echo", text="ab")["long"]), 200000)

    def test_failure_is_its_reason_and_not_its_end(self):
        with self.assertRaisesRegex(PeerError, "it does not work"):
            self.process.request(op="fail")
        self.assertTrue(self.process.running())

    def test_death_is_named(self):
        with self.assertRaisesRegex(PeerError, "ended by signal SIGKILL"):
            self.process.request(op="die")
        with self.assertRaises(PeerError):
            self.process.request(op="echo", text="a")

    def test_end_is_named(self):
        with self.assertRaisesRegex(PeerError, "ended with exit code 3"):
            self.process.request(op="leave")

    def test_silence_is_an_error(self):
        with self.assertRaisesRegex(PeerError, "no answer within 0.2 s"):
            self.process.request(op="hang", timeout=0.2)
        self.assertFalse(self.process.running())

    def test_noise_is_an_error(self):
        with self.assertRaisesRegex(PeerError, "not an answer"):
            self.process.request(op="noise")

    def test_starts_again(self):
        self.process.stop()
        self.assertFalse(self.process.running())
        self.process.start()
        self.assertEqual(self.process.request(op="echo", text="a")["event"], "echo")


class Start(unittest.TestCase):
    def test_ends_with_its_parent(self):
        script = ("import sys; sys.path[:0] = %r; import os, processes;"
                  " p = processes.Process([sys.executable, '-c', %r], {%d}, os.devnull, None); p.start();"
                  " print(p.child.pid, flush=True); os._exit(0)"
                  % (sys.path, SERVER, one_cpu_per_core()[0]))
        child = int(subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True).stdout)
        end = time.monotonic() + 5
        while os.path.exists(f"/proc/{child}") and time.monotonic() < end:
            if ") Z " in pathlib.Path(f"/proc/{child}/stat").read_text():
                break
            time.sleep(0.01)
        else:
            self.assertFalse(os.path.exists(f"/proc/{child}"))

    def test_what_dies_before_it_is_ready(self):
        process = Process([sys.executable, "-c", "raise SystemExit(4)"], one_cpu_per_core(), os.devnull, None)
        with self.assertRaisesRegex(PeerError, "ended with exit code 4"):
            process.start()
        process.stop()

    def test_work_is_seen(self):
        busy, end = busy_seconds(), time.process_time() + 0.3
        while time.process_time() < end:
            pass
        self.assertGreater(busy_seconds() - busy, 0.2)

    def test_one_cpu_of_each_core(self):
        cpus = one_cpu_per_core()
        self.assertTrue(cpus and set(cpus) <= os.sched_getaffinity(0))


if __name__ == "__main__":
    unittest.main()
