"The command preview: what is meant, what is said, where the page goes, and the exit codes."

import json
import shutil
import socket

import pytest

from artmint.core.collection import example
from artmint.console import cli
from tests.listed import rings, spoil
from tests.packed import BASE, DEMO, fill, manifest_of, pack_demo


def run(capsys, *words) -> tuple[int, str, str]:
    "A command's exit code and what it says."
    with pytest.raises(SystemExit) as end:
        cli.main([str(word) for word in words])
    said = capsys.readouterr()
    return end.value.code or 0, said.out, said.err


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    "A studio with the demo packed, and a batch of it."
    studio = pack_demo(tmp_path_factory.mktemp("previewed") / "studio")
    shutil.copytree(example(), studio.parent / "demo")
    batch = studio.parent / "b.toml"
    batch.write_text('name = "b"\ncollection = "demo"\nquantity = 16\nstages = ["25_metadata"]\n')
    return studio


@pytest.fixture(scope="module")
def on_chain(tmp_path_factory):
    "A studio with two drawings minted on its own chain, and their contract's address."
    from artmint.chain.admin import authorize, commit_drop, deploy, parties
    from artmint.chain.connect import connect
    from artmint.chain.journal import Journal
    from artmint.ipfs.cid import CID
    from artmint.ipfs.stores import FolderStore
    from artmint.metadata import pack
    from artmint.mint import mint

    studio = tmp_path_factory.mktemp("on-chain") / "studio"
    catalog = fill(studio, 2)
    pack(catalog, DEMO, 1, 1, 2, BASE, {})
    manifest = manifest_of(studio / "drops" / "demo-1")
    FolderStore(studio / "store").put(studio / "drops/demo-1/drop.car", CID.parse(manifest.root))
    web3 = connect("embedded", studio / "chain")
    keys = parties(web3, studio / "keys", rounds=2**10)
    admin = Journal(catalog, web3, keys.admin)
    contract = deploy(admin, DEMO, keys.treasury)
    commit_drop(admin, contract, manifest)
    authorize(admin, contract, keys.minter.address, 2)
    mint(Journal(catalog, web3, keys.minter), contract, manifest)
    return studio, contract.address


def test_a_packed_batch_is_shown_beside_its_report(packed, capsys):
    code, out, err = run(capsys, "preview", packed.parent / "b.toml", "--studio", packed)
    assert code == 0, err
    page = packed / "runs" / "b" / "preview.html"
    assert page.read_text().startswith("<!doctype html>")
    assert "16 tokens held against" in out and "0 findings" in out
    assert str(page) in out
    code, out, _ = run(capsys, "preview", packed.parent / "b.toml", "--studio", packed)  # over its own page
    assert code == 0


def test_a_drop_is_the_same_by_its_name_its_folder_and_its_archive(packed, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = packed / "drops" / "demo-1"
    said = [
        run(capsys, "preview", *words, "--check", "--json")[1]
        for words in (["demo-1", "--studio", packed], [folder], [folder / "drop.car"])
    ]
    facts = [json.loads(text) for text in said]
    assert facts[0]["findings"] == facts[1]["findings"] == facts[2]["findings"]
    assert not list(tmp_path.iterdir())


def test_what_a_market_refuses_is_code_one_and_is_in_the_json(tmp_path, capsys):
    folder = rings(tmp_path / "rings", 3)
    spoil(folder, 2, background_color="#fff")
    (folder / "3.json").write_text("[")
    code, out, _ = run(capsys, "preview", folder, "--page", tmp_path / "p.html", "--json")
    facts = json.loads(out)
    assert (code, facts["exit_code"], facts["tokens"]) == (1, 1, 3)
    serious = {row["rule"]: row for row in facts["findings"] if row["severity"] != "advice"}
    assert set(serious) == {"background-color", "json-unreadable"}
    assert serious["background-color"]["token"] == 2
    assert serious["background-color"]["url"].startswith("https://docs.opensea.io/")
    assert (tmp_path / "p.html").exists()
    code, out, _ = run(capsys, "preview", folder, "--check")
    assert code == 1
    assert out.index("json-unreadable") < out.index("background-color") < out.index("image-small")


@pytest.mark.parametrize(
    "words",
    [
        ["nowhere"],
        ["1:0xab/7"],
        ["{folder}", "--check", "--page", "p.html"],
        ["{folder}", "--refresh"],
        ["{folder}", "--token", "9"],
        ["{folder}", "--page", "mine.html"],
        ["{batch}"],
    ],
    ids=["no drop", "no address", "no page wanted", "no chain", "no token", "a file of mine", "not packed"],
)
def test_wrong_use_is_code_two_and_writes_nothing(tmp_path, capsys, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    folder = rings(tmp_path / "rings", 1)
    shutil.copytree(example(), tmp_path / "demo")
    (tmp_path / "b.toml").write_text(
        'name = "b"\ncollection = "demo"\nquantity = 16\nstages = ["25_metadata"]\n'
    )
    (tmp_path / "mine.html").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    given = [word.format(folder=folder, batch=tmp_path / "b.toml") for word in words]
    code, _, err = run(capsys, "preview", *given)
    assert code == 2, err
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "studio") == before


@pytest.mark.slow
def test_tokens_on_a_chain_are_shown_from_their_address(on_chain, capsys, tmp_path):
    studio, address = on_chain
    code, out, err = run(
        capsys, "preview", f"embedded:{address}", "--studio", studio, "--page", tmp_path / "p.html"
    )
    assert code == 0, err
    page = (tmp_path / "p.html").read_text()
    facts = json.loads(page.split('id="facts">')[1].split("</script>")[0])
    assert [token["id"] for token in facts["tokens"]] == [1, 2]
    assert facts["collection"]["own_name"] == "First Light"
    assert facts["collection"]["royalty"] == 500
    assert facts["collection"]["supply"] == 16
    assert "BatchMetadataUpdate" in facts["refresh"][0]["why"]
    code, out, _ = run(capsys, "preview", f"embedded:{address}/2", "--studio", studio, "--check", "--json")
    assert (code, json.loads(out)["tokens"]) == (0, 1)


@pytest.mark.slow
def test_how_to_make_markets_look_again_is_told_and_nothing_is_sent(on_chain, capsys, monkeypatch):
    studio, address = on_chain

    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    code, out, err = run(capsys, "preview", f"embedded:{address}", "--studio", studio, "--refresh")
    assert code == 0, err
    assert "announced so far: nothing" in out and "ERC-4906" in out
    assert "Nothing was sent." in err
    code, out, _ = run(capsys, "preview", f"embedded:{address}/2", "--studio", studio, "--refresh", "--json")
    assert code == 0
    assert len(json.loads(out)["refresh"]) == 5


@pytest.mark.slow
def test_what_is_printed_changes_nothing_when_the_admin_sends_it_and_announces_all_tokens(on_chain):
    from artmint.chain.admin import parties
    from artmint.chain.connect import connect
    from artmint.chain.contract import contract_at
    from artmint.chain.journal import Journal
    from artmint.report.preview import ask_refresh, refresh_steps
    from artmint.studio.catalog import Catalog

    studio, address = on_chain
    facts = ask_refresh(f"embedded:{address}", studio)
    assert facts.events and facts.announced == ()
    assert facts.calls["setPlaceholderURI"] in refresh_steps(facts)[0].command
    web3 = connect("embedded", studio / "chain")
    contract = contract_at(web3, address)
    before = (contract.functions.placeholderURI().call(), contract.functions.contractURI().call())
    with Journal(Catalog(studio), web3, parties(web3, studio / "keys", rounds=2**10).admin) as admin:
        for data in facts.calls.values():
            call, values = contract.decode_function_input(data)
            admin.send(call(**values), {"verb": call.fn_name})
    assert (contract.functions.placeholderURI().call(), contract.functions.contractURI().call()) == before
    ((_, first, last),) = ask_refresh(f"embedded:{address}", studio).announced
    assert (first, last) == (1, 2**256 - 1)


@pytest.mark.parametrize("address, code", [("embedded:0x" + "11" * 20, 3), ("1:0x" + "11" * 20, 3)])
def test_what_cannot_be_had_is_code_three(address, code, tmp_path, capsys):
    assert run(capsys, "preview", address, "--studio", tmp_path, "--check")[0] == code
    assert run(capsys, "preview", address, "--studio", tmp_path, "--refresh")[0] == code
