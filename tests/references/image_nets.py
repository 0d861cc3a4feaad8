"""Residual, VGG and depthwise-separable nets in NumPy, on one image; convolutions are loops over pixels.

A convolution is (weight, bias or None); a normalisation (mean, variance, scale, shift) per channel, as in evaluation.
"""

from __future__ import annotations

import numpy as np

from tests.references.convolution import convolve, pool


def normalize(image, mean, variance, scale, shift, eps=1e-5):
    return np.stack(
        [scale[c] * (image[c] - mean[c]) / np.sqrt(variance[c] + eps) + shift[c] for c in range(len(image))]
    )


def relu(x):
    return np.maximum(x, 0)


def residual_net(image, first, blocks, residual, projections):
    """He et al. 2016: first and each of a block's two are (convolution, normalisation); a block halves the side where
    it has more maps than its input. projections {block: (1x1 convolution, normalisation)}; else zeros are the new maps.
    """
    x = relu(normalize(convolve(image, *first[0]), *first[1]))
    for number, ((conv_a, norm_a), (conv_b, norm_b)) in enumerate(blocks):
        stride = 2 if len(conv_a[0]) > len(x) else 1
        y = relu(normalize(convolve(x, *conv_a)[:, ::stride, ::stride], *norm_a))
        y = normalize(convolve(y, *conv_b), *norm_b)
        if residual:
            kept = x[:, ::stride, ::stride]
            if number in projections:
                conv, norm = projections[number]
                kept = normalize(convolve(kept, *conv), *norm)
            y[: len(kept)] += kept
        x = relu(y)
    return np.array([channel.mean() for channel in x])


def vgg(image, convolutions, linears):
    """Simonyan and Zisserman 2015, configuration D, without normalisation; no pooling once a side is one pixel."""
    left = iter(convolutions)
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            image = relu(convolve(image, *next(left)))
        if min(image.shape[1:]) > 1:
            image = pool(image, np.max)
    x = image.ravel()
    for weight, bias in linears:
        x = relu(weight @ x + bias)
    return x


def separable(image, blocks):
    """blocks of (depthwise weight (C, 1, 3, 3), normalisation, pointwise weight (O, C, 1, 1)); then channel means."""
    for depthwise, norm, pointwise in blocks:
        maps = np.concatenate([convolve(image[c : c + 1], depthwise[c : c + 1], None) for c in range(len(image))])
        maps = np.minimum(relu(normalize(maps, *norm)), 6)
        image = np.einsum("oc,chw->ohw", pointwise[:, :, 0, 0], maps)
        if min(image.shape[1:]) > 1:
            image = pool(image, np.max)
    return np.array([channel.mean() for channel in image])
