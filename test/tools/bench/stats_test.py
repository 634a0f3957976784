import math
import unittest

import stats


class Quantile(unittest.TestCase):
    def test_interpolates(self):
        self.assertEqual(stats.median([3, 1, 2]), 2)
        self.assertEqual(stats.median([4, 1, 2, 3]), 2.5)
        self.assertEqual(stats.quantile([0, 10], 0.25), 2.5)
        self.assertEqual(stats.quantile([7], 0.75), 7)
        self.assertEqual([stats.quantile([5, 1, 3], share) for share in (0, 1)], [1, 5])

    def test_of_nothing_is_an_error(self):
        with self.assertRaises(ValueError):
            stats.median([])


class Summary(unittest.TestCase):
    def test_rounds_count_alike_however_many_calls_they_have(self):
        summary = stats.summary([[10] * 100, [20], [30, 30]])
        self.assertEqual(summary, dict(median=20, low=15, high=25, min=10, calls=103, rounds=3))

    def test_min_is_of_all_calls(self):
        self.assertEqual(stats.summary([[5, 1, 5], [5, 5, 2]])["min"], 1)

    def test_empty_rounds_do_not_count(self):
        self.assertEqual(stats.summary([[], [4]])["rounds"], 1)


class RelativeError(unittest.TestCase):
    def test_is_relative_to_the_reference(self):
        self.assertEqual(stats.relative_error([1, 2], [1, 2]), 0)
        self.assertAlmostEqual(stats.relative_error([3.3, 4.4], [3, 4]), 0.1)

    def test_what_cannot_be_compared_is_infinitely_wrong(self):
        for values, reference in (([1], [1, 2]), ([math.nan], [1]), ([math.inf], [1]), ([1], [0])):
            self.assertEqual(stats.relative_error(values, reference), math.inf)


if __name__ == "__main__":
    unittest.main()
