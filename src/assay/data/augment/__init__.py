"""Augmentation: ``augment(batch, epoch) -> batch`` on training batches, keyed by (seed, epoch, example)."""
