"""Random erasing, Zhong et al. 2020, algorithm 1, for one image; the ratio drawn on a logarithmic scale."""

from __future__ import annotations

import math


def rectangle(u, height, width, p, area, ratio, tries):
    """(top, left, bottom, right), zeros for none. u: whether, row, column, then the tries' areas, then their ratios."""
    if u[0] >= p:
        return 0, 0, 0, 0
    for k in range(tries):
        s = (area[0] + u[3 + k] * (area[1] - area[0])) * height * width
        r = math.exp(math.log(ratio[0]) + u[3 + tries + k] * (math.log(ratio[1]) - math.log(ratio[0])))
        tall, wide = round(math.sqrt(s * r)), round(math.sqrt(s / r))
        if tall < height and wide < width:
            top, left = math.floor(u[1] * (height - tall + 1)), math.floor(u[2] * (width - wide + 1))
            return top, left, top + tall, left + wide
    return 0, 0, 0, 0
