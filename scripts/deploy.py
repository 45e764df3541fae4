"""Deploy a collection's contract with ape, from any account that ape knows (a hardware wallet, say), with a Safe as its admin.

    ape run deploy --network ethereum:sepolia:https://… --account ledger --collection collections/demo --admin 0x… --treasury 0x… --delay 259200

Looks first, in the studio's catalog and on the chain: a contract that is there is named, and no second one is paid for
unless those that are there are named with --beside. Writes the deployment into the studio's catalog, where `artmint
mint` and `artmint doctor` find it.
"""

from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand, account_option
from ape.contracts import ContractContainer, ContractInstance
from ethpm_types import ContractType

from artmint.chain.admin import OtherFacts, check_deployment
from artmint.chain.contract import artifact, code_hash, contract_at, contract_of, known_code
from artmint.chain.deployments import (
    contracts_beside,
    find_contracts,
    listed_addresses,
    record_contract,
)
from artmint.core.canon import Refusal
from artmint.core.collection import Collection
from artmint.seeds import load_collection
from artmint.studio.catalog import Catalog


def container() -> ContractContainer:
    "The contract that the package carries, as ape knows contracts."
    made = artifact()
    code = {
        "deploymentBytecode": {"bytecode": made["bytecode"]},
        "runtimeBytecode": {"bytecode": made["deployedBytecode"]},
    }
    return ContractContainer(ContractType(contractName="ArtMint", abi=made["abi"], **code))


def deploy(account, collection: Collection, admin: str, treasury: str, delay: int) -> ContractInstance:
    "The deployed contract, its code compared with the known ones."
    royalty = collection.royalty
    made = account.deploy(
        container(),
        collection.title,
        collection.symbol,
        collection.supply,
        admin,
        delay,
        treasury,
        royalty.receiver or treasury,
        royalty.basis_points,
    )
    if code_hash(networks.provider.web3, made.address) not in known_code():
        raise click.ClickException(f"the code at {made.address} isn't the package's")
    return made


def standing(studio: Path, collection: Collection, sender: str, asked: dict, beside: set[str]) -> str:
    """The address of the contract that is there, written down; empty: there is none. Raises ContractThere, OtherFacts.

    One that this very account has deployed, exactly as asked, is taken: a run that was stopped before it wrote.
    """
    web3, catalog = networks.provider.web3, Catalog(studio)
    recorded = contract_of(catalog, web3, collection.name)
    if recorded and recorded.address not in beside:
        check_deployment(recorded, collection, **asked)
        return recorded.address
    people = [asked["admin"], asked["treasury"]]
    search = find_contracts(catalog, web3, collection, sender, people, beside=beside)
    if search.unasked:
        click.echo(f"The node doesn't tell which contracts others deployed ({search.unasked})", err=True)
    if not search.found:
        return ""
    found = contract_at(web3, search.found[0].address)
    try:
        check_deployment(found, collection, **asked)
        fits = len(search.found) == 1 and found.address in search.own
    except OtherFacts:
        fits = False
    if not fits:
        raise search.refusal(collection.name)
    record_contract(catalog, found, collection.name)
    return found.address


@click.command(cls=ConnectedProviderCommand, help=__doc__.splitlines()[0])
@account_option()
@click.option("--collection", type=Path, default=Path("collections/demo"), help="The collection's folder.")
@click.option("--admin", required=True, help="Address of the admin, a Safe's for instance.")
@click.option("--treasury", required=True, help="Address that every token is minted to.")
@click.option(
    "--delay",
    default=259_200,
    help="Seconds that a change of admin has to wait; three days unless you know better.",
)
@click.option(
    "--beside",
    default="",
    help="Contracts of the collection that are there, with commas between: make another one.",
)
@click.option("--studio", type=Path, default=Path("studio"), help="The studio's folder.")
def cli(account, collection: Path, admin: str, treasury: str, delay: int, beside: str, studio: Path) -> None:
    chosen = load_collection(collection)
    studio.mkdir(exist_ok=True)
    asked = {"admin": admin, "treasury": treasury, "delay": delay}
    try:
        apart = listed_addresses(beside) | contracts_beside(studio, chosen.name)
        there = standing(studio, chosen, account.address, asked, apart)
    except Refusal as refusal:
        raise click.ClickException(str(refusal)) from None
    if there:
        click.echo(f"{chosen.title} is at {there} already, as it is asked for; nothing was paid")
        return
    made = deploy(account, chosen, admin, treasury, delay)
    contract = contract_at(networks.provider.web3, made.address)
    record_contract(Catalog(studio), contract, chosen.name, str(made.creation_metadata.txn_hash))
    click.echo(f"{chosen.title} is at {made.address}; its admin is {made.owner()}")
