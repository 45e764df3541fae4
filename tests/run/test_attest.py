"`artmint attest` and `artmint verify --attested`, as they are typed."

import json
import shutil

import pytest

from artmint.chain.signers import KeystoreSigner
from artmint.prove.attestations import read_attestations
from tests.attested import Key
from tests.lies import tree
from tests.safes import artmint


@pytest.fixture(scope="module")
def studio(minted, tmp_path_factory):
    "The minted studio with its keys, its first drop attested by its verifier: folder, address of the drop, and file."
    folder = shutil.copytree(
        minted[0], tmp_path_factory.mktemp("attested") / "studio", ignore=shutil.ignore_patterns("*.lock")
    )
    return folder, f"embedded:{minted[1]}/1"


@pytest.fixture(scope="module")
def attested(studio):
    "The same with what its verifier said, once."
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artmint.chain.signers.new_keystore.__defaults__", (2**4,))
        import io
        from contextlib import redirect_stderr, redirect_stdout

        from artmint.console import cli

        out = io.StringIO()
        with pytest.raises(SystemExit) as end, redirect_stdout(out), redirect_stderr(out):
            cli.main(["attest", studio[1], "--studio", str(studio[0])])
    [path] = (studio[0] / "attestations").glob("*.json")
    return path, out.getvalue(), end.value.code


def named(folder, **verifiers: str):
    "A file of verifiers."
    path = folder / "verifiers.toml"
    rows = [f'{name} = "{address}"' for name, address in verifiers.items()]
    path.write_text("\n".join(["[verifiers]", *rows]) + "\n")
    return path


def test_a_token_is_attested_and_what_was_left_out_is_said(studio, attested):
    path, said, code = attested
    assert code == 3  # token 2 was left out
    file = read_attestations(path.read_bytes())
    assert (file.first, file.quantity, [one.token for one in file.attestations]) == (1, 2, [1])
    assert "tokens 2 to 2 are left out: nobody asked for it" in said
    assert f"signed by {file.attester}: " in said
    passphrase = (studio[0] / "keys/passphrase").read_text()
    assert KeystoreSigner(studio[0] / "keys/verifier.json", passphrase).address == file.attester
    assert passphrase not in said


@pytest.mark.slow
def test_enough_not_enough_and_nobody(studio, attested, capsys, tmp_path):
    "A verifier who can render has spoken; whoever can't counts it."
    folder, address = studio
    file = read_attestations(attested[0].read_bytes())
    mine = named(tmp_path, Ada=file.attester, Ben=Key(2).address)
    asked = ["verify", address, "--studio", folder, "--verifiers", mine]
    said = artmint(capsys, *asked, "--attested", 1)
    assert "Ada (" in said
    assert "1 of 1 tokens: 1 equal; on artmint " in " ".join(said.split())
    assert "1 of 1 tokens: at least 1 of 2 named verifiers rendered them" in " ".join(said.split())
    said = " ".join(artmint(capsys, *asked, "--attested", 2, code=3).split())
    assert "have at most 1 of the 2 verifiers that have to agree" in said
    shown = json.loads(artmint(capsys, *asked, "--attested", 1, "--json"))
    assert [step["status"] for step in shown["steps"] if step["name"] == "attested"] == ["held"]
    strangers = named(tmp_path, Ben=Key(2).address)
    asked[-1] = strangers
    assert "isn't named" in artmint(capsys, *asked, "--attested", 1, code=3)


def test_what_doesnt_go_together_is_refused_before_anything(studio, capsys, tmp_path):
    folder, address = studio
    before = tree(folder / "attestations") if (folder / "attestations").exists() else {}
    mine = named(tmp_path, Ben=Key(2).address)
    for words in (
        ["verify", address, "--attested", 1],
        ["verify", address, "--verifiers", mine],
        ["verify", address, "--attested", 2, "--verifiers", mine, "--attestations", folder / "drops"],
        ["verify", address, "--attested", 1, "--verifiers", mine, "--attestations", tmp_path / "none.json"],
        ["verify", address, "--attested", 1, "--verifiers", tmp_path / "none.toml"],
        ["attest", address, "--chain", "base"],
        ["attest", "nothing.car"],
        ["attest", "nothing.json"],
        ["attest", "nothing.json", "--timestamp", "--chain", "embedded"],
        ["attest", folder / "drops/tiny-1"],
        ["attest", address, "--revoke"],
        ["attest", address, "--out", mine],
        ["attest", address, "--timestamp"],  # a studio's own chain has no EAS
    ):
        artmint(capsys, *words, "--studio", folder, code=2)
    assert (tree(folder / "attestations") if (folder / "attestations").exists() else {}) == before


@pytest.mark.slow
def test_a_dry_run_renders_and_opens_no_key(studio, capsys):
    folder, _ = studio
    before = tree(folder / "keys")
    words = ["attest", folder / "drops/tiny-1", "--contract", Key(5).address, "--studio", folder, "--dry-run"]
    said = artmint(capsys, *words)
    assert "tokens 1 to 2: 2 equal" in said
    assert "nothing was signed (--dry-run)" in said
    assert tree(folder / "keys") == before
    shown = json.loads(artmint(capsys, *words, "--json"))
    assert (shown["files"], shown["exit_code"]) == ([], 0)


@pytest.mark.slow
def test_a_second_attestation_takes_another_name_and_a_given_place_is_kept(
    studio, attested, capsys, tmp_path
):
    folder, address = studio
    out = tmp_path / "mine.json"
    artmint(capsys, "attest", address, "--studio", folder, "--out", out, code=3)
    first = read_attestations(attested[0].read_bytes())
    again = read_attestations(out.read_bytes())
    assert again.attester == first.attester
    assert again.merkle_root != first.merkle_root  # another salt
    data = out.read_bytes()
    said = artmint(capsys, "attest", address, "--studio", folder, "--out", out, code=2)
    assert "isn't written over" in " ".join(said.split())
    assert out.read_bytes() == data


def test_a_chain_that_isnt_there_couldnt_be_checked(tmp_path, capsys):
    target = "embedded:0x" + "11" * 20
    assert "there is no chain" in artmint(capsys, "attest", target, "--studio", tmp_path, code=3)
