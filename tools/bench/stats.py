# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Statistics of times, and how far apart two arrays are. No packages needed."""
import math


def quantile(values, share):
    """Linear between the two nearest of the sorted values; 0.5 is the median."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values):
    return quantile(values, 0.5)


def summary(rounds):
    """Summarises a list of rounds, each a list of milliseconds.

    `median` is the median of the rounds' medians, so that a round with more calls does not count for more; `low` and
    `high` are the quartiles of the rounds' medians, `min` is the fastest call of all.
    """
    rounds = [times for times in rounds if times]
    medians = [median(times) for times in rounds]
    return dict(median=median(medians), low=quantile(medians, 0.25), high=quantile(medians, 0.75),
                min=min(min(times) for times in rounds), calls=sum(map(len, rounds)), rounds=len(rounds))


def relative_error(values, reference):
    """Root mean square of the differences by that of the reference, both flat; infinite for what is not a number."""
    if len(values) != len(reference):
        return math.inf
    difference = sum((a - b) ** 2 for a, b in zip(values, reference))
    size = sum(b * b for b in reference)
    if not math.isfinite(difference) or size == 0:
        return math.inf
    return math.sqrt(difference / size)
