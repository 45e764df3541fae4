"Copies of salts, read back."

import pytest

from artmint import reveal as room
from artmint.chain import salts
from artmint.chain.admin import deploy
from artmint.pin import open_stores
from artmint.publish.waves import plan_of, record_plan
from tests.conftest import TINY
from tests.safes import artmint
from tests.sealed import Line


def test_nothing_is_sealed_without_a_copy_that_was_read_back(packed, capsys):
    line = Line(packed)
    line.open()
    contract = deploy(line.admin, line.tiny, line.who.treasury)
    manifest = line.manifests[0]
    plan = record_plan(line.catalog, "tiny", "b", 1, plan_of({"salt_is_known": True}), line.batch.parent)
    placed = room.placeholder_of(line.catalog, line.tiny, TINY)

    def seal():
        return room.seal_planned(
            line.admin, contract, line.tiny, manifest, plan[1], placed, open_stores(line.folder)
        )

    height = line.web3.eth.block_number
    with pytest.raises(salts.SaltUnkept) as refused:
        seal()
    assert refused.value.exit_code == 4 and line.web3.eth.block_number == height
    with pytest.raises(salts.CopyInside):
        salts.keep_salt(contract, manifest, line.catalog, line.folder / "safe")
    path = salts.keep_salt(contract, manifest, line.catalog, line.batch.parent / "safe")
    assert oct(path.stat().st_mode)[-3:] == "600"
    whole = path.read_bytes()
    for spoiled, why in (
        (b"{}", "isn't as artmint writes one"),
        (whole.replace(b'"drop":1', b'"drop":2'), "another drop"),
        (whole[:-70] + b"00" + whole[-68:], "another salt"),
    ):
        path.write_bytes(spoiled)
        with pytest.raises(salts.SaltUnkept) as refused:
            seal()
        assert why in str(refused.value) or "isn't as artmint" in str(refused.value)
    path.unlink()
    with pytest.raises(salts.SaltUnkept):
        seal()
    artmint(capsys, "backup", line.batch.parent / "copy", "--studio", line.folder)
    assert [one.purpose["verb"] for one in seal()][-1] == "commitSealedDrop"
    assert seal() == []
    assert room.drop_stage(contract, manifest) == "sealed"
