"""The test examples with the highest loss, as a person can look at them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay.review import numerals
from assay.review.facts import Run
from assay.review.html import Html, tag
from assay.review.page import right_head, row_head, table

_PNG = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]{1,60000}")
_COLUMNS = 14


def hardest(run: Run) -> list[Html]:
    """From predictions/hardest.json, which the run wrote; nothing where it did not."""
    found = run.hardest
    if not found:
        return []
    plain = (
        "squared distance of prediction and target" if run.kind == "number" else "−log(probability given to the target)"
    )
    body = [
        tag("h3", "Hardest examples"),
        tag(
            "p",
            f"The {len(found)} test examples with the highest loss ({plain}). Wrong labels gather here too.",
            class_="small",
        ),
    ]
    if all(isinstance(one.get("image"), str) and _PNG.fullmatch(one["image"]) for one in found):
        items = [tag("li", _picture(one), _answer(one)) for one in found]
        return [*body, tag("ul", items, class_="examples")]
    if all(isinstance(one.get("row"), list) for one in found):
        return [*body, _rows(found, run.kind)]
    if run.kind == "tags":
        return [*body, tag("ul", [tag("li", _sentence(one)) for one in found], class_="examples texts")]
    told = _window if run.kind == "tokens" else _answer
    items = [tag("li", tag("blockquote", one.get("text", "")), told(one)) for one in found]
    return [*body, tag("ul", items, class_="examples texts")]


def _picture(one: Mapping[str, Any]) -> Html:
    return tag(
        "img", src=one["image"], alt=f"test example {one.get('id')}, labelled {one.get('target')}", loading="lazy"
    )


def _answer(one: Mapping[str, Any]) -> list[Html]:
    """What it is, what was answered how surely, and what the next likeliest answers were."""
    target, answer = one.get("target", "") or "none", one.get("prediction", "") or "none"
    if target == answer:
        lines = [tag("div", "is ", tag("strong", target), ", answered so")]
    else:
        lines = [tag("div", "is ", tag("strong", target)), tag("div", "taken for ", tag("strong", answer))]
    answers = [pair for pair in one.get("answers") or [] if isinstance(pair, list) and len(pair) == 2]
    if answers:
        lines.append(
            tag("div", ", ".join(f"{name} ({100 * p:.0f} %)" for name, p in answers if p >= 0.005), class_="small")
        )
    elif isinstance(sure := one.get("probability"), int | float):
        lines.append(tag("div", f"{numerals.share(sure)} sure", class_="small"))
    lines.append(tag("div", f"loss {numerals.score(_number(one.get('loss')))}", class_="small"))
    lines.append(tag("div", f"example {one.get('id')}", class_="small"))
    return lines


def _window(one: Mapping[str, Any]) -> list[Html]:
    """Of a language model: how well the tokens of a window were foretold."""
    told = f"perplexity {one.get('prediction')} · loss {numerals.score(_number(one.get('loss')))} a token"
    return [tag("div", told, class_="small"), tag("div", f"example {one.get('id')}", class_="small")]


def _sentence(one: Mapping[str, Any]) -> list[Html]:
    """The words, each wrong tag behind its word: what it is, and what was answered."""
    targets, answers = (str(one.get(side, "")).split(" ") for side in ("target", "prediction"))
    tokens = one.get("tokens")
    if not isinstance(tokens, list) or len(tokens) != len(targets):
        tokens = ["·"] * len(targets)
    words: list[Html | str] = []
    wrong = 0
    for token, target, answer in zip(tokens, targets, answers, strict=False):
        if target == answer:
            words.append(f"{token} ")
            continue
        wrong += 1
        words += [tag("span", str(token), class_="wrong"), tag("small", f" {target}, not {answer}"), " "]
    lines = [tag("blockquote", words)]
    sure = one.get("probability")
    told = f"{wrong} of {len(targets)} tags wrong"
    if isinstance(sure, int | float):
        told += f", {numerals.share(sure)} sure of the whole"
    lines.append(tag("div", f"{told} · loss {numerals.score(_number(one.get('loss')))}", class_="small"))
    return [*lines, tag("div", f"example {one.get('id')}", class_="small")]


def _rows(found: Sequence[Mapping[str, Any]], kind: str | None) -> Html:
    columns = [str(name) for name, _ in found[0]["row"]][:_COLUMNS]
    left = int(found[0].get("columns", len(columns))) - len(columns)
    rows = []
    for one in found:
        cells = [tag("td", value) for _, value in one["row"][:_COLUMNS]]
        target, answer = one.get("target", ""), one.get("prediction", "")
        sure = one.get("probability")
        more = [tag("td", numerals.share(sure), class_="n")] if isinstance(sure, int | float) else []
        style = "n" if kind == "number" else None
        loss = numerals.score(_number(one.get("loss")))
        if kind == "number":
            loss = _difference(target, answer)
        told = [tag("td", tag("strong", value), class_=style) for value in (target, answer)]
        rows.append([row_head(str(one.get("id"))), *told, *more, tag("td", loss, class_="n"), *cells])
    sure = isinstance(found[0].get("probability"), int | float)
    answers = [right_head(name) if kind == "number" else name for name in ("target", "prediction")]
    last = right_head("difference" if kind == "number" else "loss")
    heads = ["example", *answers, *([right_head("sure")] if sure else []), last, *columns]
    caption = "Columns as the file has them" + (f"; {left} more are not shown" if left > 0 else "")
    return table(heads, rows, caption=caption, label="hardest examples")


def _difference(target: Any, answer: Any) -> str:
    try:
        return numerals.signed(float(answer) - float(target))
    except (TypeError, ValueError):
        return numerals.score(None)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
