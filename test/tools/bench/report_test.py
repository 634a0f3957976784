import copy
import json
import pathlib
import tempfile
import unittest

import report


def entry(title, medians, rival=True):
    ordered = sorted(medians)
    middle = ordered[len(ordered) // 2]
    return dict(title=title, rival=rival, version="1", error=1e-6, cores=2.0, rounds_ms=medians,
                ms=dict(median=middle, low=ordered[0], high=ordered[-1], min=ordered[0], calls=9, rounds=len(medians)))


COMPUTE = dict(
    name="bert-base f32 1x128", model="bert-base", kind="encode", dtype="f32", batch=1, seq=128, context=0,
    operations=20e9, bytes=4e7, peaks={"f32": 400.0, "read": 20.0}, results={
        "ashlar": entry("Ashlar", [100, 110, 100]), "torch": entry("PyTorch eager", [200, 220, 250]),
        "openvino": entry("OpenVINO", [120, 110, 150]), "int8": entry("int8", [10, 10, 10], rival=False),
        "iree": dict(title="IREE", rival=True, reason="not installed: no wheel")})
MEMORY = dict(COMPUTE, name="gpt2 f32 decode 128", kind="decode", operations=5e8, bytes=1e9,
              results={"ashlar": entry("Ashlar", [62.5] * 3)})
RUN = dict(date="2026-01-31T12:00", threads=2, rounds=3, seconds=1, cells=[COMPUTE, MEMORY],
           machine=dict(cpu="Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", features=["avx2"]),
           peaks={"f32": dict(unit="GFLOP/s", one_core=200.0, all_cores=400.0, instruction="FMA"),
                  "bf16_tile": dict(unit="GFLOP/s", one_core=None, all_cores=None, reason="the CPU lacks amx-tile"),
                  "read": dict(unit="GB/s", one_core=10.0, all_cores=20.0, instruction="loads")})


class Figures(unittest.TestCase):
    def test_share_of_the_arithmetic_limit(self):
        self.assertAlmostEqual(report.share(COMPUTE, RUN["peaks"], 100), 0.5)

    def test_share_of_the_read_bandwidth(self):
        self.assertAlmostEqual(report.share(MEMORY, RUN["peaks"], 62.5), 0.8)

    def test_few_tokens_through_many_weights_are_held_against_reading(self):
        # 1 ms of operations at 400 GFLOP/s, 2 ms of reading at 20 GB/s.
        self.assertEqual(report.limit_of(dict(COMPUTE, operations=4e8), RUN["peaks"]), ("read", 20.0, "GB/s"))

    def test_bf16_is_held_against_its_fastest_arithmetic(self):
        cell = dict(COMPUTE, dtype="bf16")
        self.assertEqual(report.limit_of(cell, RUN["peaks"])[:2], ("f32", 400.0))
        # Dot products at half the pace of f32, as some CPUs have them, are not what it is held against.
        peaks = dict(RUN["peaks"], bf16_dot=dict(all_cores=200.0))
        self.assertEqual(report.limit_of(cell, peaks)[:2], ("f32", 400.0))
        peaks = dict(RUN["peaks"], bf16_tile=dict(all_cores=4000.0))
        self.assertEqual(report.limit_of(cell, peaks)[:2], ("bf16_tile", 4000.0))

    def test_an_unknown_limit_gives_no_share(self):
        self.assertIsNone(report.share(COMPUTE, {}, 100))

    def test_limits_only_rise(self):
        peaks = copy.deepcopy(RUN["peaks"])
        report.raise_limits(peaks, {"f32": 390.0, "read": 21.0})
        self.assertEqual((peaks["f32"]["all_cores"], peaks["read"]["all_cores"]), (400.0, 21.0))

    def test_best_peer_is_a_rival(self):
        self.assertEqual(report.best_peer(COMPUTE), "openvino")
        self.assertIsNone(report.best_peer(MEMORY))

    def test_ratio_is_of_medians_and_its_spread_of_pairs(self):
        ratio, low, high = report.ratio(COMPUTE, "openvino")
        self.assertAlmostEqual(ratio, 1.2)
        self.assertAlmostEqual(low, 1.1)
        self.assertAlmostEqual(high, 1.35)
        self.assertIsNone(report.ratio(COMPUTE, "iree"))


class Text(unittest.TestCase):
    def test_everyone_has_a_line(self):
        lines = report.cell_table(COMPUTE, RUN["peaks"]).splitlines()
        self.assertEqual(lines[0], "bert-base f32 1x128   (f32 400 GFLOP/s)")
        self.assertEqual([line.split()[0] for line in lines[2:]], ["int8", "Ashlar", "OpenVINO", "PyTorch", "IREE:"])
        self.assertRegex(lines[3], r"100 ms +100 - 110 +100 +200 +50 %")
        self.assertIn("1.20 x", lines[4])
        self.assertEqual(lines[6], "IREE: not installed: no wheel")

    def test_limits_with_their_reasons(self):
        self.assertIn("bf16_tile: none, the CPU lacks amx-tile", report.peak_lines(RUN["peaks"]))

    def test_a_busy_machine_is_named(self):
        self.assertNotIn("not quiet", report.cell_table(dict(COMPUTE, others_cores=0.05), RUN["peaks"]))
        self.assertIn("not quiet: in a quarter of the turns others used 0.8 cores",
                      report.cell_table(dict(COMPUTE, others_cores=0.8), RUN["peaks"]))

    def test_without_ashlar_there_is_no_ratio(self):
        cell = copy.deepcopy(COMPUTE)
        cell["results"]["ashlar"] = dict(title="Ashlar", rival=True, reason="error: it did not compile")
        self.assertNotIn(" x ", report.cell_table(cell, RUN["peaks"]))
        self.assertIn("| bert-base f32 1x128 | - | - | - |", report.markdown(dict(RUN, cells=[cell])))

    def test_markdown(self):
        lines = report.markdown(RUN).splitlines()
        self.assertEqual(lines[0], "| cell | Ashlar, ms | of the limit | Ashlar is | PyTorch eager | OpenVINO | int8 |")
        self.assertEqual(lines[2], "| bert-base f32 1x128 | 100 | 50 % | 1.20 x OpenVINO | 220 | 120 | 10 |")
        self.assertEqual(lines[3], "| gpt2 f32 decode 128 | 62.5 | 80 % | - | - | - | - |")
        self.assertRegex(lines[5], "Xeon.*2 threads.*f32 400 GFLOP/s, read 20 GB/s")


class Files(unittest.TestCase):
    def test_name_has_the_date_and_the_machine(self):
        self.assertEqual(report.file_name(RUN), "2026-01-31-intel-xeon-gold-6338-avx2-2t.json")
        machine = dict(cpu="AMD EPYC 9555 64-Core Processor", features=["amx-tile"])
        self.assertEqual(report.file_name(dict(RUN, machine=machine)), "2026-01-31-amd-epyc-9555-amx-2t.json")

    def test_reads_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = report.write(RUN, pathlib.Path(folder) / "results")
            self.assertEqual(report.full_text(json.loads(path.read_text())), report.full_text(RUN))


if __name__ == "__main__":
    unittest.main()
