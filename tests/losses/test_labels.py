"""Every loss of classes against a loop: one class, a distribution, several labels; masked, weighted, in parts."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from assay.contracts import Output
from assay.errors import ConfigError
from assay.losses.cross_entropy import CrossEntropy
from assay.losses.focal import Focal
from assay.losses.kl import KullbackLeibler
from tests.options import option
from tests.references import losses as reference

B, T, C, L = 6, 4, 5, 3
CASES = [("focal", value, Focal(value)) for value in (0.0, 0.5, 2.0)]
CASES += [("kl", value, KullbackLeibler(value)) for value in (0.0, 0.1)]
EVERY = pytest.mark.parametrize(("name", "value", "loss"), CASES, ids=lambda value: str(value).partition("(")[0])
FORMS = ["class", "positions", "distribution", "labels", "fractions"]
SHAPES = {"class": (B, C), "positions": (B, T, C), "distribution": (B, C), "labels": (B, L), "fractions": (B, L)}


def made(form):
    """Logits, log_probs, the label as the data give it, and the same as a distribution."""
    torch.manual_seed(FORMS.index(form))
    logits = torch.randn(SHAPES[form], dtype=torch.float64, requires_grad=True)
    if form in ("labels", "fractions"):
        label = torch.rand(B, L, dtype=torch.float64)
        label = label.round() if form == "labels" else label
        return logits, log_probs(logits, form), label, torch.stack([1 - label, label], -1)
    if form == "distribution":
        label = torch.randn(B, C, dtype=torch.float64).softmax(-1)
        return logits, log_probs(logits, form), label, label
    label = torch.randint(C, SHAPES[form][:-1])
    return logits, log_probs(logits, form), label, F.one_hot(label, C).double()


def log_probs(logits, form):
    if form in ("labels", "fractions"):
        return torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], -1)
    return logits.log_softmax(-1)


def run(loss, predicted, label, mask=None, weight=None):
    batch = {"label": label} if weight is None else {"label": label, "weight": weight}
    ((name, term),) = loss(Output(predicted, predicted, mask), batch).items()
    assert not torch.as_tensor(term.weight).requires_grad
    return name, term


def flat(rows):
    return rows.detach().reshape(-1, rows.shape[-1]).tolist()


@EVERY
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_against_a_loop(name, value, loss, form, weighted):
    _, predicted, label, target = made(form)
    weight = torch.rand(B, dtype=torch.float64) if weighted else None
    own, term = run(loss, predicted, label, weight=weight)
    each = torch.ones(B, dtype=torch.float64) if weight is None else weight
    each = each.view(-1, *[1] * (predicted.dim() - 2)).expand(predicted.shape[:-1])
    total, count = getattr(reference, name)(flat(predicted), flat(target), value, each.flatten().tolist())
    assert own == name
    assert term.total.item() == pytest.approx(total)
    assert float(term.weight) == pytest.approx(count)


@EVERY
@pytest.mark.parametrize("form", FORMS)
def test_gradients(name, value, loss, form):
    logits, _, label, _ = made(form)
    assert torch.autograd.gradcheck(lambda z: run(loss, log_probs(z, form), label)[1].total, logits)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_kl_against_torch_and_as_cross_entropy_less_entropy(form, smoothing):
    logits, predicted, label, target = made(form)
    _, term = run(KullbackLeibler(smoothing), predicted, label)
    q = (1 - smoothing) * target + smoothing / target.shape[-1]
    torch.testing.assert_close(term.total, F.kl_div(predicted, q, reduction="sum"))
    _, other = run(CrossEntropy(smoothing), predicted, label)
    torch.testing.assert_close(term.total, other.total + torch.xlogy(q, q).sum())
    ours, theirs = (torch.autograd.grad(one.total, logits, retain_graph=True)[0] for one in (term, other))
    torch.testing.assert_close(ours, theirs)
    perfect = run(KullbackLeibler(smoothing), q.clamp(min=1e-300).log(), label)[1]
    assert perfect.total.item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_focal_without_focus_is_cross_entropy(form):
    _, predicted, label, _ = made(form)
    torch.testing.assert_close(
        run(Focal(0.0), predicted, label)[1].total, run(CrossEntropy(), predicted, label)[1].total
    )


def test_focal_against_the_papers_figure_of_an_easy_example():
    """Section 3.2: with γ = 2 an example at p = 0.9 counts 100 times less, at 0.968 about 1000 times less."""
    for p, factor in ((0.9, 100), (0.968, 1000)):
        predicted = torch.tensor([[p, 1 - p]], dtype=torch.float64).log()
        easy, plain = (run(loss, predicted, torch.tensor([0]))[1].total for loss in (Focal(2.0), CrossEntropy()))
        assert float(plain / easy) == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_of_a_certain_answer_has_numbers_for_gradients(gamma):
    for dtype in (torch.float32, torch.float64):
        logits = torch.tensor([[900.0, 0.0], [0.0, 900.0]], dtype=dtype, requires_grad=True)
        _, term = run(Focal(gamma), logits.log_softmax(-1), torch.tensor([0, 0]))
        term.total.backward()
        assert term.total.item() == pytest.approx(900)
        torch.testing.assert_close(logits.grad, torch.tensor([[0.0, 0.0], [-1.0, 1.0]], dtype=dtype))


@EVERY
def test_only_positions_of_the_mask_count_and_parts_add_up(name, value, loss):
    _, predicted, label, target = made("positions")
    mask = torch.arange(T) < torch.tensor([4, 1, 2, 4, 3, 1]).unsqueeze(1)
    hidden = label.masked_fill(~mask, -100)  # what stands there is no class
    _, term = run(loss, predicted, hidden, mask)
    total, count = getattr(reference, name)(flat(predicted[mask]), flat(target[mask]), value, [1] * int(mask.sum()))
    assert term.total.item() == pytest.approx(total)
    assert float(term.weight) == count
    parts = [run(loss, predicted[s], hidden[s], mask[s])[1] for s in (slice(0, 2), slice(2, 6))]
    torch.testing.assert_close(term.total, sum(part.total for part in parts))
    torch.testing.assert_close(term.weight, sum(part.weight for part in parts))


@EVERY
def test_labels_of_another_shape_are_a_bug(name, value, loss):
    with pytest.raises(AssertionError, match="label"):
        run(loss, made("class")[1], torch.rand(B))


def test_defaults_and_refusals():
    assert option("loss", "focal").gamma == 2
    assert option("loss", "kl").label_smoothing == 0
    with pytest.raises(ConfigError, match=r"loss\.gamma=-1 is negative"):
        Focal(-1)
    with pytest.raises(ConfigError, match=r"loss\.label_smoothing=1 is not in"):
        KullbackLeibler(1.0)
