"""What `assay predict` shows of tags: a row per sentence, with its words and a tag for each."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

Row = dict[str, Any]


def rows(task: Any, outputs: Mapping[str, Tensor], words: Sequence[Sequence[str]]) -> list[Row]:
    """Per sentence: ``prediction``, its tags; ``tokens``, the words as typed; ``probability`` of all the tags together,
    ``probabilities`` of each; of a joint model ``intent`` and ``intent_probability``; where several were asked for
    ``n_best``, the likeliest taggings as rows of ``prediction`` and ``probability``, the best first.

    Args:
        outputs: the task's answers (B, T), -1 where padded.
        words: of each sentence.
    """
    tags, each, whole = (outputs[name].tolist() for name in ("prediction", "each", "probability"))
    found: list[Row] = []
    for place, tokens in enumerate(words):
        count = len(tokens)
        found.append(
            {
                "prediction": [task.names[tag] for tag in tags[place][:count]],
                "tokens": list(tokens),
                "probability": whole[place],
                "probabilities": each[place][:count],
            }
        )
        if "intent" in outputs:
            found[-1]["intent"] = task.intents[int(outputs["intent"][place])]
            found[-1]["intent_probability"] = float(outputs["intent_probability"][place])
        if "n_best" in outputs:
            sure = outputs["n_best_probability"][place].tolist()
            taggings = outputs["n_best"][place, :, :count].tolist()
            found[-1]["n_best"] = [
                {"prediction": [task.names[tag] for tag in tagging], "probability": p}
                for tagging, p in zip(taggings, sure, strict=True)
                if -1 not in tagging
            ]
    return found


def is_tagged(row: Row) -> bool:
    return "tokens" in row and isinstance(row.get("prediction"), list)


def ranked(found: Sequence[Row]) -> list[Row]:
    """A row for each of a sentence's taggings, with its ``rank``."""
    return [
        {"id": row["id"], "rank": rank, "tokens": row["tokens"], **one}
        for row in found
        for rank, one in enumerate(row["n_best"], 1)
    ]


def pairs(row: Row) -> str:
    """word/TAG word/TAG …"""
    return " ".join(f"{word}/{tag}" for word, tag in zip(row["tokens"], row["prediction"], strict=True))


def as_csv(found: Sequence[Row]) -> str:
    """A row per word: the sentence's id, the word's place in it from 1, the word, its tag and the tag's probability. Of
    several taggings: their rank, and the probability of the whole one."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if "n_best" in found[0]:
        writer.writerow(["id", "rank", "position", "token", "tag", "probability"])
        for row in ranked(found):
            words = enumerate(zip(row["tokens"], row["prediction"], strict=True), 1)
            writer.writerows(
                [row["id"], row["rank"], place, *pair, f"{row['probability']:.6f}"] for place, pair in words
            )
        return text.getvalue().rstrip("\n")
    beside = [name for name in ("intent", "intent_probability") if name in found[0]]
    writer.writerow(["id", "position", "token", "tag", "probability", *beside])
    for row in found:
        words = zip(row["tokens"], row["prediction"], row["probabilities"], strict=True)
        for place, (word, tag, sure) in enumerate(words, 1):
            told = [f"{row[name]:.6f}" if isinstance(row[name], float) else row[name] for name in beside]
            writer.writerow([row["id"], place, word, tag, f"{sure:.6f}", *told])
    return text.getvalue().rstrip("\n")
