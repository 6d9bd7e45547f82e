"""Fixtures: a shop on a disk of its own, or in a plain folder.

DIGEST_FAULTS_STORE=all tries every place where a fault can come, as `make soak` does.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.mail.sink import Sink
from tests.commands import Desk
from tests.faults.store.disks import Disk, small_disk
from tests.faults.store.shop import Shop, opened, stocked

ALL = os.environ.get("DIGEST_FAULTS_STORE") == "all"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 4 MB."""
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where stores of each stage are kept, once they are made."""
    return {"folder": tmp_path_factory.mktemp("stock")}


@pytest.fixture
def shop(
    bare_desk: Desk,
    sink: Sink,
    tmp_path: Path,
    stock: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    """A shop in a plain folder, with a stock of stores."""
    made = opened(bare_desk, sink, tmp_path / "shop" / "digest.sqlite3", monkeypatch)
    if len(stock) == 1:
        stock.update(stocked(made, stock["folder"]).stock)
    made.stock = stock
    return made


@pytest.fixture
def shop_on_disk(shop: Shop, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose store alone is on the small disk."""
    shop.path = disk.folder / "digest.sqlite3"
    monkeypatch.setenv("DIGEST_STORE__URL", f"sqlite:///{shop.path}")
    return shop
