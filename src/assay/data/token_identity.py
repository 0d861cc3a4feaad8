"""What a tokenised text is known by: the bytes that were read, and how they were tokenised."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from assay.data.preprocessing.stream import StreamPreprocessing
from assay.data.text_files import Split
from assay.data.tokenising import Progress

FORMAT = 1
_BLOCK = 1 << 20


def settings_of(how: Mapping[str, Any], preprocessing: StreamPreprocessing, fitted: bool) -> dict[str, Any]:
    """How a text is tokenised, whatever text: what a tokenizer has learnt counts only if it comes from elsewhere."""
    plain = preprocessing.to_json()
    tokenizer = {key: value for key, value in plain["tokenizer"].items() if not key.endswith("_")}
    return {**how, "tokenizer": tokenizer, "fitted": preprocessing.digest() if fitted else None}


def sources_of(splits: Mapping[str, Split]) -> dict[str, list[list[Any]]]:
    """Of each region the file, its bounds, and what changes where the file does."""
    return {
        split: [
            [os.path.realpath(one.path), one.begin, one.stop, one.size, os.stat(one.path).st_mtime_ns]
            for one in regions
        ]
        for split, regions in splits.items()
    }


def contents_of(splits: Mapping[str, Split]) -> dict[str, list[str]]:
    """sha256 of the bytes of each region, wherever they lie."""
    told = Progress("reading the text", sum(one.stop - one.begin for regions in splits.values() for one in regions))
    found: dict[str, list[str]] = {}
    for split, regions in splits.items():
        found[split] = []
        for one in regions:
            summed = hashlib.sha256()
            with open(one.path, "rb") as file:
                file.seek(one.begin)
                left = one.stop - one.begin
                while block := file.read(min(_BLOCK, left)):
                    summed.update(block)
                    left -= len(block)
                    told(block)
            found[split].append(summed.hexdigest())
    told.ended()
    return found


def name_of(settings: Mapping[str, Any], contents: Mapping[str, Any]) -> str:
    told = json.dumps([FORMAT, settings, contents], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:24]
