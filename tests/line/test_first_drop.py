"docs/first-real-drop.md, followed by its own words on a node with Base Sepolia's number."

import glob
import json
import os
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
from eth_account import Account

from artmint.chain.contract import contract_at
from artmint.chain.networks import ORACLE
from artmint.studio.catalog import Catalog
from tests.conftest import TINY
from tests.safes import Owners, artmint
from tests.studios import FAST

PAGE = Path(__file__).parents[2] / "docs" / "first-real-drop.md"


def fenced(language: str) -> list[str]:
    "The page's blocks in a language."
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def page_lines() -> list[tuple[list[str], int]]:
    "Every artmint command of the page, and the exit code that it says."
    lines = [line for text in fenced("bash") for line in text.splitlines() if line.startswith("artmint ")]
    ends = [re.search(r"# ends with (\d)", line) for line in lines]
    return [
        (shlex.split(line, comments=True)[1:], int(end[1]) if end else 0) for line, end in zip(lines, ends)
    ]


@pytest.mark.slow
def test_the_page_leads_from_a_packed_drop_to_proven_tokens(
    packed, start_anvil, predeploys, kms, capsys, monkeypatch
):
    "Safe's contracts, KMS by moto, Base Sepolia's number and oracle on anvil; addresses and the node's are put in."
    node = start_anvil("--chain-id", "84532")
    node("anvil_setCode", ORACLE, predeploys["GasPriceOracle"])
    here = packed.parent
    monkeypatch.chdir(here)
    monkeypatch.setenv("ARTMINT_RPC_BASE_SEPOLIA", node.url)
    monkeypatch.setenv("ARTMINT_PASSPHRASE", "word")
    owners = Owners(packed, node)
    shutil.copytree(TINY, here / "collections" / "tiny")
    key = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/minter", TargetKeyId=key)
    on_call, treasury = Account.create(), Account.create().address
    node.fund(on_call.address)
    keystores = {
        "studio/keys/pauser.json": on_call,
        "ada.json": owners.wallets[0],
        "ben.json": owners.wallets[1],
    }
    for name, account in keystores.items():
        (here / name).write_text(json.dumps(Account.encrypt(account.key, "word", "scrypt", FAST)))
    table = next(text for text in fenced("toml") if "[signers.admin]" in text)
    named = {
        "0x5aFE" + "0" * 36: owners.safe,
        "0x7Ea5" + "0" * 36: treasury,
        "0xCA11" + "0" * 36: on_call.address,
    }
    (packed / "studio.toml").write_text(table.replace("0x5aFE" + "0" * 36, owners.safe))
    assert set(tomllib.loads(table)["signers"]) == {"admin", "minter", "deployer", "pauser"}
    from artmint.chain.custody import address_of_role

    node.fund(address_of_role(packed, "minter", os.environ))
    said = {}
    for words, code in page_lines():
        if words[0] in ("run", "doctor"):
            continue  # the drop is packed already; the doctor looks at everything else on this machine, too
        found = Catalog(packed).find("contract", "tiny@84532")
        facts = named | {"https://node.example/key": node.url, "collections/mine": "collections/tiny"}
        facts |= {"0xC011" + "0" * 36: found["address"]} if found else {}
        text = [
            re.sub("|".join(map(re.escape, facts)), lambda match: facts[match[0]], word) for word in words
        ]
        typed = [path for word in text for path in (sorted(glob.glob(word)) if "*" in word else [word])]
        said[" ".join(words[:2])] = artmint(capsys, *typed, code=code)
    contract = contract_at(owners.web3, Catalog(packed).get("contract", "tiny@84532")["address"])
    assert contract.functions.balanceOf(treasury).call() == 2
    assert contract.functions.defaultAdminDelay().call() == 259_200
    assert contract.functions.contractURI().call().startswith("ipfs://")
    assert contract.functions.paused().call() is False
    assert "✓ contractURI" in said["verify 84532:0xC011" + "0" * 36]
