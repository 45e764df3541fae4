"""Deploy a collection's contract with ape, from any account that ape knows (a hardware wallet, say), with a Safe as its admin.

    ape run deploy --network ethereum:sepolia:https://… --account ledger --collection collections/demo --admin 0x… --treasury 0x… --delay 259200

Writes the deployment into the studio's catalog, where `artmint mint` and `artmint doctor` find it.
"""

from pathlib import Path

import click
from ape import networks
from ape.cli import ConnectedProviderCommand, account_option
from ape.contracts import ContractContainer, ContractInstance
from ethpm_types import ContractType

from artmint.chain.contract import Deployment, artifact, code_hash, known_code
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


def remember(studio: Path, collection: Collection, made: ContractInstance) -> None:
    "Write the deployment into the studio's catalog."
    web3 = networks.provider.web3
    facts = {
        "collection": collection.name,
        "chain_id": web3.eth.chain_id,
        "genesis": web3.eth.get_block(0)["hash"].to_0x_hex(),
        "address": made.address,
    }
    Catalog(studio).put(
        "contract",
        f"{collection.name}@{facts['chain_id']}",
        Deployment(**facts, transaction=str(made.creation_metadata.txn_hash)).model_dump(),
    )


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
@click.option("--studio", type=Path, default=Path("studio"), help="The studio's folder.")
def cli(account, collection: Path, admin: str, treasury: str, delay: int, studio: Path) -> None:
    chosen = load_collection(collection)
    studio.mkdir(exist_ok=True)
    made = deploy(account, chosen, admin, treasury, delay)
    remember(studio, chosen, made)
    click.echo(f"{chosen.title} is at {made.address}; its admin is {made.owner()}")
