"""Values sampled from all of a dataset."""

import numpy as np

from analysis.columns import column_of
from handlers.scans.samples import MOST_PIECES, OF_A_BATCH, Samples


def test_little_is_kept_whole_and_much_from_everywhere() -> None:
    samples = Samples(seed=3)
    samples.add([column_of("x", [1, None, 2])])
    [column] = samples.columns()
    assert (column.values.tolist(), column.rows, column.nulls) == ([1, 2], 3, 1)
    for first in range(0, 1_000_000, 10_000):
        samples.add([column_of("x", np.arange(first, first + 10_000))])
    [column] = samples.columns()
    assert (column.rows, column.nulls) == (1_000_003, 1)
    assert OF_A_BATCH < len(column.values) <= MOST_PIECES * OF_A_BATCH
    assert column.values.max() > 500_000
