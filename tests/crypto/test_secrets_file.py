from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from os import urandom
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import base64url
from crypto.device_keys import DeviceKey
from crypto.secrets_file import Secrets, SecretsFileError
from tests.crypto.first_start import first_start

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.json"


def rewrite(path: Path, change: dict[str, object], *, seal: bool = True) -> None:
    """Change members of the file; with `seal` as somebody who knows the checksum."""
    content = json.loads(path.read_bytes()) | change
    if seal:
        content.pop("checksum")
        content["checksum"] = sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    path.write_text(json.dumps(content))


def test_the_first_start_makes_the_file_and_the_next_ones_read_it(path: Path) -> None:
    made = Secrets.load_or_create(path, urandom)
    for again in (Secrets.load(path), Secrets.load_or_create(path, urandom)):
        assert again.gateway_key.seed == made.gateway_key.seed
        assert again.purpose_keys("nonces") == made.purpose_keys("nonces")
        assert (again.current_version, again.check_value) == (made.current_version, made.check_value)


def test_the_file_is_for_its_owner_only_and_nothing_else_is_left(path: Path) -> None:
    previous = os.umask(0)
    try:
        Secrets.load_or_create(path, urandom)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    Secrets.load_or_create(path, urandom)
    path.chmod(mode)
    with pytest.raises(SecretsFileError, match="chmod 600"):
        Secrets.load_or_create(path, urandom)


def test_keys_are_derived_by_the_name_of_their_purpose(path: Path) -> None:
    secrets = Secrets({1: b"a" * 32, 2: b"b" * 32}, 2, DeviceKey.from_seed(bytes(32)))
    keys = secrets.purpose_keys("nonces")
    assert keys == {
        version: HKDF(algorithm=SHA256(), length=32, salt=None, info=b"nonces").derive(master)
        for version, master in ((1, b"a" * 32), (2, b"b" * 32))
    }
    assert keys != secrets.purpose_keys("pepper")


def test_the_check_value_tells_other_secrets_apart_and_survives_a_new_version() -> None:
    key, other = DeviceKey.from_seed(bytes(32)), DeviceKey.from_seed(b"x" * 32)
    secrets = Secrets({1: b"a" * 32}, 1, key)
    assert len(secrets.check_value) == 32
    assert Secrets({1: b"a" * 32, 2: b"b" * 32}, 2, key).check_value == secrets.check_value
    assert Secrets({1: b"b" * 32}, 1, key).check_value != secrets.check_value
    assert Secrets({1: b"a" * 32}, 1, other).check_value != secrets.check_value
    assert secrets.check_value not in secrets.purpose_keys("nonces").values()


def test_secrets_never_show_themselves(path: Path) -> None:
    secrets = Secrets.load_or_create(path, urandom)
    assert repr(secrets) == f"Secrets(versions=[1], gateway_key=DeviceKey(keyid='{secrets.gateway_key.keyid}'))"


def test_many_first_starts_in_threads_agree(tmp_path: Path) -> None:
    for attempt in range(10):
        path = tmp_path / f"{attempt}.json"
        barrier = Barrier(8)

        def start(path: Path = path, barrier: Barrier = barrier) -> bytes:
            barrier.wait()
            return first_start(path)

        with ThreadPoolExecutor(8) as pool:
            seeds = [pool.submit(start) for _ in range(8)]
        assert len({seed.result() for seed in seeds}) == 1
    assert len(list(tmp_path.iterdir())) == 10


def test_first_starts_in_processes_agree(tmp_path: Path) -> None:
    paths = [tmp_path / f"{attempt}.json" for attempt in range(10)]
    with ProcessPoolExecutor(4, mp_context=get_context("forkserver")) as pool:
        seeds = {path: [pool.submit(first_start, path) for _ in range(4)] for path in paths}
    assert all(len({seed.result() for seed in of_one}) == 1 for of_one in seeds.values())


def test_a_start_that_finds_the_file_appear_under_its_hands_takes_it(path: Path) -> None:
    winner = Secrets.generate(urandom)

    def slow_randomness(length: int) -> bytes:
        # Another process finishes while this one still draws its keys.
        if not path.exists():
            Secrets.load_or_create(path, lambda n: winner.gateway_key.seed[:n])
        return urandom(length)

    assert Secrets.load_or_create(path, slow_randomness).gateway_key.seed == winner.gateway_key.seed
    assert len(list(path.parent.iterdir())) == 1


ONE_LINE = r"\A[^\n]+\Z"


def refused(path: Path) -> str:
    with pytest.raises(SecretsFileError, match=ONE_LINE) as refusal:
        Secrets.load_or_create(path, urandom)
    assert str(path) in str(refusal.value)
    assert refusal.value.__cause__ is None
    return str(refusal.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"{}", b'"text"', b"[" * 20_000, b" " * 70_000, b"\0" * 100, b"1" * 5000],
)
def test_a_file_that_is_something_else_is_refused_in_one_line(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
    refused(path)


@pytest.mark.parametrize("position", [0, 20, 60, 100, 150, -70, -3])
def test_any_changed_byte_is_noticed(path: Path, position: int) -> None:
    Secrets.load_or_create(path, urandom)
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    refused(path)


def test_a_file_cut_short_is_noticed(path: Path) -> None:
    Secrets.load_or_create(path, urandom)
    path.write_bytes(path.read_bytes()[:-10])
    assert "restore it from a backup" in refused(path)


KEY_TEXT = base64url.encode(bytes(32))


@pytest.mark.parametrize(
    "change",
    [
        {"current_version": 2},
        {"current_version": "1"},
        {"current_version": None},
        {"current_version": []},
        {"current_version": True},
        {"master_keys": {}},
        {"master_keys": []},
        {"master_keys": {"1": KEY_TEXT[:-1]}},
        {"master_keys": {"1": 7}},
        {"master_keys": {"1": None}},
        {"master_keys": {"one": KEY_TEXT}},
        {"master_keys": {"1": KEY_TEXT, "256": KEY_TEXT}},
        {"master_keys": {"1": KEY_TEXT, "0": KEY_TEXT}},
        {"gateway_key": ""},
        {"gateway_key": 7},
        {"further": 1},
        {"format": 2},
        {"format": "1"},
    ],
)
def test_members_that_make_no_sense_are_refused_even_under_a_good_checksum(
    path: Path, change: dict[str, object]
) -> None:
    Secrets.load_or_create(path, urandom)
    rewrite(path, change)
    assert KEY_TEXT not in refused(path)


def test_a_wrong_checksum_is_refused(path: Path) -> None:
    Secrets.load_or_create(path, urandom)
    rewrite(path, {"master_keys": {"1": KEY_TEXT}}, seal=False)
    refused(path)


def test_two_versions_are_read(path: Path) -> None:
    secrets = Secrets.load_or_create(path, urandom)
    old = json.loads(path.read_bytes())["master_keys"]
    rewrite(path, {"master_keys": old | {"2": KEY_TEXT}, "current_version": 2})
    newer = Secrets.load(path)
    assert newer.current_version == 2
    assert newer.purpose_keys("a")[1] == secrets.purpose_keys("a")[1]
    assert set(newer.purpose_keys("a")) == {1, 2}


def test_a_missing_file_is_refused_in_one_line(path: Path) -> None:
    with pytest.raises(SecretsFileError, match=r"No such file"):
        Secrets.load(path)


def test_a_directory_in_its_place_is_refused(path: Path) -> None:
    path.mkdir(mode=0o700)
    refused(path)


def test_a_pipe_in_its_place_is_refused_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path, 0o600)
    assert "not a file" in refused(path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    assert "too long" in refused(tmp_path / ("x" * 300))
    assert "cannot write" in refused(tmp_path / "missing" / "secrets.json")
