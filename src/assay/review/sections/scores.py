"""How well, against which baseline: each test metric with its interval, the trivial answer, and training."""

from __future__ import annotations

from collections.abc import Mapping

from assay.review import charts, numerals
from assay.review.advice import baseline_wins, main_score
from assay.review.facts import Run
from assay.review.html import Child, Html, tag
from assay.review.page import number, right_head, row_head, table
from assay.review.scores import Interval
from assay.screens import lower_is_better

METRICS = {
    "accuracy": "share of examples answered right",
    "macro_f1": "mean over classes of F1 (harmonic mean of precision and recall): rare classes count as much as common",
    "micro_f1": "F1 of all labels of all examples together",
    "calibration_error": "how far the probabilities given are from the shares that came true; 0 is perfect",
    "log_loss": "mean of −log(probability given to the right answer); 0 is perfect",
    "f1": "harmonic mean of precision and recall of spans, all types together, as conlleval counts them",
    "precision": "share right, in place, length and type, of the spans that were found",
    "recall": "share found of the spans that are there",
    "sentence_accuracy": "share of sentences with every tag right",
    "intent_accuracy": "share of sentences whose intent is answered right",
    "joint_accuracy": "share of sentences with every tag and the intent right",
    "mae": "mean distance of prediction and target, in the target's unit",
    "rmse": "root of the mean squared distance, in the target's unit",
    "r2": "share of the target's variance that is explained; 1 is perfect",
}
BASELINES = {
    "majority": "always answering with the class shares of the training split, whatever the input",
    "mean": "always answering the training split's mean, whatever the input",
    "word's tag": "each word's commonest tag in training, whatever is around it; of unknown words the commonest of all",
}
_IN_UNIT = ("accuracy", "macro_f1", "micro_f1", "r2", "calibration_error", "f1", "precision", "recall")
_IN_UNIT += ("sentence_accuracy", "intent_accuracy", "joint_accuracy")
_OF_TAGS = {"accuracy": "share of tags answered right", "log_loss": "mean over tags of −log(probability given to it)"}


def how_well(run: Run, found: Mapping[str, Interval], chance: float | None) -> list[Html]:
    """Each test metric with its interval, the baseline, and training."""
    test, train, baseline = (run.scores(split) for split in ("test", "train", "baseline"))
    if not test:
        done = "It was never tested" if run.status == "done" else "It did not come to its test"
        return [tag("p", f"{done}: the curves below have the validation scores.", class_="note")]
    name = str(run.summary.get("baseline", "baseline"))
    rows = []
    unit = all(0 <= value <= 1 for metric, value in test.items() if not lower_is_better(metric))
    for metric, value in test.items():
        base, seen = baseline.get(metric), train.get(metric)
        wins = baseline_wins(metric, value, base) and metric != "calibration_error"  # a constant is calibrated
        drawn = charts.strip(value, found.get(metric), base, seen) if unit and metric in _IN_UNIT else None
        interval: Child = span(found[metric]) if metric in found else None
        if metric == "calibration_error" and chance is not None:
            interval = f"by chance up to {numerals.score(chance)}"
        better = "lower is better" if lower_is_better(metric) else "higher is better"
        rows.append(
            [
                row_head(metric, better),
                number(tag("strong", numerals.score(value))),
                number(interval),
                tag("td", drawn),
                number(numerals.score(base)),
                number(numerals.signed(value - base) if base is not None else "–", mark="wins" if wins else ""),
                number(numerals.score(seen)),
                number(numerals.signed(value - seen) if seen is not None else "–"),
            ]
        )
    head = [tag("th", "metric", scope="col")]
    head += [right_head(one) for one in ("test", "95 % interval")]
    head += [tag("th", "0 … 1" if unit else "", scope="col")]
    head += [right_head(one) for one in (f"baseline ({name})", "difference", "training", "gap")]
    body: list[Html] = [_verdict(run, found, name)]
    body.append(table(head, rows, label="scores"))
    count = len(run.predictions) or (run.card.get("sizes") or {}).get("test")
    told = METRICS | _OF_TAGS if run.kind == "tags" else METRICS
    meanings = [[tag("dt", metric), tag("dd", told[metric])] for metric in test if metric in told]
    body.append(tag("dl", meanings, class_="facts small"))
    body.append(
        tag(
            "ul",
            tag("li", f"The baseline, {name}, is {BASELINES.get(name, 'an answer that ignores the input')}."),
            tag(
                "li",
                "Training is measured on as many training examples as there are test ones; gap is test minus training.",
            ),
            tag(
                "li",
                f"An interval is about the choice of the {count:,} test examples: made so from sample after sample of "
                "that size, 95 in 100 would hold what these same weights score on endlessly many. It does not cover "
                "the seed: initialisation and order would move the score too."
                if found and count
                else None,
            ),
            tag("li", "Interval of accuracy: Wilson's. All others: bootstrap, 1,000 draws, percentiles.")
            if found and run.kind == "class"
            else None,
            tag(
                "li",
                "calibration_error is never 0 on a finite split: a perfectly calibrated model with these probabilities "
                f"would stay below {numerals.score(chance)} in 95 of 100 splits of this size.",
            )
            if chance is not None
            else None,
            tag(
                "li",
                "On the line from 0 to 1: dot, the score; band, interval; solid tick, baseline; dashed tick, training.",
            )
            if unit
            else None,
            class_="small",
        )
    )
    return body


def _verdict(run: Run, found: Mapping[str, Interval], name: str) -> Html:
    """One plain sentence about the baseline."""
    main = main_score(run)
    if main is None or main[3] is None:
        return tag("p", "There is no baseline for these scores.")
    metric, value, _, baseline = main
    assert baseline is not None
    if baseline_wins(metric, value, baseline):
        return tag(
            "p",
            tag("span", f"The baseline wins: always answering the {name} does as well in {metric}. ", class_="wins"),
            "Nothing was learnt that helps on new examples.",
        )
    interval = found.get(metric)
    if interval is not None and interval.low <= baseline <= interval.high:
        return tag(
            "p",
            f"The score is better than the baseline ({name}), but the interval of {metric} reaches it: on a test split "
            "of this size the difference may be luck.",
        )
    return tag("p", f"The run beats the baseline ({name}) in {metric} by {numerals.score(abs(value - baseline))}.")


def span(interval: Interval) -> str:
    return f"{numerals.score(interval.low)} to {numerals.score(interval.high)}"
