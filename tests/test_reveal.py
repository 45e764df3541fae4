"Sealed drops, from the placeholder to the last wave, killed between any two steps."

import json
import os
import shutil
from pathlib import Path

import pytest

from artmint import reveal as room
from artmint.chain.admin import find_salt
from artmint.ipfs.stores import FolderStore
from artmint.pin import open_stores, stores_now
from artmint.publish.waves import is_held_back
from artmint.verify import verify
from tests.kills.points import arm, counted
from tests.sealed import FUTURE, ONCE, Line


@pytest.mark.slow
def test_two_waves_are_told_each_at_its_time_and_proven(sealed, capsys):
    shown, placeholder = sealed.uris()
    assert set(shown) == {placeholder} and placeholder.endswith("/placeholder.json")
    said = json.loads(sealed(capsys, "--dry-run", "--json").split("\n}\n")[0] + "\n}")
    assert [call["call"].split("(")[0] for call in said["calls"]] == ["reveal"]
    assert sealed.stages() == ["sealed", "sealed"]
    said = json.loads(sealed(capsys, "--json").split("drop 1: told")[0].rsplit("drop 1:", 1)[0])
    assert said["wave"] == 1 and [row["verb"] for row in said["sent"]] == ["reveal", "setContractURI"]
    shown, placeholder = sealed.uris()
    assert [uri == placeholder for uri in shown] == [False, False, True, True]
    proof = verify(f"embedded:{sealed.contract.address}/1", sealed.folder)
    assert ("seal", "held") in {(step.name, step.status) for step in proof.steps}
    said = sealed(capsys, code=4)
    assert "the chain's clock says" in said and FUTURE in said
    assert sealed.stages() == ["told", "sealed"]
    sealed(capsys, "--early")
    assert "every wave is told" in sealed(capsys)
    assert sealed.stages() == ["told", "told"]
    events = sealed.contract.events.BatchMetadataUpdate().get_logs(from_block=0)
    told = [(one["args"]["fromTokenId"], one["args"]["toTokenId"]) for one in events]
    assert told[-2:] == [(1, 2), (3, 4)]
    assert ONCE.items() <= sealed.verbs().items()
    proof = verify(f"embedded:{sealed.contract.address}", sealed.folder)
    assert {step.status for step in proof.steps if step.name in ("seal", "contractURI", "content")} == {
        "held"
    }


def test_what_is_not_told_stays_inside(sealed, tmp_path):
    "Another store gets the placeholder, and a drop when its wave is opened, and not before."
    line = sealed
    outside = FolderStore(tmp_path / "outside")
    outside.name = "a gateway's"
    stores, kept_out = stores_now(line.catalog, "tiny", 1, [*open_stores(line.folder), outside])
    assert kept_out == ["a gateway's"] and all(store.name.startswith("folder ") for store in stores)
    room.open_wave(line.admin, line.contract, line.manifests[:1], 1, [*open_stores(line.folder), outside])
    assert stores_now(line.catalog, "tiny", 1, [outside]) == ([outside], [])
    assert stores_now(line.catalog, "tiny", 2, [outside]) == ([], ["a gateway's"])
    there = {path.name for path in (tmp_path / "outside").rglob("*.car")}
    roots = [manifest.root for manifest in line.manifests]
    assert any(roots[0] in name for name in there) and not any(roots[1] in name for name in there)


# Killed


def act_in_fork(line, points, number, act):
    "An act that dies before its change to the disk of this number; whether it came to its end."
    points.mkdir(exist_ok=True)
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    code = 1
    try:
        with open(os.devnull, "w") as silence:
            os.dup2(silence.fileno(), 1)
            os.dup2(silence.fileno(), 2)
        arm(points, "driver", number)
        act(line)
        code = 0
    finally:
        os._exit(code)


def tell(line):
    "Both waves, as the command tells them."
    line.open()
    for number, manifest in enumerate(line.manifests, 1):
        room.open_wave(line.admin, line.contract, [manifest], number, open_stores(line.folder))


def whole(line):
    line.seal()
    tell(line)


def killed_and_resumed(line, folder, numbers, act):
    "For each number a fresh studio, killed there and run to its end: everything is there once."
    for number in numbers:
        here = Line(Path(shutil.copytree(line.folder, folder / f"{number}" / "studio")))
        came_through = act_in_fork(here, folder / f"points-{number}", number, act)
        assert not came_through, f"change {number} is never reached"
        act(here)
        assert here.stages() == ["told", "told"], number
        assert ONCE.items() <= here.verbs().items(), (number, here.verbs())
        minted = here.contract.functions.totalSupply().call()
        assert minted == 4, (number, minted)
        proof = verify(f"embedded:{here.contract.address}", here.folder)
        seals = [step.status for step in proof.steps if step.name == "seal"]
        assert seals == ["held", "held"], number
        assert not is_held_back(here.catalog, "tiny", 1) and find_salt(
            here.catalog, here.contract, here.manifests[0]
        )
        shutil.rmtree(folder / f"{number}")


def changes(line, folder, act):
    "How many changes to the disk an act makes."
    here = Line(Path(shutil.copytree(line.folder, folder / "undisturbed" / "studio")))
    assert act_in_fork(here, folder / "points", 0, act)
    return counted(folder / "points", "driver")


@pytest.mark.slow
def test_killed_while_it_is_told_everything_is_told_once(sealed, tmp_path):
    "At two places; the slow test below has all of them, sealing among them."
    count = changes(sealed, tmp_path, tell)
    killed_and_resumed(sealed, tmp_path, [count // 3, count * 2 // 3], tell)


STRIDE = 5  # of the changes to the disk, which are more than the steps: one in so many is a kill


@pytest.mark.slow
def test_killed_between_every_two_steps_everything_happens_once(packed, tmp_path):
    line = Line(packed)
    count = changes(line, tmp_path, whole)
    killed_and_resumed(line, tmp_path, range(1, count + 1, STRIDE), whole)
