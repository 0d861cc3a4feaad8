"""What one writes with Lightning and torchmetrics: an LSTM over the rows of digits. A contender of `assay bench start`.

The same job as ``train.py model=lstm optim=adam``: data, split, batch size, network, optimiser, validation each epoch,
accuracy, a log file, checkpoints and a progress bar, all as the libraries have them by default. With ``--random`` the
data is drawn instead of read, which spares the script scikit-learn.
"""

import sys

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy


class Classifier(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 128, batch_first=True)
        self.head = nn.Linear(128, 10)
        self.accuracy = MulticlassAccuracy(10, average="micro")

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.head(states[:, -1])

    def training_step(self, batch, index):
        loss = nn.functional.cross_entropy(self(batch[0]), batch[1])
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch, index):
        self.accuracy(self(batch[0]), batch[1])
        self.log("val/accuracy", self.accuracy, prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def load():
    if "--random" in sys.argv:
        return torch.rand(1797, 8, 8), torch.randint(10, (1797,))
    from sklearn.datasets import load_digits

    digits = load_digits()
    return torch.tensor(digits.images, dtype=torch.float32) / 16, torch.tensor(digits.target)


def main():
    pl.seed_everything(0)
    images, labels = load()
    order = torch.randperm(len(images))
    train, val = order[:1437], order[1437:1617]
    training = DataLoader(TensorDataset(images[train], labels[train]), batch_size=32, shuffle=True)
    validation = DataLoader(TensorDataset(images[val], labels[val]), batch_size=128)
    pl.Trainer(max_epochs=40, accelerator="cpu").fit(Classifier(), training, validation)


if __name__ == "__main__":
    main()
