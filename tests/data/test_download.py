from __future__ import annotations

import gzip
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from assay.data import download
from assay.data.download import Download, File
from assay.data.sources import fashion_mnist
from assay.errors import ConfigError

CONTENT = b"published bytes" * 100
PACKED = gzip.compress(CONTENT, mtime=0)
FILE = File("a.gz", hashlib.md5(PACKED).hexdigest(), len(PACKED), hashlib.md5(CONTENT).hexdigest(), len(CONTENT))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(folder):
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def source(tmp_path, name, content):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "a.gz").write_bytes(content)
    return folder


def test_what_is_not_there_is_fetched_and_verified(tmp_path, serve, capsys):
    good = serve(source(tmp_path, "good", PACKED))
    made = Download("Set", "Set/raw", (FILE,), ("http://127.0.0.1:9/", good))
    root = str(tmp_path / "data dir, a=b")
    made.ensure(root)
    assert made.verified(root, FILE).read_bytes() == PACKED
    assert "downloading Set" in capsys.readouterr().err
    made = Download("Set", "Set/raw", (FILE,), ("http://127.0.0.1:9/",))
    made.ensure(root)  # nothing to fetch
    assert capsys.readouterr().err == ""


def test_other_bytes_are_not_kept_and_the_next_source_is_asked(tmp_path, serve):
    bad = serve(source(tmp_path, "bad", b"x" * len(PACKED)))
    good = serve(source(tmp_path, "good", PACKED))
    root = tmp_path / "data"
    Download("Set", "Set/raw", (FILE,), (bad, good)).ensure(str(root))
    assert [path.name for path in (root / "Set" / "raw").iterdir()] == ["a.gz"]
    other = tmp_path / "other"
    with pytest.raises(ConfigError, match=r"Set could not be downloaded: .* gave other bytes"):
        Download("Set", "Set/raw", (FILE,), (bad,)).ensure(str(other))
    assert list((other / "Set" / "raw").iterdir()) == []


def test_a_source_that_goes_on_for_ever_is_cut(tmp_path, serve):
    endless = serve(source(tmp_path, "endless", PACKED + b"y" * 10_000_000))
    with pytest.raises(ConfigError, match="gave other bytes"):
        Download("Set", "Set/raw", (FILE,), (endless,)).ensure(str(tmp_path / "data"))


def test_without_network_the_refusal_names_files_folder_and_source(tmp_path, monkeypatch):
    monkeypatch.setattr(
        fashion_mnist, "DOWNLOAD", Download("Fashion-MNIST", "FashionMNIST/raw", (FILE,), ("http://127.0.0.1:9/",))
    )
    root = tmp_path / "none"
    with pytest.raises(ConfigError) as refusal:
        fashion_mnist.check({"root": str(root)})
    message = str(refusal.value)
    assert "\n" not in message
    for part in ("a.gz", str(root / "FashionMNIST" / "raw"), "http://127.0.0.1:9/", "data_dir= or ASSAY_DATA"):
        assert part in message
    assert not root.exists()


def test_a_source_that_stays_silent_does_not_hold_up(tmp_path, monkeypatch):
    import socket

    monkeypatch.setattr(download, "_CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(ConfigError, match="no source answers"):
            Download("Set", "Set/raw", (FILE,), (address,)).ensure(str(tmp_path))


def test_unpacked_files_will_do_and_altered_ones_will_not(tmp_path):
    folder = tmp_path / "Set" / "raw"
    folder.mkdir(parents=True)
    made = Download("Set", "Set/raw", (FILE,), ("http://127.0.0.1:9/",))
    (folder / "a").write_bytes(CONTENT)
    made.ensure(str(tmp_path))
    assert made.verified(str(tmp_path), FILE) == folder / "a"
    (folder / "a").write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(ConfigError, match="is not the published file"):
        made.verified(str(tmp_path), FILE)
    (folder / "a").write_bytes(CONTENT[:-1])
    with pytest.raises(ConfigError, match="no source answers"):
        made.ensure(str(tmp_path))


def test_the_published_files_are_recognised(data_dir):
    if not (data_dir / "FashionMNIST").is_dir():
        pytest.skip("Fashion-MNIST is not there")
    assert fashion_mnist.check({"root": str(data_dir)}) == set()
    for file in fashion_mnist.DOWNLOAD.files:
        fashion_mnist.DOWNLOAD.verified(str(data_dir), file)
