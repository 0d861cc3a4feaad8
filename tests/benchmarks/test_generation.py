"""What the comparison of generation compares: both ways write the same text."""

from __future__ import annotations

from assay.benchmarks import generation


def test_both_ways_write_the_same_text_and_one_reads_each_token_once():
    net = generation.network(16)
    lengths = []
    handle = net.embedding.register_forward_hook(lambda module, inputs, output: lengths.append(output.shape[1]))
    try:
        kept = generation.keeping(net, 16)
        read_once = list(lengths)
        lengths.clear()
        assert generation.anew(net, 16) == kept
    finally:
        handle.remove()
    assert read_once == [1] * 16
    assert lengths == list(range(1, 17))
    for comparison in generation.comparisons():
        assert comparison.speed
