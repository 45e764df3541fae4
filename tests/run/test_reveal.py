"The command `artmint reveal`."

import json
import re
from types import SimpleNamespace

import pytest
from PIL import Image

from artmint import reveal as room
from artmint.chain.admin import deploy
from artmint.chain.connect import connect
from artmint.chain.contract import contract_of
from artmint.publish.waves import Wave, is_held_back, record_plan
from artmint.run.batch import load_batch
from artmint.studio.catalog import Catalog
from artmint.verify import verify
from tests.conftest import TINY
from tests.safes import Owners, artmint, executed
from tests.sealed import FUTURE, PAST, Line


def test_doing_without_a_copy_is_a_decision_on_record(packed, capsys):
    line = Line(packed)
    line.open()
    deploy(line.admin, line.tiny, line.who.treasury)
    said = line(capsys, "--without-copy", "a rehearsal")
    assert "no copy" in said
    waivers = Catalog(line.folder).all("salt_waiver")
    assert {body["why"] for body in waivers.values()} == {"a rehearsal"} and len(waivers) == 2


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_planned_drop_is_neither_committed_openly_nor_told_early_by_hand(sealed, capsys):
    words = (TINY, "--studio", sealed.folder, "--drop", "2")
    assert "can't be sealed any more" in artmint(capsys, "admin", "commit", *words, code=2)
    assert "artmint reveal" in artmint(capsys, "admin", "reveal", *words, code=2)
    assert sealed.stages() == ["sealed", "sealed"]


@pytest.mark.slow
def test_a_worker_waits_and_tells_what_comes_due(sealed, capsys, monkeypatch):
    "The chain's clock moves while the worker sleeps; it wakes at the second wave's time."
    line = sealed
    real, naps = room.chain_time, []
    due = Wave(at=FUTURE).second
    # Its own clock alone: other tests' servers may be asleep.
    monkeypatch.setattr("artmint.run.reveal.time", SimpleNamespace(sleep=naps.append))
    monkeypatch.setattr(room, "chain_time", lambda web3: due if len(naps) > 2 else real(web3))
    assert "every wave is told" in line(capsys, "--watch", "--every", "7")
    assert naps == [7.0, 7.0, 7.0] and line.stages() == ["told", "told"]


def test_a_worker_asks_a_silent_node_again_and_a_safe_once(sealed, capsys, monkeypatch):
    "A node that gives no answer ends nothing; a proposal is written once and then waited for."
    from artmint.chain.connect import NodeSilent
    from artmint.run import reveal as verb

    answers, naps, told = [NodeSilent("the node", "no answer"), None], [], []

    def look(web3):
        if answers and (refusal := answers.pop(0)):
            raise refusal
        return Wave(at=FUTURE).second

    def tell(here, number, early, say):
        told.append(number)
        raise verb.typer.Exit(4)

    def nap(seconds):
        naps.append(seconds)
        if len(naps) > 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(room, "chain_time", look)
    monkeypatch.setattr(verb, "_tell", tell)
    monkeypatch.setattr(verb, "time", SimpleNamespace(sleep=nap))
    with pytest.raises(KeyboardInterrupt):
        verb._watch(safe_desk(sealed), 5.0, lambda line: None, lambda line: None)
    assert told == [1] and naps == [5.0] * 4


@pytest.mark.slow
def test_a_picture_that_was_replaced_after_the_seal_is_told(sealed, capsys):
    "It changes nothing of what tokens show, and nobody should believe that it does."
    text, shown = sealed.batch.read_text(), sealed.uris()[1]
    cover = sealed.batch.parent / "cover.png"
    Image.new("RGB", (64, 64), "red").save(cover)
    sealed.batch.write_text(text.replace("[reveal]\n", '[reveal]\npicture = "cover.png"\n'))
    said = sealed(capsys)
    assert "names another picture than before" in said and "admin placeholder" in said and ": told" in said
    assert sealed.uris()[1] == shown
    assert "another picture" not in sealed(capsys, code=4)
    sealed.batch.write_text(text.replace(f"at = {FUTURE}", "at = 2199-01-01"))
    assert "write 2199-01-01T00:00:00Z for UTC" in sealed(capsys, code=2)


def waves_of(line, one, two):
    "Give a sealed studio's batch other times, as an editor would."
    text = line.batch.read_text()
    for drop, at in ((1, one), (2, two)):
        text = re.sub(rf"(drops = \[{drop}\]\nat = )\S+", rf"\g<1>{at}", text)
    line.batch.write_text(text)


ALONE = [["--moved", "snow"], ["--without-copy", "a test"], ["--keep", "kept"], ["--salt", "a.salt.json"]]


@pytest.mark.many(2)
@pytest.mark.parametrize("acts", ALONE, ids=lambda words: words[0])
def test_what_is_put_on_record_is_neither_tried_out_nor_told_besides(packed, capsys, acts):
    "A dry run that writes, or a reason that is empty and tells a wave, would be the opposite of what was typed."
    line = Line(packed)
    line.open()
    for more in (["--dry-run"], ["--watch"], ["--early"], ["--wave", "1"], ["--refresh"]):
        assert acts[0] in line(capsys, *acts, *more, code=2)
    if acts[0] in ("--moved", "--without-copy"):
        for blank in ("", "  "):
            assert "no reason" in line(capsys, acts[0], blank, code=2).replace("\n", " ")
    catalog = Catalog(line.folder)
    assert [catalog.all(kind) for kind in ("wave", "moved_wave", "salt", "salt_waiver")] == [{}] * 4


def test_a_copy_of_another_drop_s_salt_is_not_passed_over(sealed, capsys, tmp_path):
    (mine, *_) = (sealed.batch.parent / "safe").glob("*.salt.json")
    other = tmp_path / "other.salt.json"
    other.write_text(re.sub(r'"drop":\d+', '"drop":7', mine.read_text()))
    assert "it is of drop 7" in sealed(capsys, "--salt", other, code=2)


@pytest.mark.slow
@pytest.mark.parametrize("two, way", [("2020-01-02T00:00:00Z", "earlier"), ("2199-02-01T00:00:00Z", "later")])
def test_a_time_that_was_moved_after_the_seal_waits_for_a_yes(sealed, capsys, two, way):
    "With old and new time in words, whichever way it went; the yes is put on record and tells nothing by itself."
    sealed(capsys)
    waves_of(sealed, PAST, two)
    for words in ((), ("--dry-run",), ("--watch",), ("--early",)):
        said = sealed(capsys, *words, code=4)
        assert FUTURE in said and two in said and way in said and "--moved" in said
    assert sealed.stages() == ["told", "sealed"]
    assert f"on record: drop 2 was to be told in wave 2, from {FUTURE}" in sealed(capsys, "--moved", "snow")
    assert sealed.stages() == ["told", "sealed"]
    (row,) = Catalog(sealed.folder).all("moved_wave").values()
    assert row["why"] == "snow" and two in row["words"]
    assert "nothing was moved" in sealed(capsys, "--moved", "snow")
    sealed(capsys, code=0 if way == "earlier" else 4)
    assert sealed.stages() == ["told", "told" if way == "earlier" else "sealed"]


@pytest.mark.slow
def test_a_worker_tells_nothing_of_a_table_that_was_moved_while_it_slept(sealed, capsys, monkeypatch):
    "Nor by the times that it began with; a file that can't be read for a moment is read again."
    naps, text = [], sealed.batch.read_text()

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 1:
            sealed.batch.write_text("half a fi")
        else:
            sealed.batch.write_text(text)
            waves_of(sealed, PAST, "2199-03-01T00:00:00Z")

    monkeypatch.setattr("artmint.run.reveal.time", SimpleNamespace(sleep=nap))
    real, due = room.chain_time, Wave(at=FUTURE).second
    monkeypatch.setattr(room, "chain_time", lambda web3: due if naps else real(web3))
    said = sealed(capsys, "--watch", "--every", "7", code=4)
    assert len(naps) == 2 and "2199-03-01" in said and sealed.stages() == ["told", "sealed"]


@pytest.mark.slow
def test_a_batch_whose_waves_were_moved_runs_no_stage(sealed):
    from artmint.publish.waves import WaveMoved
    from artmint.run.obstacles import obstacles
    from artmint.run.runner import run_batch

    waves_of(sealed, "2020-01-01T00:00:01Z", FUTURE)
    (row,) = [
        row for row in obstacles(load_batch(sealed.batch), sealed.folder, {}) if row["status"] == "failed"
    ]
    assert "2020-01-01T00:00:01Z" in str(row)
    with pytest.raises(WaveMoved, match="2020-01-01T00:00:01Z") as refused:
        run_batch(load_batch(sealed.batch), sealed.folder, lambda line: None)
    assert refused.value.exit_code == 4 and sealed.stages() == ["sealed", "sealed"]


def safe_desk(line):
    "The waves of a batch as a studio with a Safe has them."
    from artmint.run.admin import Desk
    from artmint.run.batch import load_batch
    from artmint.run.reveal import WaveDesk

    order = load_batch(line.batch)
    desk = Desk(line.tiny, line.catalog, line.web3, "embedded", {}, safe=True, folder=TINY)
    return WaveDesk(order, desk, order.reveal.told_with(1))


def test_a_plan_that_was_taken_back_after_its_salt_was_drawn_commits_openly(packed):
    "And what was begun by hand, without a plan, isn't sealed without a copy."
    from artmint.chain.admin import draw_salt
    from artmint.chain.salts import SaltUnkept
    from artmint.publish.waves import PlannedDrop

    line = Line(packed).open()
    contract = deploy(line.admin, line.tiny, line.who.treasury)
    manifest = line.manifests[0]
    assert room.begun_salt(line.catalog, contract, manifest, None) == b""
    draw_salt(line.catalog, contract, manifest)
    with pytest.raises(SaltUnkept):
        room.begun_salt(line.catalog, contract, manifest, None)
    back = PlannedDrop(wave=1, batch="b", open=True)
    assert room.begun_salt(line.catalog, contract, manifest, back) == b""


def test_a_dry_run_doesnt_print_the_salt(sealed, capsys):
    secrets = [body["salt"] for body in Catalog(sealed.folder).all("salt").values()]
    said = sealed(capsys, "--wave", 2, "--early", "--dry-run")
    assert "contentRoot 0x" in said and "salt (a secret until it is mined)" in said
    assert secrets and not any(secret in said for secret in secrets)


class SafeLine(Line):
    "The same, on a node, with an admin that is a real Safe of three owners, two of whom decide."

    def __init__(self, folder, node, capsys):
        super().__init__(folder, two=FUTURE)
        self.owners, self.capsys = Owners(folder, node), capsys
        self.batch.write_text(f'chain = "{node.url}"\n' + self.batch.read_text())

    def open(self):
        self.catalog, self.web3 = Catalog(self.folder), connect(self.owners.node.url, self.folder)
        self.contract = contract_of(self.catalog, self.web3, "tiny")
        return self

    def say(self, *words, code=0):
        return artmint(
            self.capsys, *words, "--studio", self.folder, "--chain", self.owners.node.url, code=code
        )

    def execute(self, proposed):
        "Have the Safe do what the JSON of a verb proposes; what was proposed, in words."
        rows = json.loads(proposed[: proposed.rindex("}") + 1])["proposals"]
        executed(self.capsys, self.owners, *(row["file"] for row in rows))
        return [row["meaning"].split("(")[0] for row in rows]

    def sealed_and_minted(self):
        self.say("admin", "deploy", TINY, "--treasury", self.owners.wallets[2].address)
        order = load_batch(self.batch)
        record_plan(Catalog(self.folder), "tiny", order.name, 1, order.reveal, self.batch.parent)
        for drop in (1, 2):
            self.execute(self.say("admin", "seal", TINY, "--drop", drop, "--safe", "--json", code=4))
        self.execute(self.say("admin", "allow", TINY, "--total", 4, "--safe", "--json", code=4))
        for drop in (1, 2):
            self.say("mint", TINY, "--drop", drop)
        return self.open()


@pytest.mark.slow
def test_the_owners_of_a_safe_tell_the_waves(packed, node, capsys, monkeypatch):
    """Proposed, signed and executed; what is left is done by the next run: content to the stores after owners told a wave
    early, and the collection's page."""
    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    line = SafeLine(packed, node, capsys).sealed_and_minted()
    secret = line.catalog.all("salt")

    def held():
        return [is_held_back(Catalog(line.folder), "tiny", drop) for drop in (1, 2)]

    said = line(capsys, "--dry-run")
    assert "would send reveal" in said and "the Safe" in said and held() == [True, True]
    first = line(capsys, "--json", code=4)
    assert held() == [False, True] and line.stages() == ["sealed", "sealed"]
    assert line(capsys, "--json", code=4) == first  # the same again
    assert line.execute(first) == ["reveal", "setContractURI"]
    assert line.stages() == ["told", "sealed"]
    assert "the chain's clock says" in line(capsys, code=4) and held() == [False, True]
    early = line(capsys, "--early", "--json", code=4)
    assert held() == [False, True]  # only the proposal
    assert line.execute(early) == ["reveal"]
    assert line.stages() == ["told", "told"] and held() == [False, True]
    assert "is in every store" in line(capsys) and held() == [False, False]
    assert "every wave is told" in line(capsys)
    assert not any(body["salt"] in early for body in secret.values())
    proof = verify(f"31337:{line.contract.address}", line.folder, rpc=node.url)
    seals = [step.status for step in proof.steps if step.name == "seal"]
    assert seals == ["held", "held"]
