"""Updates in NumPy, one number at a time, as the papers write them."""

from __future__ import annotations

import math


def sgd(weights, gradient, lr, steps, weight_decay=0.0):
    weights = list(weights)
    for _ in range(steps):
        grads = [g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)]
        weights = [w - lr * g for w, g in zip(weights, grads, strict=True)]
    return weights


def adam(weights, gradient, lr, betas, eps, steps, weight_decay=0.0):
    """Kingma and Ba 2015, algorithm 1."""
    weights = list(weights)
    m = [0.0] * len(weights)
    v = [0.0] * len(weights)
    for t in range(1, steps + 1):
        grads = [g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)]
        for i, g in enumerate(grads):
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            v[i] = betas[1] * v[i] + (1 - betas[1]) * g * g
            m_hat = m[i] / (1 - betas[0] ** t)
            v_hat = v[i] / (1 - betas[1] ** t)
            weights[i] -= lr * m_hat / (math.sqrt(v_hat) + eps)
    return weights


def momentum(weights, gradient, lr, steps, weight_decay=0.0, momentum=0.9):
    """Polyak 1964, eq. 9: w_{t+1} = w_t - α g_t + β (w_t - w_{t-1})."""
    before = list(weights)
    weights = list(weights)
    for _ in range(steps):
        grads = gradient(weights)
        for i, g in enumerate(grads):
            w = weights[i]
            weights[i] = w - lr * (g + weight_decay * w) + momentum * (w - before[i])
            before[i] = w
    return weights


def nag(weights, gradient, lr, steps, weight_decay=0.0, momentum=0.9):
    """Sutskever et al. 2013, eq. 3 and 4; returns the point ahead, where the next gradient would be taken."""
    weights = list(weights)
    v = [0.0] * len(weights)
    for _ in range(steps):
        ahead = [w + momentum * u for w, u in zip(weights, v, strict=True)]
        grads = [g + weight_decay * a for g, a in zip(gradient(ahead), ahead, strict=True)]
        v = [momentum * u - lr * g for u, g in zip(v, grads, strict=True)]
        weights = [w + u for w, u in zip(weights, v, strict=True)]
    return [w + momentum * u for w, u in zip(weights, v, strict=True)]


def adagrad(weights, gradient, lr, steps, weight_decay=0.0, eps=1e-10):
    """Duchi, Hazan and Singer 2011, figure 1, diagonal: G from all gradients so far."""
    weights = list(weights)
    seen = []
    for _ in range(steps):
        seen.append([g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)])
        for i, g in enumerate(seen[-1]):
            weights[i] -= lr * g / (eps + math.sqrt(sum(past[i] ** 2 for past in seen)))
    return weights


def adadelta(weights, gradient, lr, steps, weight_decay=0.0, rho=0.95, eps=1e-6):
    """Zeiler 2012, algorithm 1, the step times lr."""
    weights = list(weights)
    squares, moves = [0.0] * len(weights), [0.0] * len(weights)
    for _ in range(steps):
        grads = [g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)]
        for i, g in enumerate(grads):
            squares[i] = rho * squares[i] + (1 - rho) * g * g
            move = -math.sqrt(moves[i] + eps) / math.sqrt(squares[i] + eps) * g
            moves[i] = rho * moves[i] + (1 - rho) * move * move
            weights[i] += lr * move
    return weights


def rmsprop(weights, gradient, lr, steps, weight_decay=0.0, alpha=0.9, eps=1e-8):
    """Tieleman and Hinton 2012, lecture 6e, slide 29."""
    weights = list(weights)
    mean_square = [0.0] * len(weights)
    for _ in range(steps):
        grads = [g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)]
        for i, g in enumerate(grads):
            mean_square[i] = alpha * mean_square[i] + (1 - alpha) * g * g
            weights[i] -= lr * g / (math.sqrt(mean_square[i]) + eps)
    return weights


def adamw(weights, gradient, lr, steps, weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8):
    """Loshchilov and Hutter 2019, algorithm 2, with λ = lr · weight_decay."""
    weights = list(weights)
    m, v = [0.0] * len(weights), [0.0] * len(weights)
    for t in range(1, steps + 1):
        for i, g in enumerate(gradient(weights)):
            m[i] = betas[0] * m[i] + (1 - betas[0]) * g
            v[i] = betas[1] * v[i] + (1 - betas[1]) * g * g
            adaptive = m[i] / (1 - betas[0] ** t) / (math.sqrt(v[i] / (1 - betas[1] ** t)) + eps)
            weights[i] -= lr * adaptive + lr * weight_decay * weights[i]
    return weights


def clip_norm(grads, max_norm):
    norm = math.sqrt(sum(g * g for g in grads))
    return [g * min(1.0, max_norm / (norm + 1e-6)) for g in grads], norm


def exponential_average(start, values, decay):
    """The average after each of the values."""
    average = list(start)
    seen = []
    for t, weights in enumerate(values):
        d = min(decay, (1 + t) / (10 + t))
        average = [d * a + (1 - d) * w for a, w in zip(average, weights, strict=True)]
        seen.append(average)
    return seen


def stochastic_average(values, first, period, stride):
    """Izmailov et al. 2018, algorithm 1: the mean of the members among weights w_1, w_2, … after each of them.

    A member is taken after step t >= first where t is a multiple of period and stride steps lie behind the last."""
    members, means, last = [], [], None
    for t, weights in enumerate(values, 1):
        if t >= first and t % period == 0 and (last is None or t - last >= stride):
            members.append(weights)
            last = t
        means.append([sum(w) / len(members) for w in zip(*members, strict=True)] if members else None)
    return means


def lbfgs(weights, gradient, steps, lr=1.0, history=10, weight_decay=0.0):
    """Nocedal and Wright 2006, algorithms 7.4 (two loops) and 7.5, with t = lr, the first min(1, 1 / |g|_1) lr; the
    weights after each step."""

    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    weights, pairs, before, seen = list(weights), [], None, []
    for k in range(steps):
        grads = [g + weight_decay * w for g, w in zip(gradient(weights), weights, strict=True)]
        if before is not None:
            s = [w - old for w, old in zip(weights, before[0], strict=True)]
            y = [g - old for g, old in zip(grads, before[1], strict=True)]
            if dot(y, s) > 1e-10:
                pairs = [*pairs, (s, y)][-history:]
        q, alphas = list(grads), []
        for s, y in reversed(pairs):
            alphas.append(dot(s, q) / dot(y, s))
            q = [a - alphas[-1] * b for a, b in zip(q, y, strict=True)]
        gamma = dot(*pairs[-1]) / dot(pairs[-1][1], pairs[-1][1]) if pairs else 1.0
        r = [gamma * a for a in q]
        for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
            beta = dot(y, r) / dot(y, s)
            r = [a + b * (alpha - beta) for a, b in zip(r, s, strict=True)]
        t = min(1.0, 1.0 / sum(map(abs, grads))) * lr if k == 0 else lr
        before = weights, grads
        weights = [w - t * a for w, a in zip(weights, r, strict=True)]
        seen.append(weights)
    return seen
