from __future__ import annotations

import numpy as np
import torch

from assay.data.augment.boxes import inside


def test_against_slices():
    boxes = torch.tensor([[0, 0, 4, 5], [1, 2, 3, 4], [2, 2, 2, 5], [3, 4, 4, 5]])
    found = inside(*boxes.T, 4, 5)
    expected = np.zeros((4, 1, 4, 5), dtype=bool)
    for i, (top, left, bottom, right) in enumerate(boxes.tolist()):
        expected[i, 0, top:bottom, left:right] = True
    np.testing.assert_array_equal(found.numpy(), expected)
