"""Adult as a user's tables whose training rows are not like the test rows: what `shift=` is for.

``python shifted_adult.py covariate|label DATA_DIR FOLDER`` writes train.csv, val.csv and test.csv.

- covariate: a training row is kept with probability exp(-(age - 17) / 12): the young are asked, all are meant. The test
  split is the published one.
- label: of the test rows that earn 50,000 or less one in nine is kept, so that those who earn more are about three
  quarters; in training they are a quarter, as published.

Rows are dropped by a generator of their own, seed 0; a tenth of the training rows validates.
"""

import csv
import gzip
import math
import random
import sys
from pathlib import Path

kind, data, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
generator = random.Random(0)
if kind not in ("covariate", "label"):
    raise SystemExit(f"{kind} is neither covariate nor label")
HEADER = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
]  # fmt: skip


def rows(*names: str) -> list[list[str]]:
    path = next(path for name in names if (path := data / "adult" / name).is_file())
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as file:
        found = [[cell.strip() for cell in row] for row in csv.reader(file)]
    return [[*row[:-1], row[-1].rstrip(".")] for row in found if len(row) == len(HEADER)]


train = rows("adult.data", "adult-train.csv", "adult-train.csv.gz")
test = rows("adult.test", "adult-test.csv", "adult-test.csv.gz")
if kind == "covariate":
    train = [row for row in train if generator.random() < math.exp(-(float(row[0]) - 17) / 12)]
else:
    test = [row for row in test if row[-1].startswith(">") or generator.random() < 1 / 9]
generator.shuffle(train)
cut = len(train) // 10
folder.mkdir(parents=True, exist_ok=True)
for name, chosen in (("val", train[:cut]), ("train", train[cut:]), ("test", test)):
    with open(folder / f"{name}.csv", "w", newline="") as file:
        csv.writer(file).writerows([HEADER, *chosen])
    share = sum(row[-1].startswith(">") for row in chosen) / len(chosen)
    print(f"{folder / name}.csv: {len(chosen):,} rows, {100 * share:.1f} % earn more")
