from __future__ import annotations

import json
import os
import stat
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crypto.device_keys import DeviceKey
from kiosk_client import KeyStore, StoredKey
from kiosk_client.errors import KeyStoreFault

if TYPE_CHECKING:
    from pathlib import Path


def a_key(**changes: object) -> StoredKey:
    key = StoredKey(url="https://stamp.example", key=DeviceKey.generate(os.urandom), created_at=1.5, code="WDJB-MJHT")
    return replace(key, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "deep" / "state")


def test_what_is_stored_comes_back(store: KeyStore) -> None:
    assert store.load() is None
    stored = store.create(a_key())
    loaded = store.load()
    assert loaded is not None
    assert (loaded.key.seed, loaded.code, loaded.state) == (stored.key.seed, "WDJB-MJHT", "new")


def test_nobody_else_can_read_it(store: KeyStore) -> None:
    before = os.umask(0)
    try:
        store.create(a_key())
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    assert [path.name for path in store.directory.iterdir()] == ["key.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_file_that_others_may_use_is_refused(store: KeyStore, mode: int) -> None:
    store.create(a_key())
    store.path.chmod(mode)
    with pytest.raises(KeyStoreFault, match="may be read by others"):
        store.load()


def test_a_directory_that_others_may_write_is_refused(store: KeyStore) -> None:
    store.directory.mkdir(parents=True)
    store.directory.chmod(0o777)
    with pytest.raises(KeyStoreFault, match="may be written by others"):
        store.create(a_key())


def test_a_symbolic_link_is_refused(store: KeyStore, tmp_path: Path) -> None:
    store.create(a_key())
    store.path.rename(tmp_path / "elsewhere")
    store.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyStoreFault):
        store.load()


def test_what_is_no_file_is_refused(store: KeyStore) -> None:
    store.path.mkdir(parents=True)
    with pytest.raises(KeyStoreFault):
        store.load()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: "{",
        lambda content: json.dumps({**content, "seed": "AAAA"}),
        lambda content: json.dumps({**content, "seed": "!" * 43}),
        lambda content: json.dumps({**content, "seed": "A" * 43}),
        lambda content: json.dumps({**content, "state": "approved"}),
        lambda content: json.dumps({**content, "version": 2}),
    ],
    ids=["cut", "short seed", "no base64", "another seed", "state", "version"],
)
def test_a_damaged_file_is_named_without_showing_its_content(store: KeyStore, damage: object) -> None:
    store.create(a_key())
    content = json.loads(store.path.read_text())
    store.path.write_text(damage(content))  # type: ignore[operator]
    with pytest.raises(KeyStoreFault, match="damaged") as caught:
        store.load()
    assert content["seed"] not in str(caught.value)


def test_a_new_key_never_overwrites_one(store: KeyStore) -> None:
    first = store.create(a_key())
    second = store.create(a_key())
    assert second.key.seed == first.key.seed


def test_many_first_starts_agree_on_one_key(store: KeyStore) -> None:
    kept: list[bytes] = []
    threads = [threading.Thread(target=lambda: kept.append(store.create(a_key()).key.seed)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 16
    assert len(set(kept)) == 1


def test_only_the_same_key_can_be_saved_over(store: KeyStore) -> None:
    stored = store.create(a_key())
    store.save(replace(stored, state="active", code=None))
    loaded = store.load()
    assert loaded is not None
    assert (loaded.state, loaded.code) == ("active", None)
    with pytest.raises(KeyStoreFault, match="another process"):
        store.save(a_key())


def test_a_key_set_aside_can_come_back_or_be_forgotten(store: KeyStore) -> None:
    assert not store.set_aside()
    assert not store.restore()
    first = store.create(a_key())
    assert store.set_aside()
    store.create(a_key())
    assert store.restore()
    loaded = store.load()
    assert loaded is not None
    assert loaded.key.seed == first.key.seed
    store.set_aside()
    store.forget_previous()
    store.remove()
    assert list(store.directory.iterdir()) == []


def test_faults_of_the_disk_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyStoreFault) as caught:
        KeyStore(tmp_path / "file").create(a_key())
    assert "\n" not in caught.value.message


def test_a_full_disk_leaves_nothing_behind(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    store.directory.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyStoreFault, match="No space left"):
        store.create(a_key())
    assert list(store.directory.iterdir()) == []


def test_neither_seed_nor_code_is_shown() -> None:
    stored = a_key()
    assert "WDJB" not in repr(stored)
    assert stored.key.seed.hex() not in repr(stored)
