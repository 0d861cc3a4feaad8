"""The script that an export carries: its file at work with onnxruntime and NumPy alone (Pillow for pictures)."""

from __future__ import annotations

from typing import Any

_HEAD = '''"""python run.py {usage}: answers of model.onnx, by onnxruntime and NumPy{besides}. Without inputs: does it
still give what golden.npz holds? Written by Assay, which it does not need."""

{imports}
from pathlib import Path

import numpy as np
import onnxruntime
{pillow}
here = Path(__file__).parent
facts, fitted = (json.loads((here / f).read_text(encoding="utf-8")) for f in ("export.json", "preprocessing.json"))
labels = facts["label"]["names"]
session = onnxruntime.InferenceSession(here / "model.onnx", providers=["CPUExecutionProvider"])


def answers(x):
    return session.run(None, {{facts["input"]["name"]: x}})[0]


{read}


if len(sys.argv) == 1:
    golden = np.load(here / "golden.npz")
    print("largest difference from golden.npz:", np.abs(answers(golden["input"]) - golden["answers"]).max())
for argument in sys.argv[1:]:
    for row in answers(inputs(argument)):
{show}
'''

_IMAGE = """def inputs(path):
    channels, height, width = facts["input"]["shape"]
    image = Image.open(path).convert("L" if channels == 1 else "RGB")
    shrinks = image.width >= width and image.height >= height
    image = image.resize((width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)
    x = np.asarray(image, dtype=np.float32).reshape(height, width, channels).transpose(2, 0, 1) / np.float32(255)
    if fitted["background_"] is not None:  # a negative of what the training pictures are is turned
        border = x[0][np.pad(np.zeros((height - 2, width - 2), bool), 1, constant_values=True)].mean()
        low, high = fitted["border_"]
        if not low <= border <= high and abs(1 - border - fitted["background_"]) < abs(border - fitted["background_"]):
            x = 1 - x
    return x[None]
"""

_TEXT = """tokenizer = fitted["tokenizer"]
ids = {{token: number for number, token in enumerate(tokenizer["vocabulary_"]) if number > 1}}
{encode}

def inputs(text):
    found = [ids.get(token, 1) for token in tokens(text.strip())][: fitted["max_length"]]
    return np.array([found or [1]], dtype=np.int64)
"""

_WORDS = r"re.findall(r\"\w+(?:['’]\w+)*|[^\w\s]\", text.lower() if tokenizer[\"lowercase\"] else text)".replace(
    '\\"', '"'
)

_ENCODE = {
    "char": """

def tokens(text):
    return list(text)
""",
    "word": f"""

def tokens(text):
    return {_WORDS}
""",
    "bpe": f"""ranks = {{tuple(pair): rank for rank, pair in enumerate(tokenizer["merges_"])}}


def tokens(text):
    found = []
    for word in {_WORDS}:
        pieces = [*word, "▁"]
        while len(pieces) > 1:
            rank, place = min((ranks.get(pair, 1e9), at) for at, pair in enumerate(zip(pieces, pieces[1:])))
            if rank == 1e9:
                break
            pieces[place : place + 2] = [pieces[place] + pieces[place + 1]]
        found += pieces
    return found
""",
}

_TABLE = """def inputs(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    x = np.zeros((len(rows), len(fitted["features"])))
    for place, (name, number) in enumerate(zip(fitted["features"], fitted["numeric"])):
        cells = ["" if row[name].strip() in ("", *fitted["missing"]) else row[name].strip() for row in rows]
        known = {value: code for code, value in enumerate(fitted["categories_"].get(name, []), 1)}
        x[:, place] = [(float(cell) if cell else np.nan) if number else known.get(cell, 0) for cell in cells]
    return x
"""

_SEQUENCE = """def inputs(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = [[float(row[name]) for name in fitted["names"]] for row in csv.DictReader(file)]
    return np.array([rows], dtype=np.float32)
"""

_SHOW = {
    "class": '        print(argument, labels[row.argmax()], f"{row.max():.4f}", sep="\\t")',
    "labels": (
        '        present = [name for name, p, t in zip(labels, row, facts["thresholds"]) if p > t]\n'
        '        print(argument, "|".join(present), sep="\\t")'
    ),
    "number": '        print(argument, f"{row:.6g}", sep="\\t")',
}


def script(preprocessing: dict[str, Any], label: str) -> str:
    """The text of run.py.

    Args:
        preprocessing: as its ``to_json`` describes it.
        label: the kind of answers: ``class``, ``labels`` or ``number``.
    """
    kind = preprocessing["type"]
    usage, pillow, read = {
        "image": ("PICTURE…", True, _IMAGE),
        "text": ("TEXT…", False, _TEXT),
        "table": ("TABLE.csv…", False, _TABLE),
        "sequence": ("SEQUENCE.csv…", False, _SEQUENCE),
    }[kind]
    imports = {"json", "sys"}
    if kind == "text":
        tokenizer = preprocessing["tokenizer"]["type"]
        read = _TEXT.format(encode=_ENCODE[tokenizer])
        imports |= set() if tokenizer == "char" else {"re"}
    elif not pillow:
        imports.add("csv")
    return _HEAD.format(
        usage=usage,
        besides=" and Pillow" if pillow else "",
        imports="\n".join(f"import {name}" for name in sorted(imports)),
        pillow="from PIL import Image\n" if pillow else "",
        read=read.rstrip(),
        show=_SHOW[label],
    )
