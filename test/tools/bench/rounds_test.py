import json
import math
import pathlib
import tempfile
import types
import unittest

import rounds
from processes import PeerError

OPTIONS = types.SimpleNamespace(rounds=3, seconds=0.1, memory=100)


class FakeProcess:
    """Answers at once; notes its turns in a list that all share."""

    def __init__(self, name, turns, output=(1.0, 2.0), milliseconds=5.0, fail_on=None, fail_start=False):
        self.name, self.turns, self.output, self.milliseconds = name, turns, output, milliseconds
        self.fail_on, self.fail_start, self.alive, self.starts = fail_on, fail_start, False, 0
        self.ready = {"version": "1"}

    def start(self):
        if self.fail_start:
            raise PeerError("no such package")
        self.alive, self.starts = True, self.starts + 1

    def memory(self):
        return 10

    def running(self):
        return self.alive

    def stop(self):
        self.alive = False

    def request(self, op, **more):
        if op == "outputs":
            pathlib.Path(more["path"]).write_text(json.dumps(self.output))
            return {"event": "outputs"}
        self.turns.append(self.name)
        if self.turns.count(self.name) == self.fail_on:
            raise PeerError("ended by signal SIGSEGV")
        return {"event": "times", "ms": [self.milliseconds] * 3, "cores": 2.0}


class Resident(unittest.TestCase):
    def chosen(self, memory, **contenders):
        everyone = [rounds.Contender(name, name, None, 0) for name in contenders]
        for contender in everyone:
            contender.memory, contender.load_seconds = contenders[contender.name]
        return "".join(contender.name for contender in rounds.choose_resident(everyone, memory))

    def test_all_where_all_fit(self):
        self.assertEqual(self.chosen(30, a=(10, 1), b=(10, 3), c=(10, 2)), "abc")

    def test_else_the_slowest_to_load_beside_the_others_loading(self):
        self.assertEqual(self.chosen(39, a=(10, 1), b=(10, 4), c=(10, 2), d=(10, 3)), "b")
        self.assertEqual(self.chosen(45, a=(20, 1), b=(20, 3), c=(1, 2), d=(20, 0)), "c")

    def test_none_where_none_fits(self):
        self.assertEqual(self.chosen(5, a=(10, 1), b=(10, 3)), "")


class Cell(unittest.TestCase):
    def run_cell(self, *processes, options=OPTIONS):
        peaks = iter([{"f32": 10, "read": 5}, {"f32": 12, "read": 4}] + [{"f32": 11, "read": 3}] * 9)
        self.contenders = [rounds.Contender(process.name, process.name.upper(), process, 1e-3) for process in processes]
        with tempfile.TemporaryDirectory() as folder:
            return rounds.run_cell(self.contenders, [1.0, 2.0], pathlib.Path(folder), options, lambda: next(peaks),
                                   lambda path: json.loads(path.read_text()), lambda text: None)

    def test_all_take_turns_and_another_begins_each_round(self):
        turns = []
        entry = self.run_cell(*(FakeProcess(name, turns) for name in "abc"))
        self.assertEqual("".join(turns), "abc" "bca" "cab")
        self.assertEqual(entry["results"]["a"]["ms"]["rounds"], 3)

    def test_limits_are_the_best_of_the_cells(self):
        self.assertEqual(self.run_cell(FakeProcess("a", []))["peaks"], {"f32": 12, "read": 5})

    def test_a_wrong_output_is_not_timed(self):
        turns = []
        entry = self.run_cell(FakeProcess("a", turns), FakeProcess("b", turns, output=(1.0, 2.1)))
        self.assertNotIn("b", turns)
        self.assertRegex(entry["results"]["b"]["reason"], "wrong: 4.5e-02 from PyTorch's output, at most 1e-03 passes")
        self.assertNotIn("ms", entry["results"]["b"])

    def test_not_a_number_is_wrong(self):
        entry = self.run_cell(FakeProcess("a", [], output=(math.nan, 2.0)))
        self.assertIn("reason", entry["results"]["a"])

    def test_who_does_not_start_has_a_reason(self):
        entry = self.run_cell(FakeProcess("a", []), FakeProcess("b", [], fail_start=True))
        self.assertEqual(entry["results"]["b"]["reason"], "no such package")
        self.assertIn("ms", entry["results"]["a"])

    def test_who_dies_later_has_a_reason_and_no_figure(self):
        turns = []
        entry = self.run_cell(FakeProcess("a", turns), FakeProcess("b", turns, fail_on=2))
        self.assertEqual(entry["results"]["b"]["reason"], "ended by signal SIGSEGV")
        self.assertNotIn("ms", entry["results"]["b"])
        self.assertEqual((turns.count("a"), turns.count("b")), (3, 2))

    def test_with_little_memory_each_is_started_for_its_turn(self):
        turns = []
        processes = [FakeProcess(name, turns) for name in "ab"]
        self.run_cell(*processes, options=types.SimpleNamespace(rounds=3, seconds=0.1, memory=9))
        self.assertEqual([process.starts for process in processes], [4, 4])
        self.assertEqual("".join(turns), "ab" "ba" "ab")

    def test_nothing_is_left_running(self):
        self.run_cell(FakeProcess("a", []), FakeProcess("b", []))
        self.assertFalse(any(contender.process.running() for contender in self.contenders))


if __name__ == "__main__":
    unittest.main()
