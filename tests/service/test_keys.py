"Keys: shown once, kept as digests, open for what they name until they are taken back."

import time

import pytest

from artmint.service import keys as room
from artmint.service.keys import (
    KEY_SCOPES,
    BadKeyName,
    KeyRing,
    NoScope,
    NoSuchKey,
    SameKeyName,
    UnknownScope,
    find_key,
    keys_used,
    list_keys,
    new_key,
    note_refused,
    revoke_key,
)
from artmint.studio.catalog import Catalog


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path)


def test_a_key_opens_its_scopes_and_its_secret_is_nowhere(catalog):
    secret = new_key(catalog, "Ada", ["mint", "read", "mint"])
    assert secret.startswith("am_") and len(secret) == 46
    key = find_key(catalog, secret)
    assert (key.name, key.scopes) == ("Ada", ("read", "mint"))
    catalog.close()
    for path in catalog.folder.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert secret not in repr(list_keys(catalog))


@pytest.mark.parametrize(
    "came",
    ["", "am_", "am_" + "x" * 43, "Bearer", "am_" + "é" * 43, "am_" + "x" * 10**6],
    ids=["nothing", "prefix", "another", "word", "letters", "long"],
)
def test_what_is_no_key_opens_nothing(catalog, came):
    new_key(catalog, "Ada", KEY_SCOPES)
    assert find_key(catalog, came) is None


def test_a_digest_that_begins_alike_opens_nothing(catalog, monkeypatch):
    secret = new_key(catalog, "Ada", ["read"])
    digest = room._digest(secret)
    monkeypatch.setattr(room, "_digest", lambda _: digest[:16] + "0" * 48)
    assert find_key(catalog, "am_" + "x" * 43) is None


def test_a_revoked_key_and_one_that_ran_out_open_nothing(catalog):
    secret, short = new_key(catalog, "Ada", ["read"]), new_key(catalog, "Ben", ["read"], days=0)
    assert find_key(catalog, short) is None
    assert revoke_key(catalog, "ADA").revoked
    assert find_key(catalog, secret) is None
    assert [key.open for key in list_keys(catalog)] == [False, False]
    with pytest.raises(NoSuchKey, match="Nothing was changed"):
        revoke_key(catalog, "Ada")
    again = new_key(catalog, "Ada", ["read"])
    assert find_key(catalog, again) and find_key(catalog, secret) is None


def test_a_ring_refuses_a_revoked_key_within_its_second(catalog):
    secret = new_key(catalog, "Ada", ["read"])
    ring = KeyRing(catalog, seconds=0.05)
    assert ring.find(secret).name == ring.find(secret).name == "Ada"
    revoke_key(Catalog(catalog.folder), "Ada")
    time.sleep(0.06)
    assert ring.find(secret) is None


def test_what_cannot_be_a_key_is_refused_and_nothing_is_written(catalog):
    new_key(catalog, "Ada", ["read"])
    for name, scopes, refusal in (
        ("Ben", [], NoScope),
        ("Ben", ["everything"], UnknownScope),
        ("ada", ["read"], SameKeyName),
        ("machine", ["read"], BadKeyName),
        ("", ["read"], BadKeyName),
        ("A" * 65, ["read"], BadKeyName),
    ):
        with pytest.raises(refusal, match="No key was made"):
            new_key(catalog, name, scopes)
    assert len(list_keys(catalog)) == 1


def test_use_is_written_down_once_a_minute(catalog, monkeypatch):
    key = find_key(catalog, secret := new_key(catalog, "Ada", ["read"]))
    first = keys_used(catalog)[key.id]
    find_key(catalog, secret)
    assert keys_used(catalog) == {key.id: first} and abs(time.time() - first) < 5
    monkeypatch.setattr(room, "MINUTE", 0.0)
    find_key(catalog, secret)
    assert keys_used(catalog)[key.id] > first


def test_a_use_outside_of_the_scope_is_one_record_a_minute(catalog):
    key = find_key(catalog, new_key(catalog, "Ada", ["read"]))
    assert [note_refused(catalog, key, "mint") for _ in range(5)] == [True] + [False] * 4
    body = {"key": key.id, "name": "Ada", "scope": "mint", "scopes": ["read"]}
    assert catalog.history("key-refused", key.id) == [body]


def test_a_key_that_was_found_a_moment_ago_is_known_without_the_catalog(catalog):
    secret = new_key(catalog, "Ada", ["read"])
    ring = KeyRing(catalog, seconds=30.0)
    assert ring.known(secret) is None and ring.find(secret).name == "Ada"
    catalog.close()
    ring.catalog = None
    assert ring.known(secret).name == "Ada" and ring.known("am_" + "x" * 43) is None
