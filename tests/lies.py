"A studio that lies and puts its lie on chain, and what a proof says of it."

import hashlib
from pathlib import Path

from artmint.chain.connect import connect
from artmint.chain.contract import artifact, content_root
from artmint.core.canon import canonical, read_json
from artmint.core.picture import png_bytes, read_png
from artmint.core.records import Recipe
from artmint.ipfs.car import check_car, open_car, read_file, resolve, write_car
from artmint.ipfs.cid import cid
from artmint.prove.evidence import Leaf
from artmint.publish.weights import WeightsListing, weights_archive, write_weights

NOWHERE = "0x" + "11" * 20


def failed(proof) -> dict[str, str]:
    "Evidence of what failed, by step."
    return {step.name: step.evidence for step in proof.steps if step.status == "failed"}


def status(proof, name: str) -> set[str]:
    "Every status of a step."
    return {step.status for step in proof.steps if step.name == name}


def tree(folder: Path) -> dict[str, bytes]:
    "Every file below a folder by its path."
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def base_files(studio: Path) -> dict[str, bytes]:
    "The files of a studio's one base, where they lay in a root before bases had archives of their own."
    (path,) = (studio / "weights").glob("*.car")
    car = open_car(path)
    names = [name for name in check_car(car, car.roots[0]) if "." in name]
    return {
        f"weights/{path.stem}/{name}": read_file(resolve(car.roots[0], name, car.block), car.block, 1 << 30)
        for name in names
    }


def set_apart(files: dict[str, bytes], store: Path) -> None:
    "Move the files of a base from a root to an archive of its own, in a store."
    inside = [path for path in files if path.startswith("weights/")]
    digest = inside[0].split("/")[1]
    place = write_weights(store.parent, digest, {path.split("/", 2)[2]: files.pop(path) for path in inside})
    files["weights.json"] = WeightsListing(bases={digest: place}).data
    store.mkdir(exist_ok=True)
    weights_archive(store.parent, digest).rename(store / f"{place.cid}.car")


class Studio:
    "A contract on a chain of its own, whose admin, minter and treasury are one key."

    def __init__(self, folder: Path, code: bytes = b""):
        from eth_account import Account

        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.web3 = connect("embedded", folder / "chain")
        self.key = Account.create()
        self.web3.provider.chain.fund(self.key.address, gwei=10**10)
        values = ("Lies", "LIES", 4, self.key.address, 0, self.key.address, self.key.address, 0)
        made = self.send(
            self.web3.eth.contract(
                abi=artifact()["abi"], bytecode=code or artifact()["bytecode"]
            ).constructor(*values)
        )
        self.contract = self.web3.eth.contract(made["contractAddress"], abi=artifact()["abi"])

    def send(self, call) -> dict:
        "Send a call and give its receipt."
        fields = {
            "from": self.key.address,
            "nonce": self.web3.eth.get_transaction_count(self.key.address),
            "maxFeePerGas": 3 * 10**9,
            "maxPriorityFeePerGas": 10**9,
        }
        return self.web3.eth.get_transaction_receipt(
            self.web3.eth.send_raw_transaction(
                self.key.sign_transaction(call.build_transaction(fields)).raw_transaction
            )
        )

    def publish(self, files: dict[str, bytes], ids: list[int], content: bytes = b"") -> str:
        "Commit and mint whatever these files say, and give the address of the collection."
        nested: dict = {}
        for path, data in files.items():
            place = nested
            for name in path.split("/")[:-1]:
                place = place.setdefault(name, {})
            place[path.split("/")[-1]] = data
        store = self.folder / "store"
        store.mkdir(exist_ok=True)
        built = write_car(store / "new.car", nested)
        (store / "new.car").rename(store / f"{built.root}.car")
        pictures = {int(Path(path).stem): data for path, data in files.items() if path.startswith("images/")}
        digests = [
            [hashlib.sha256(data).hexdigest() for data in (pictures.get(i, b""), files.get(f"{i}.json", b""))]
            for i in ids
        ]
        root = (
            content
            or content_root(31337, self.contract.address, [Leaf(i, *each) for i, each in zip(ids, digests)])[
                0
            ]
        )
        do = self.contract.functions
        for call in (
            do.commitDrop(1, len(ids), root, built.root.digest),
            do.grantRole(do.MINTER_ROLE().call(), self.key.address),
            do.setAllowance(self.key.address, 4, 0, 0),
            do.mintBatch(1, len(ids), 0),
        ):
            self.send(call)
        return f"embedded:{self.contract.address}"


def restate(files: dict, token: int, **changes) -> dict:
    "Change a token's JSON; a key with dots reaches inside."
    said = read_json(files[f"{token}.json"])
    for key, value in changes.items():
        place, *path = said, *key.split("__")
        for name in path[:-1]:
            place = place[int(name) if name.isdigit() else name]
        place[path[-1]] = value
    files[f"{token}.json"] = canonical(said)
    return said


def repaint(files: dict, token: int, picture: bytes, **changes) -> None:
    "Put in another picture, and make the JSON agree as far as digests go."
    files[f"images/{token}.png"] = picture
    restate(
        files,
        token,
        image=f"ipfs://{cid(picture)}",
        artmint__file_digest=hashlib.sha256(picture).hexdigest(),
        **changes,
    )


def altered(files: dict, token: int) -> bytes:
    "The token's picture with one channel of one pixel changed by one, its texts untouched."
    image, _ = read_png(files[f"images/{token}.png"])
    image.putpixel(
        (5, 5), tuple(value ^ (channel == 1) for channel, value in enumerate(image.getpixel((5, 5))))
    )
    return png_bytes(
        image, Recipe.parse(read_json(files[f"{token}.json"])["artmint"]["recipe"]), "artmint bundled"
    )
