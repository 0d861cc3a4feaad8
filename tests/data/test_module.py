from __future__ import annotations

import pytest
import torch

from assay.data.digits import Digits
from assay.data.image_folder import ImageFolder
from assay.data.loaders import MemoryLoader, WorkerLoader
from assay.data.module import DataModule
from tests.data.test_datasets import write_images


def test_loaders_over_the_splits():
    module = DataModule(Digits(batch_size=20), seed=3, accumulate=2)
    module.setup("fit")
    module.setup("test")
    train, val, test = module.train_dataloader(), module.val_dataloader(), module.test_dataloader()
    assert isinstance(train, MemoryLoader)
    steps = list(train)
    assert [len(step) for step in steps[:-1]] == [2] * (len(steps) - 1)
    assert [len(batch["index"]) for batch in steps[0]] == [20, 20]
    seen = torch.cat([batch["index"] for step in steps for batch in step])
    assert seen.sort().values.tolist() == module.dataset.splits["train"].index.tolist()
    for loader, split in ((val, "val"), (test, "test"), (module.predict_dataloader(), "test")):
        index = torch.cat([batch["index"] for batch in loader])
        assert torch.equal(index, module.dataset.splits[split].index)


def test_files_are_decoded_by_workers(tmp_path):
    module = DataModule(ImageFolder(write_images(tmp_path / "a"), size=5, memory=1, workers=0))
    module.setup()
    assert isinstance(module.train_dataloader(), WorkerLoader)


@pytest.mark.filterwarnings("ignore:GPU available but not used")
def test_lightning_shuffles_each_epoch_by_its_number(tmp_path):
    import pytorch_lightning as pl

    class Watcher(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.seen = []

        def training_step(self, step, number):
            self.seen.append(torch.cat([batch["index"] for batch in step]).tolist())
            return self.weight.sum()

        def validation_step(self, batch, number):
            return None

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    module, watcher = DataModule(Digits(batch_size=400), seed=3), Watcher()
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=str(tmp_path),
        log_every_n_steps=1,
    )
    trainer.fit(watcher, module)
    loader = module.train_dataloader()
    expected = []
    for epoch in range(3):
        loader.set_epoch(epoch)
        expected.extend(torch.cat([batch["index"] for batch in step]).tolist() for step in loader)
    assert watcher.seen == expected
