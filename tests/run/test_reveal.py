"The command `artmint reveal`."

import json

from artmint import reveal as room
from artmint.chain.admin import deploy
from artmint.publish.waves import Wave
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.safes import artmint
from tests.sealed import FUTURE, Line


def test_doing_without_a_copy_is_a_decision_on_record(packed, capsys):
    line = Line(packed)
    line.open()
    deploy(line.admin, line.tiny, line.who.treasury)
    said = line(capsys, "--without-copy", "a rehearsal")
    assert "no copy" in said
    waivers = Catalog(line.folder).all("salt_waiver")
    assert {body["why"] for body in waivers.values()} == {"a rehearsal"} and len(waivers) == 2


def test_a_lost_salt_comes_back_from_its_copy_and_from_no_other(sealed, capsys):
    import sqlite3

    with sqlite3.connect(sealed.folder / "catalog.sqlite") as connection:
        connection.execute("delete from record where kind = 'salt'")
    assert "--salt FILE" in sealed(capsys, code=1)
    assert sealed.stages() == ["sealed", "sealed"]
    one, two = sorted((sealed.batch.parent / "safe").iterdir())
    text = json.loads(one.read_bytes())
    wrong = sealed.batch.parent / "wrong.json"
    wrong.write_text(json.dumps(text | {"salt": "00" * 32}))
    assert "doesn't open" in sealed(capsys, "--salt", wrong, code=2)
    sealed(capsys, "--salt", one)
    sealed(capsys)
    assert sealed.stages() == ["told", "sealed"]


def test_a_planned_drop_is_neither_committed_openly_nor_told_early_by_hand(sealed, capsys):
    words = (TINY, "--studio", sealed.folder, "--drop", "2")
    assert "can't be sealed any more" in artmint(capsys, "admin", "commit", *words, code=2)
    assert "artmint reveal" in artmint(capsys, "admin", "reveal", *words, code=2)
    assert sealed.stages() == ["sealed", "sealed"]


def test_a_worker_waits_and_tells_what_comes_due(sealed, capsys, monkeypatch):
    "The chain's clock moves while the worker sleeps; it wakes at the second wave's time."
    line = sealed
    real, naps = room.chain_time, []
    due = Wave(at=FUTURE).second
    monkeypatch.setattr("artmint.run.reveal.time.sleep", naps.append)
    monkeypatch.setattr(room, "chain_time", lambda web3: due if len(naps) > 2 else real(web3))
    assert "every wave is told" in line(capsys, "--watch", "--every", "7")
    assert naps == [7.0, 7.0, 7.0] and line.stages() == ["told", "told"]
