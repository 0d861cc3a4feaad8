"""Cross-entropy against a loop over examples and classes, and against torch's own losses."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from assay.contracts import Output
from assay.losses.cross_entropy import CrossEntropy
from tests.references.cross_entropy import cross_entropy, log_softmax

B, T, C, L = 6, 4, 5, 3


def logits_of(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def one_hot(label, size):
    return [[float(c == k) for c in range(size)] for k in label]


def bernoulli(logits):
    return torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], -1)


def run(smoothing, log_probs, label, mask=None, weight=None):
    batch = {"label": label} if weight is None else {"label": label, "weight": weight}
    terms = CrossEntropy(smoothing)(Output(log_probs, log_probs, mask), batch)
    assert list(terms) == ["cross_entropy"]
    term = terms["cross_entropy"]
    assert not torch.as_tensor(term.weight).requires_grad
    return term


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_against_a_loop(smoothing, weighted):
    logits, label = logits_of(B, C), torch.randint(C, (B,))
    weight = torch.rand(B, dtype=torch.float64) if weighted else None
    term = run(smoothing, logits.log_softmax(-1), label, weight=weight)
    rows = [log_softmax(row) for row in logits.tolist()]
    total, count = cross_entropy(rows, one_hot(label.tolist(), C), smoothing, weight.tolist() if weighted else [1] * B)
    assert term.total.item() == pytest.approx(total)
    assert float(term.weight) == pytest.approx(count)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classes_against_torch_with_gradients(smoothing):
    logits, label = logits_of(B, C), torch.randint(C, (B,))
    term = run(smoothing, logits.log_softmax(-1), label)
    (ours,) = torch.autograd.grad(term.total / term.weight, logits)
    expected = F.cross_entropy(logits, label, label_smoothing=smoothing)
    (theirs,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(term.total / term.weight, expected)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_distributions_against_torch(smoothing):
    logits, label = logits_of(B, C), torch.rand(B, C, dtype=torch.float64).softmax(-1)
    term = run(smoothing, logits.log_softmax(-1), label)
    torch.testing.assert_close(term.total / B, F.cross_entropy(logits, label, label_smoothing=smoothing))
    assert term.weight == B


def test_a_distribution_with_all_mass_on_one_class_is_that_class():
    logits, label = logits_of(B, C), torch.randint(C, (B,))
    soft = F.one_hot(label, C).double()
    for smoothing in (0.0, 0.2):
        ours, theirs = (run(smoothing, logits.log_softmax(-1), y) for y in (soft, label))
        torch.testing.assert_close(ours.total, theirs.total)


def test_binary_is_the_logistic_loss():
    z, label = logits_of(B), torch.randint(2, (B,))
    term = run(0.0, F.pad(z.unsqueeze(-1), (1, 0)).log_softmax(-1), label)
    torch.testing.assert_close(term.total / term.weight, F.binary_cross_entropy_with_logits(z, label.double()))


@pytest.mark.parametrize("fractional", [False, True])
def test_labels_against_torch(fractional):
    logits = logits_of(B, L)
    label = torch.rand(B, L, dtype=torch.float64)
    label = label if fractional else label.round()
    term = run(0.0, bernoulli(logits), label)
    torch.testing.assert_close(term.total / term.weight, F.binary_cross_entropy_with_logits(logits, label))
    assert term.weight == B * L


@pytest.mark.parametrize("weighted", [False, True])
def test_labels_with_smoothing_and_weights_against_a_loop(weighted):
    logits, label = logits_of(B, L), torch.randint(2, (B, L)).double()
    weight = torch.rand(B, dtype=torch.float64) if weighted else None
    log_probs = bernoulli(logits)
    term = run(0.1, log_probs, label, weight=weight)
    targets = [[1 - y, y] for y in label.flatten().tolist()]
    weights = [w for w in (weight.tolist() if weighted else [1] * B) for _ in range(L)]
    total, count = cross_entropy(log_probs.flatten(0, 1).tolist(), targets, 0.1, weights)
    assert term.total.item() == pytest.approx(total)
    assert float(term.weight) == pytest.approx(count)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_only_positions_of_the_mask_count(smoothing, weighted):
    logits, label = logits_of(B, T, C), torch.randint(C, (B, T))
    mask = torch.arange(T) < torch.randint(1, T + 1, (B, 1))
    label = label.masked_fill(~mask, -100)  # what stands there is no class
    weight = torch.rand(B, dtype=torch.float64) if weighted else None
    term = run(smoothing, logits.log_softmax(-1), label, mask, weight)
    places = [(b, t) for b in range(B) for t in range(T) if mask[b, t]]
    total, count = cross_entropy(
        [log_softmax(logits[b, t].tolist()) for b, t in places],
        one_hot([int(label[b, t]) for b, t in places], C),
        smoothing,
        [float(weight[b]) if weighted else 1 for b, _ in places],
    )
    assert term.total.item() == pytest.approx(total)
    assert float(term.weight) == pytest.approx(count)


def test_all_positions_without_a_mask():
    logits, label = logits_of(B, T, C), torch.randint(C, (B, T))
    term = run(0.0, logits.log_softmax(-1), label)
    torch.testing.assert_close(term.total / term.weight, F.cross_entropy(logits.flatten(0, 1), label.flatten()))


def test_micro_batches_add_up_to_the_whole():
    logits, label = logits_of(B, T, C), torch.randint(C, (B, T))
    mask = torch.arange(T) < torch.tensor([4, 1, 2, 4, 3, 1]).unsqueeze(1)
    whole = run(0.1, logits.log_softmax(-1), label, mask)
    parts = [run(0.1, logits[s].log_softmax(-1), label[s], mask[s]) for s in (slice(0, 2), slice(2, 6))]
    torch.testing.assert_close(whole.total, sum(part.total for part in parts))
    torch.testing.assert_close(whole.weight, sum(part.weight for part in parts))


def test_what_a_masked_position_holds_cannot_reach_the_gradient():
    logits = torch.zeros(2, 2, C, dtype=torch.float64)
    logits[0, 1, 0] = float("-inf")
    logits.requires_grad_()
    mask = torch.tensor([[True, False], [True, True]])
    term = run(0.1, logits.log_softmax(-1), torch.zeros(2, 2, dtype=torch.int64), mask)
    assert term.total.isfinite()


def test_labels_of_another_shape_are_a_bug():
    with pytest.raises(AssertionError, match="label"):
        run(0.0, logits_of(B, C).log_softmax(-1), torch.rand(B))
