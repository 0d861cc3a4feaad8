"""The script that an export carries: its file at work with onnxruntime and NumPy alone (Pillow for pictures).

Some twenty lines to be read and copied, so what is known of the export stands in it as it is: sizes, names, settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.data.preprocessing.tagged import DIGITS, MOST_LETTERS
from assay.export.session import EXACT
from assay.export.whole import Port

_HEAD = '''"""python run.py {usage}: answers of model.onnx, by onnxruntime{besides}. Without inputs: does it
still give what golden.npz holds? Written by Assay, which it does not need."""

{imports}
from pathlib import Path

import numpy as np
import onnxruntime
{pillow}
here = Path(__file__).parent
facts = json.loads((here / "export.json").read_text(encoding="utf-8"))
{fitted}{exact}session = onnxruntime.InferenceSession(here / "model.onnx"{options}, providers=["CPUExecutionProvider"])


{read}


if len(sys.argv) == 1:
    golden = np.load(here / "golden.npz")
    answers = session.run(None, {golden})[0]
    print("largest difference from golden.npz:", np.abs(answers - golden["answers"]).max())
for argument in sys.argv[1:]:
    for row in session.run(None, {given})[0]:
{show}
'''

_EXACT = """options = onnxruntime.SessionOptions()  # weights of four bits meet float32, not numbers rounded to eight
options.add_session_config_entry("{}", "{}")
"""

_FITTED = 'fitted = json.loads((here / "preprocessing.json").read_text(encoding="utf-8"))\n'

_IMAGE = """def inputs(path):
    image = Image.open(path).convert("{mode}")
    shrinks = image.width >= {width} and image.height >= {height}
    image = image.resize(({width}, {height}), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)
    x = np.asarray(image, np.float32).reshape({height}, {width}, {channels}).transpose(2, 0, 1) / np.float32(255)
{turned}    return x[None]
"""

_TURNED = """    border = x[0][np.pad(np.zeros({inside}, bool), 1, constant_values=True)].mean()
    low, high, usual = {low}, {high}, {usual}  # borders in training
    if not low <= border <= high and abs(1 - border - usual) < abs(border - usual):
        x = 1 - x  # a negative of what they are
"""

_IDS = 'ids = {token: number for number, token in enumerate(fitted["tokenizer"]["vocabulary_"]) if number > 1}\n'

_WORD_IDS = 'ids = {word: number for number, word in enumerate(fitted["vocabulary_"]) if number > 1}\n'

_CHAIN = 'chain = np.load(here / "chain.npz")\n'

_TEXT = """def inputs(text):
{words}    found = [ids.get(token, 1) for {each}]{most}
    return np.array([found or [1]], dtype=np.int64)
"""

_WORDS = r"""    words = re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", text.strip(){lower})
"""

_RANKS = 'ranks = {tuple(pair): rank for rank, pair in enumerate(fitted["tokenizer"]["merges_"])}\n'

_PIECES = """def pieces(word):
    found = [*word, "▁"]
    while len(found) > 1:
        rank, place = min((ranks.get(pair, 1e9), at) for at, pair in enumerate(zip(found, found[1:])))
        if rank == 1e9:
            break
        found[place : place + 2] = [found[place] + found[place + 1]]
    return found


"""

_TAGS = """def inputs(text):
    words = text.split()
    forms = [{form} for word in words]
{spell}    return {{
        "ids": np.array([[ids.get(form, 1) for form in forms]]),
{beside}    }}


def likeliest(scores):
{search}
"""

_LETTERS = 'letters = {letter: number for number, letter in enumerate(fitted["letters_"]) if number > 1}\n'

_SPELL = """    most = {most}  # characters of a word that are read: of a longer one as many at either end
    spelt = [word if len(word) <= most else word[: most // 2] + word[-(most // 2) :] for word in words]
    characters = np.zeros((1, len(words), max(map(len, spelt))), np.int64)
    for place, word in enumerate(spelt):
        characters[0, place, : len(word)] = [letters.get(letter, 1) for letter in word]
"""

_VITERBI = """    value, back = chain["start"] + scores[0], []
    for row in scores[1:]:
        through = value[:, None] + chain["transitions"]
        back.append(through.argmax(0))
        value = through.max(0) + row
    tags = [int((value + chain["end"]).argmax())]
    for pointer in back[::-1]:
        tags.append(int(pointer[tags[-1]]))
    return tags[::-1]"""

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
    "class": '        print(argument, facts["label"]["names"][row.argmax()], f"{row.max():.4f}", sep="\\t")',
    "labels": (
        '        present = [n for n, p, t in zip(facts["label"]["names"], row, facts["thresholds"]) if p > t]\n'
        '        print(argument, "|".join(present), sep="\\t")'
    ),
    "number": '        print(argument, f"{row:.6g}", sep="\\t")',
    "tags": (
        '        tags = [facts["label"]["names"][tag] for tag in likeliest(row)]\n'
        '        print(" ".join(f"{word}/{tag}" for word, tag in zip(argument.split(), tags)))'
    ),
}


def script(
    preprocessing: dict[str, Any], label: str, ports: Sequence[Port], four_bits: bool = False, chained: bool = False
) -> str:
    """The text of run.py.

    Args:
        preprocessing: as its ``to_json`` describes it.
        label: the kind of answers: ``class``, ``labels``, ``number`` or ``tags``.
        ports: what the file reads, the source first.
        four_bits: its weights are integers of four bits.
        chained: tags are found with chain.npz.
    """
    kind, imports, fitted = preprocessing["type"], {"json", "sys"}, _FITTED
    into, *beside = ports
    given, golden = f'{{"{into.name}": inputs(argument)}}', f'{{"{into.name}": golden["input"]}}'
    match kind:
        case "image":
            usage, read, fitted = "PICTURE…", _image(preprocessing, into), ""
        case "text":
            usage, read = "TEXT…", _text(preprocessing)
            imports |= {"re"} if "re.findall" in read else set()
            fitted += _IDS + (_RANKS if _PIECES in read else "")
        case "tagged":
            usage, read = "TEXT…", _tagged(preprocessing, beside, chained)
            fitted += _WORD_IDS + (_LETTERS if "letters.get" in read else "") + (_CHAIN if chained else "")
            given, golden = "inputs(argument)", '{"ids": golden["input"], **{name: golden[name] for name in beside}}'
            fitted += f"beside = {[one.name for one in beside]}\n"
        case "table":
            usage, read = "TABLE.csv…", _TABLE
            imports.add("csv")
        case _:
            usage, read = "SEQUENCE.csv…", _SEQUENCE
            imports.add("csv")
    return _HEAD.format(
        usage=usage,
        besides=", NumPy and Pillow" if kind == "image" else " and NumPy",
        imports="\n".join(f"import {name}" for name in sorted(imports)),
        pillow="from PIL import Image\n" if kind == "image" else "",
        fitted=fitted,
        exact=_EXACT.format(*EXACT) if four_bits else "",
        options=", options" if four_bits else "",
        read=read.rstrip(),
        given=given,
        golden=golden,
        show=_SHOW[label],
    )


def _image(preprocessing: dict[str, Any], into: Port) -> str:
    channels, height, width = (int(size) for size in into.shape)
    sizes = {"channels": channels, "height": height, "width": width}
    turned, usual = "", preprocessing["background_"]
    if usual is not None:  # a negative is turned
        low, high = preprocessing["border_"]
        turned = _TURNED.format(inside=(height - 2, width - 2), low=low, high=high, usual=usual)
    return _IMAGE.format(**sizes, mode="L" if channels == 1 else "RGB", turned=turned)


def _tagged(preprocessing: dict[str, Any], beside: Sequence[Port], chained: bool) -> str:
    form = "word.lower()" if preprocessing["lowercase"] else "word"
    digit = DIGITS[preprocessing["digits"]]
    form = form if digit is None else f'"".join("{digit}" if one.isdigit() else one for one in {form})'
    spelt = any(one.name == "characters" for one in beside)
    lines = [
        f'        "{one.name}": characters,\n'
        if one.name == "characters"
        else f'        "{one.name}": np.ones((1, len(words)), np.int64),  # 1: not known\n'
        for one in beside
    ]
    spell = _SPELL.format(most=MOST_LETTERS) if spelt else ""
    search = _VITERBI if chained else "    return scores.argmax(1).tolist()"
    return _TAGS.format(spell=spell, form=form, beside="".join(lines), search=search)


def _text(preprocessing: dict[str, Any]) -> str:
    tokenizer, most = preprocessing["tokenizer"], preprocessing["max_length"]
    words = _WORDS.replace("{lower}", ".lower()" if tokenizer.get("lowercase") else "")
    words, each, pieces = {
        "char": ("", "token in text.strip()", ""),
        "word": (words, "token in words", ""),
        "bpe": (words, "word in words for token in pieces(word)", _PIECES),
    }[tokenizer["type"]]
    return pieces + _TEXT.format(words=words, each=each, most="" if most is None else f"[:{most}]")
