import pathlib
import tempfile
import unittest

import models
import peers
from models import DECODE, ENCODER, PREFILL, Cell


class Counts(unittest.TestCase):
    def test_parameters_are_the_known_ones(self):
        # Of the layers: 12 x (4 x 768^2 + 2 x 768 x 3072), and 16 x (2048 x (2 x 2048 + 2 x 512) + 3 x 2048 x 8192).
        self.assertEqual(models.layer_weights("bert-base"), 84934656)
        self.assertEqual(models.layer_weights("gpt2"), 84934656)
        self.assertEqual(models.layer_weights("llama-1b"), 973078528)

    def test_encoder_attends_to_every_pair(self):
        cell = Cell("bert-base", ENCODER, 1, 128)
        self.assertEqual(models.operations(cell), 2 * (128 * 84934656 + 2 * 12 * 768 * 128 * 128 + 768 * 768))

    def test_batches_are_independent(self):
        one, eight = (models.operations(Cell("minilm-l6", ENCODER, batch, 97)) for batch in (1, 8))
        self.assertEqual(eight, 8 * one)

    def test_decoding_attends_to_the_cache_and_itself(self):
        cell = Cell("gpt2", DECODE, 1, 1, 128)
        self.assertEqual(models.operations(cell), 2 * (84934656 + 2 * 12 * 768 * 129 + 768 * 50257))

    def test_prefill_attends_to_what_came_before(self):
        cell = Cell("gpt2", PREFILL, 1, 3)
        self.assertEqual(models.operations(cell), 2 * (3 * 84934656 + 2 * 12 * 768 * 6 + 768 * 50257))

    def test_decoding_reads_weights_and_cache_once_in_the_cells_type(self):
        elements = 973078528 + 2048 * 128256 + 2 * 16 * 512 * 128
        self.assertEqual(models.bytes_read(Cell("llama-1b", DECODE, 1, 1, 128)), 4 * elements)
        self.assertEqual(models.bytes_read(Cell("llama-1b", DECODE, 1, 1, 128, "bf16")), 2 * elements)


class Files(unittest.TestCase):
    def test_a_folder_is_kept_as_long_as_it_holds_what_is_wanted(self):
        with tempfile.TemporaryDirectory() as parent:
            folder = pathlib.Path(parent) / "a" / "b"
            self.assertFalse(models.holds(folder, "this"))
            (folder / "file").write_text("")
            self.assertFalse(models.holds(folder, "this"), "it is not complete")
            (folder / "file").write_text("")
            (folder / "complete").write_text("this")
            self.assertTrue(models.holds(folder, "this"))
            self.assertTrue((folder / "file").exists())
            self.assertFalse(models.holds(folder, "that"))
            self.assertFalse((folder / "file").exists())


class Choice(unittest.TestCase):
    def test_names_differ(self):
        names = [cell.name for cell in models.all_cells(True)]
        self.assertEqual(len(names), len(set(names)))

    def test_bf16_encoders_only_where_the_cpu_has_bf16(self):
        def encoders(cells):
            return {cell.dtype for cell in cells if cell.kind == ENCODER}
        self.assertEqual(encoders(models.all_cells(False)), {"f32"})
        self.assertEqual(encoders(models.all_cells(True)), {"f32", "bf16"})

    def test_quick_cells_are_among_all(self):
        self.assertLess(set(models.quick_cells()), set(models.all_cells(False)))

    def test_patterns(self):
        chosen = models.choose_cells(["minilm-l6 f32 1x", "gpt2 f32 decode"], False, False)
        self.assertEqual([cell.name for cell in chosen], ["minilm-l6 f32 1x128", "minilm-l6 f32 1x7",
                                                          "minilm-l6 f32 1x512", "gpt2 f32 decode 128"])
        with self.assertRaisesRegex(ValueError, "no cell's name contains 'bart'"):
            models.choose_cells(["bart"], False, False)

    def test_peers(self):
        self.assertFalse(any(peer.optional for peer in peers.choose_peers([])))
        self.assertEqual([peer.name for peer in peers.choose_peers(["iree", "torch"])], ["iree", "torch"])
        with self.assertRaisesRegex(ValueError, "no peer 'tvm'"):
            peers.choose_peers(["tvm"])

    def test_every_cell_has_a_rival(self):
        for cell in models.all_cells(True):
            rivals = [peer for peer in peers.choose_peers([]) if not peers.why_not(peer, cell)]
            self.assertGreater(len(rivals), 1, cell.name)
            self.assertFalse(any(peer.other_arithmetic for peer in rivals))


if __name__ == "__main__":
    unittest.main()
