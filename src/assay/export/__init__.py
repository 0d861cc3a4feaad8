"""A trained network as files that run without Assay: ONNX, ``torch.export``, safetensors."""
