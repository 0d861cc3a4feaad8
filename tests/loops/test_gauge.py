"""What an untrained network is taken to weigh: as much as one that was trained."""

from __future__ import annotations

import torch

from assay.export import onnx_file
from assay.loops.gauge import _make_unlike
from tests.export.built import built


def test_vectors_that_are_alike_before_training_count_each(tmp_path):
    artifact = built("image", "model=resnet", "model.depth=8", "model.width=4")  # layers of one size

    def size(change):
        with torch.no_grad():
            for number, vector in enumerate(artifact.network.state_dict().values()):
                if vector.dim() == 1 and vector.is_floating_point():
                    vector.copy_(change(number, vector))
        if change is fresh:
            _make_unlike(artifact.network)
        onnx_file.write(artifact, tmp_path / "model.onnx")
        return (tmp_path / "model.onnx").stat().st_size

    def fresh(number, vector):
        return torch.ones_like(vector)

    def trained(number, vector):
        return torch.rand(vector.shape, generator=torch.Generator().manual_seed(number)) + 0.5

    alike = size(lambda number, vector: torch.ones_like(vector))
    assert size(fresh) == size(trained) > alike
