"A stranger's proof: what is true holds, and every lie is named, wherever in the line it was told."

import hashlib
import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import TINY

from artmint.run import cli
from artmint.ipfs.cid import CID, cid
from artmint.studio.catalog import Catalog
from artmint.chain.connect import connect
from artmint.ipfs.car import check_car, open_car, write_car
from artmint.chain.contract import artifact, content_root
from artmint.prove.evidence import BadAddress, ChainClaim, ChainDrop, Leaf, check_uris, parse_address
from artmint.prove.proof import NotProven, ProofFailed
from artmint.studio.ledger import Money, bill, ledger_lines
from artmint.metrics import batch_history, kpis
from artmint.core.picture import pixel_digest, png_bytes, read_png
from artmint.ipfs.stores import FolderStore
from artmint.core.canon import canonical, read_json
from artmint.core.records import Recipe
from artmint.seeds import load_collection
from artmint.verify import verify

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


@pytest.fixture
def studio(minted, tmp_path):
    "The minted studio as a stranger has it (chain, store, manifests), to be spoiled, and its contract's address."
    for name in ("chain", "store", "drops"):
        shutil.copytree(
            minted[0] / name, tmp_path / name, ignore=shutil.ignore_patterns("root", "drop.car", "*.lock")
        )
    return tmp_path, f"embedded:{minted[1]}"


# -- what is true


def test_a_sound_collection_is_proven_to_the_last_pixel(minted):
    said = []
    proof = verify(
        f"embedded:{minted[1]}", minted[0], regenerate=True, say=lambda *counts: said.append(counts)
    )
    assert proof.exit_code == 0, proof.text()
    assert {step.status for step in proof.steps} == {"held"}, proof.text()
    names = [
        "chain",
        "contract",
        "tokenURI",
        "archive",
        "content root",
        "provenance",
        "metadata",
        "recipe",
        "picture",
        "pixels",
        "manifest",
        "regenerate",
    ]
    assert [step.name for step in proof.steps] == names
    assert said == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert all(
        "4 of 4" in step.evidence
        for step in proof.steps
        if step.name in ("tokenURI", "metadata", "recipe", "picture", "pixels", "manifest", "regenerate")
    )
    assert "from the archive" in proof.steps[-1].evidence
    assert "\n" not in "".join(step.evidence for step in proof.steps)
    assert json.loads(json.dumps(proof.to_dict()))["exit_code"] == 0
    assert proof.text().count("✓") == len(names)
    proof.insist()


def test_nobody_asked_is_unchecked_and_not_a_fault(minted):
    proof = verify(f"31337:{minted[1]}", minted[0])
    assert proof.exit_code == 0
    assert status(proof, "regenerate") == {"unchecked"}
    proof.insist()


def test_one_token_and_a_range(minted):
    proof = verify(f"embedded:{minted[1]}/3", minted[0])
    assert proof.exit_code == 0
    assert "1 of 1" in proof.text()
    assert "1 of 1 archives" in proof.text()
    proof = verify(f"embedded:{minted[1]}", minted[0], tokens=range(2, 4))
    assert proof.exit_code == 0
    assert "2 of 2 JSON files" in proof.text()
    assert "2 of 2 archives" in proof.text()


def test_of_many_tokens_the_ends_of_each_drop_are_asked(minted, monkeypatch):
    monkeypatch.setattr("artmint.prove.evidence.URIS", 2)
    proof = verify(f"embedded:{minted[1]}", minted[0], tokens=range(2, 5))
    assert proof.exit_code == 0
    assert next(step for step in proof.steps if step.name == "tokenURI").evidence.startswith("3 of 3")
    root = CID.of(0x70, b"")
    drop = ChainDrop(1, 9, b"", root)
    uris = {1: f"ipfs://{root}/1.json", 9: f"ipfs://{root}/9.json"}
    (step,) = check_uris(ChainClaim(1, NOWHERE, range(1, 10), uris, (drop,)))
    assert step.status == "held"
    assert step.evidence.startswith("2 of 2")
    assert "all 9" in step.evidence
    (step,) = check_uris(
        ChainClaim(
            1, NOWHERE, range(1, 10), uris | {9: f"https://gateway.example/ipfs/{root}/9.json"}, (drop,)
        )
    )
    assert step.status == "failed"
    assert step.token == 9
    assert "gateway.example" in step.evidence


def test_it_needs_no_model_stack_and_changes_nothing(minted):
    before = tree(minted[0])
    program = "import sys; sys.modules.update(dict.fromkeys(['torch', 'diffusers', 'transformers', 'open_clip'])); from artmint.verify import verify; p = verify(*sys.argv[1:]); print(p.exit_code)"
    done = subprocess.run(
        [sys.executable, "-c", program, f"embedded:{minted[1]}", str(minted[0])],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "0", done.stdout + done.stderr
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program.replace("sys.argv[1:]", "sys.argv[1:], regenerate=True"),
            f"embedded:{minted[1]}",
            str(minted[0]),
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "3", done.stdout + done.stderr
    assert tree(minted[0]) == before


# -- the archive


def test_every_flipped_byte_in_a_store_fails_and_is_named(studio):
    folder, address = studio
    path = next((folder / "store").glob("*.car"))
    whole = path.read_bytes()
    car = open_car(path)
    files = {each: name for name, each in check_car(car, car.roots[0]).items()}
    chosen = [random.Random(1).randrange(len(whole)) for _ in range(4)]
    chosen += [start + size // 2 for each, (start, size) in car.index.items() if each in files]
    for at in chosen:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        proof = verify(address, folder)
        assert proof.exit_code == 1
        assert set(failed(proof)) == {"archive"}
        hit = next((each for each, (start, size) in car.index.items() if start <= at < start + size), None)
        if hit:
            assert str(hit) in failed(proof)["archive"]
            assert files.get(hit, "") in failed(proof)["archive"]
        assert status(proof, "metadata") <= {"held"}
        assert "2 of 4 tokens have no sound archive" in proof.text()
    with pytest.raises(ProofFailed, match="archive"):
        proof.insist()


def test_an_archive_packed_anew_is_another_archive(studio):
    "The picture is changed, everything above it is computed again, and the header says what is expected."
    folder, address = studio
    path = next((folder / "store").glob("*.car"))
    old = CID.parse(path.stem)
    built = write_car(path, {"images": {"1.png": b"a nicer picture"}})
    assert str(built.root) in failed(verify(address, folder))["archive"]
    path.write_bytes(path.read_bytes().replace(built.root.bytes, old.bytes, 1))
    assert f"block {old} of '/' is missing" in failed(verify(address, folder))["archive"]


def test_what_no_store_has_is_unchecked(studio):
    folder, address = studio
    next((folder / "store").glob("*.car")).unlink()
    proof = verify(address, folder, regenerate=False)
    assert proof.exit_code == 3
    assert not failed(proof)
    assert status(proof, "archive") == {"unchecked"}
    assert "2 of 2 JSON files" in proof.text()
    with pytest.raises(NotProven):
        proof.insist()
    assert verify(address, folder, stores=[]).exit_code == 3
    assert verify(address, folder, stores=[FolderStore(folder / "nothing")]).exit_code == 3


def test_one_honest_store_is_enough(studio, minted):
    folder, address = studio
    for path in (folder / "store").glob("*.car"):
        path.write_bytes(path.read_bytes()[:-1])
    assert verify(address, folder).exit_code == 1
    assert (
        verify(
            address, folder, stores=[FolderStore(folder / "store"), FolderStore(minted[0] / "store")]
        ).exit_code
        == 0
    )


# -- the manifest


@pytest.mark.parametrize(
    "field, value",
    [
        ("dna", "0" * 64),
        ("pixel_digest", "0" * 64),
        ("file_digest", "0" * 64),
        ("metadata_digest", "0" * 64),
        ("image_cid", str(cid(b"x"))),
        ("metadata_cid", str(cid(b"x"))),
        ("root", str(cid(b"x"))),
        ("schema_digest", "0" * 64),
        ("collection", "teeny"),
        ("weights", []),
    ],
)
def test_a_changed_manifest_is_named(studio, field, value):
    folder, address = studio
    path = folder / "drops" / "tiny-1" / "drop.json"
    said = read_json(path.read_bytes())
    (said["tokens"][1] if field in said["tokens"][1] else said)[field] = value
    path.write_bytes(canonical(said))
    proof = verify(address, folder)
    assert proof.exit_code == 1
    assert f"manifest's {field}" in failed(proof)["manifest"]
    assert set(failed(proof)) == {"manifest"}
    if field in said["tokens"][1]:
        assert failed(proof)["manifest"].startswith("token 2: ")


def test_a_manifest_that_is_none_fails_and_one_that_is_absent_does_not(studio):
    folder, address = studio
    path = folder / "drops" / "tiny-1" / "drop.json"
    path.write_bytes(path.read_bytes() + b" ")
    assert set(failed(verify(address, folder))) == {"manifest"}
    shutil.rmtree(folder / "drops")
    proof = verify(address, folder)
    assert proof.exit_code == 0
    assert status(proof, "manifest") == {"unchecked"}


# -- the chain


@pytest.mark.parametrize(
    "address",
    [
        "",
        NOWHERE,
        "1:0x12",
        f"1:{NOWHERE}/0",
        f"1:{NOWHERE}/07",
        f"1:{NOWHERE}/",
        f"1 :{NOWHERE}",
        f":{NOWHERE}",
        f"1:{NOWHERE}\n",
        f"1:{NOWHERE}/" + "9" * 30,
    ],
)
def test_other_addresses_are_refused(address, tmp_path):
    with pytest.raises(BadAddress) as refused:
        verify(address, tmp_path)
    assert refused.value.exit_code == 2


def test_addresses_of_nodes():
    assert (
        parse_address(f"https://node.example:8545/key:{NOWHERE}/7").chain == "https://node.example:8545/key"
    )
    assert parse_address(f"eip155:{NOWHERE}").tokens is None


def test_a_chain_that_does_not_answer_is_unchecked(studio, tmp_path):
    folder, address = studio
    for where in (f"embedded:{NOWHERE}", f"1:{NOWHERE}"):
        assert verify(where, tmp_path / "none").exit_code == 3
    assert not (tmp_path / "none").exists()
    assert verify(address.replace("embedded", "5"), folder).exit_code == 3
    proof = verify(f"http://127.0.0.1:9/secret-key:{NOWHERE}", folder)
    assert proof.exit_code == 3
    assert "secret-key" not in proof.text()
    assert verify(f"1:{NOWHERE}", folder, rpc="http://127.0.0.1:9/").exit_code == 3


def test_no_code_other_code_and_no_token(studio):
    folder, address = studio
    proof = verify(f"embedded:{NOWHERE}", folder)
    assert proof.exit_code == 1
    assert "0 bytes of code" in failed(proof)["chain"]
    proof = verify(f"{address}/5", folder)
    assert proof.exit_code == 1
    assert "token 5 is not minted" in failed(proof)["chain"]
    code = bytes.fromhex(artifact()["bytecode"][2:]).replace(b"ipfs://", b"http://")
    other = Studio(folder / "other", code=code).contract.address
    proof = verify(f"embedded:{other}", folder / "other")
    assert proof.exit_code == 1
    assert "not the ArtMint contract" in failed(proof)["contract"]


def test_a_changed_chain_is_named(studio):
    folder, address = studio
    log = folder / "chain" / "blocks.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:3] + lines[4:]))
    proof = verify(address, folder)
    assert proof.exit_code == 1
    assert "Line 4" in failed(proof)["chain"]


# -- a studio that lies, and puts its lie on chain


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
        store.mkdir()
        built = write_car(store / "new.car", nested)
        (store / "new.car").rename(store / f"{built.root}.car")
        digests = [
            [hashlib.sha256(files.get(path, b"")).hexdigest() for path in (f"images/{i}.png", f"{i}.json")]
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


@pytest.fixture
def lie(minted, tmp_path):
    "Change the files of the first drop, commit them, and prove."

    def told(change, regenerate: bool = False, content: bytes = b"", weights: bool = False, **more):
        files = {
            path: data
            for path, data in tree(minted[0] / "drops" / "tiny-1" / "root").items()
            if weights or not path.startswith("weights/")
        }
        change(files)
        return verify(
            Studio(tmp_path / "lies").publish(files, [1, 2], content),
            tmp_path / "lies",
            regenerate=regenerate,
            **more,
        )

    return told


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


def test_the_truth_told_by_somebody_else_holds(lie):
    proof = lie(lambda files: None)
    assert proof.exit_code == 0, proof.text()


@pytest.mark.parametrize(
    "step, field, changes",
    [
        ("recipe", "artmint.dna", {"artmint__dna": "0" * 64}),
        ("recipe", "artmint.dna", {"artmint__recipe__seed": 7}),
        ("recipe", "artmint.recipe", {"artmint__recipe__seed": -1}),
        ("recipe", "artmint.recipe", {"artmint__recipe__schema": 2}),
        ("recipe", "artmint.base.digest", {"artmint__base__digest": "0" * 64}),
        ("recipe", "attributes", {"attributes__0__value": "golden rings"}),
        ("metadata", "artmint.slot", {"artmint__slot": 1}),
        ("metadata", "name", {"name": "Tiny <svg onload=alert(1)>"}),
        ("metadata", "json", {"animation_url": "https://elsewhere.example"}),
        ("metadata", "json", {"image": "https://elsewhere.example/2.png"}),
        ("metadata", "json", {"artmint__scores__clip": "high"}),
        ("picture", "image", {"image": f"ipfs://{cid(b'another')}"}),
        ("picture", "artmint.file_digest", {"artmint__file_digest": "0" * 64}),
        ("pixels", "artmint.pixel_digest", {"artmint__pixel_digest": "0" * 64}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_json_that_lies(lie, step, field, changes):
    proof = lie(lambda files: restate(files, 2, **changes))
    assert proof.exit_code == 1
    assert set(failed(proof)) >= {step}
    said = next(each for each in proof.steps if each.name == step and field in each.evidence)
    assert said.token == 2
    assert said.evidence.startswith("token 2: ")
    assert status(proof, "content root") == {"held"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"\xff\xfe",
        b"9" * 5000,
        b" " * (2 << 20),
        b'{"name":"a","name":"b"}',
    ],
    ids=lambda data: data[:12].hex(),
)
def test_hostile_json_is_a_finding(lie, data):
    proof = lie(lambda files: files.update({"2.json": data}))
    assert proof.exit_code == 1
    assert "metadata" in failed(proof) or "content root" in failed(proof)
    assert status(proof, "pixels") == {"unchecked"}


def test_a_recipe_that_the_picture_does_not_carry(lie):
    "JSON with another seed and its right dna; the picture still says the old one."

    def change(files):
        facts = read_json(files["2.json"])["artmint"]["recipe"] | {"seed": 7}
        restate(files, 2, artmint__recipe=facts, artmint__dna=Recipe.parse(facts).dna)

    proof = lie(change)
    assert set(failed(proof)) == {"pixels"}
    assert any("picture's recipe" in step.evidence for step in proof.steps)


def test_pictures_that_are_swapped(lie):
    def change(files):
        files["images/1.png"], files["images/2.png"] = files["images/2.png"], files["images/1.png"]

    proof = lie(change)
    assert proof.exit_code == 1
    assert (
        sum("token 1: image" in step.evidence or "token 2: image" in step.evidence for step in proof.steps)
        == 2
    )


def test_a_picture_with_something_after_its_end(lie):
    proof = lie(lambda files: repaint(files, 2, files["images/2.png"] + b"<script>"))
    assert set(failed(proof)) == {"picture"}
    assert "8 bytes follow its end" in failed(proof)["picture"]


def altered(files: dict, token: int) -> bytes:
    "The token's picture with one channel of one pixel changed by one, its texts untouched."
    image, _ = read_png(files[f"images/{token}.png"])
    image.putpixel(
        (5, 5), tuple(value ^ (channel == 1) for channel, value in enumerate(image.getpixel((5, 5))))
    )
    return png_bytes(
        image, Recipe.parse(read_json(files[f"{token}.json"])["artmint"]["recipe"]), "artmint bundled"
    )


def test_a_changed_pixel_is_seen(lie):
    proof = lie(lambda files: repaint(files, 2, altered(files, 2)))
    assert set(failed(proof)) == {"pixels"}
    assert "artmint.pixel_digest" in failed(proof)["pixels"]


def test_a_retouched_picture_that_agrees_with_itself_fails_only_when_it_is_painted_again(lie):
    "The best lie there is: every digest, address and root is right, but the recipe doesn't give this picture."

    def change(files):
        picture = altered(files, 2)
        repaint(files, 2, picture, artmint__pixel_digest=pixel_digest(read_png(picture)[0]))

    proof = lie(change, regenerate=True)
    assert set(failed(proof)) == {"regenerate"}
    assert failed(proof)["regenerate"].startswith("token 2: pixels rendered again")
    assert "largest difference 1 of 255" in failed(proof)["regenerate"]
    assert [step.status for step in proof.steps if step.name != "regenerate" and step.asked] == ["held"] * 9


def test_off_its_hardware_a_fast_picture_is_measured_and_not_claimed(lie):
    "The fast profile promises equal pixels on one machine only: here another picture stands for another machine."

    def change(files):
        for token in (1, 2):
            facts = read_json(files[f"{token}.json"])["artmint"]["recipe"] | {"profile": "fast"}
            recipe = Recipe.parse(facts)
            image = read_png(altered(files, token))[0]
            repaint(
                files,
                token,
                png_bytes(image, recipe, "artmint bundled"),
                artmint__recipe=facts,
                artmint__dna=recipe.dna,
                artmint__pixel_digest=pixel_digest(image),
            )

    proof = lie(change, regenerate=True)
    said = proof.steps[-1]
    assert proof.exit_code == 3
    assert not failed(proof)
    assert (said.name, said.status) == ("regenerate", "unchecked")
    assert proof.levels["regenerated"] == "unchecked"
    assert re.search(
        r"2 of 2 pictures differ.*token 1: largest difference \d+ of 255, PSNR [\d.]+ dB, similarity [\d.]+; token 2: ",
        said.evidence,
    ), said.evidence


def test_a_root_on_chain_that_the_files_do_not_give(lie):
    proof = lie(lambda files: None, content=b"\x07" * 32)
    assert set(failed(proof)) == {"content root"}
    assert "07" * 32 in failed(proof)["content root"]


def test_a_file_that_is_not_there(lie):
    proof = lie(lambda files: files.pop("images/2.png"))
    assert proof.exit_code == 1
    assert "images/2.png" in failed(proof)["content root"]
    assert "images/2.png" in failed(proof)["metadata"]


# -- weights from the archive


def of_weights(files: dict, name: str) -> str:
    "The path of one of the weights' files."
    return next(path for path in files if path.startswith("weights/") and path.endswith(name))


def test_weights_that_are_another_base(lie):
    def change(files):
        path = of_weights(files, "vae/diffusion_pytorch_model.safetensors")
        files[path] = files[path][:-2] + b"\0\x3c"

    proof = lie(change, regenerate=True, weights=True)
    assert set(failed(proof)) == {"regenerate"}
    assert re.search(r"should be base [0-9a-f]{64}, and are [0-9a-f]{64}", failed(proof)["regenerate"])


@pytest.mark.parametrize(
    "name", ["evil.py", "unet/model.bin", "a/b/c.json", "unet/.hidden.json", "tokenizer/x.pkl", "..json"]
)
def test_weights_with_a_strange_file_are_not_loaded(lie, name):
    def change(files):
        files[f"weights/{read_json(files['1.json'])['artmint']['base']['digest']}/{name}"] = b"{}"

    proof = lie(change, regenerate=True, weights=True)
    assert proof.exit_code == 3
    assert not failed(proof)
    assert "which is not loaded" in proof.steps[-1].evidence


def test_weights_that_name_other_code_are_not_loaded(lie):
    def change(files):
        path = of_weights(files, "model_index.json")
        files[path] = json.dumps(json.loads(files[path]) | {"unet": ["subprocess", "Popen"]}).encode()

    proof = lie(change, regenerate=True, weights=True)
    assert proof.exit_code == 3
    assert "subprocess" in proof.steps[-1].evidence
    assert "which is not loaded" in proof.steps[-1].evidence


def test_broken_weights_are_unchecked(lie):
    def change(files):
        files[of_weights(files, "unet/diffusion_pytorch_model.safetensors")] = b"\xff" * 100

    proof = lie(change, regenerate=True, weights=True)
    assert proof.exit_code == 3
    assert status(proof, "regenerate") == {"unchecked"}


def test_a_base_that_is_not_published_comes_from_the_package_or_the_caller(lie, tmp_path):
    from artmint.make.base import load_base

    bundled = load_base()
    with_given = lie(lambda files: None, regenerate=True, base=str(bundled.folder))
    assert with_given.exit_code == 0, with_given.text()
    proof = verify(with_given.address, tmp_path / "lies", regenerate=True)
    assert proof.exit_code == 0
    assert "from bundled" in proof.steps[-1].evidence


def test_a_base_that_nobody_has_is_unchecked(lie):
    def change(files):
        for token in (1, 2):
            image, _ = read_png(files[f"images/{token}.png"])
            facts = read_json(files[f"{token}.json"])["artmint"]["recipe"] | {"base": "5" * 64}
            recipe = Recipe.parse(facts)
            repaint(
                files,
                token,
                png_bytes(image, recipe, "artmint bundled"),
                artmint__recipe=facts,
                artmint__dna=recipe.dna,
                artmint__base__digest="5" * 64,
            )

    proof = lie(change, regenerate=True)
    assert proof.exit_code == 3
    assert not failed(proof)
    assert "5" * 64 in proof.steps[-1].evidence
    with pytest.raises(NotProven, match="regenerate"):
        proof.insist()


def test_the_catalog_of_the_fixture_is_sound(minted):
    assert Catalog(minted[0]).check() == []


# The same collection through the console script


def test_mint_says_what_it_would_do(minted, capsys):
    "A dry run names chain, contract, minter, limits and treasury; a run where all is minted sends nothing."
    studio, address = minted
    for more in (["--dry-run"], []):
        with pytest.raises(SystemExit) as end:
            cli.main(["mint", str(TINY), "--studio", str(studio), *more])
        said = capsys.readouterr().out
        assert end.value.code in (0, None)
        assert f"contract   {address}" in said
        assert "2 of 2 of drop 1 are minted" in said
        assert "would send" not in said
    assert "0 transactions" in said


def seconds(studio: Path, stage: str) -> dict[tuple[str, str], float]:
    "What the ledger says of a stage's time."
    return bill(
        [
            line._replace(stage=line.key)
            for line in ledger_lines(Catalog(studio), stage)
            if line.unit in ("wall", "cpu")
        ],
        Money(),
    ).used


def test_minting_from_the_console_is_charged(minted, tmp_path):
    "Its seconds stand beside its gas; a dry run costs nothing."
    studio = shutil.copytree(minted[0], tmp_path / "studio")
    before = len(ledger_lines(Catalog(studio), "mint"))
    for more, expected in (["--dry-run"], []), ([], [("tiny/1-2", "wall"), ("tiny/1-2", "cpu")]):
        with pytest.raises(SystemExit):
            cli.main(["mint", str(TINY), "--studio", str(studio), *more])
        fresh = ledger_lines(Catalog(studio), "mint")[before:]
        assert [(line.key, line.unit) for line in fresh] == expected
        assert all(line.amount > 0 for line in fresh)
    found = seconds(studio, "mint")
    collection = load_collection(TINY)
    assert (
        kpis(batch_history(Catalog(studio), collection, range(1, 3)), Money()).stages["mint"]["cpu"]
        == found["tiny/1-2", "cpu"]
    )
    assert (
        kpis(batch_history(Catalog(studio), collection, range(3, 5)), Money()).stages["mint"].get("cpu", 0)
        == 0
    )


def test_a_studio_s_own_proof_is_charged_to_what_was_proven_and_a_stranger_s_is_not(minted, tmp_path, capsys):
    "Of a collection's proof each drop bears its part. Who isn't the maker gets no catalog."
    studio = shutil.copytree(minted[0], tmp_path / "studio")
    for target in (f"embedded:{minted[1]}", f"embedded:{minted[1]}/3"):
        with pytest.raises(SystemExit) as end:
            cli.main(["verify", target, "--studio", str(studio)])
        assert end.value.code == 0
    found = seconds(studio, "verify")
    collection = load_collection(TINY)
    assert set(found) == {(key, unit) for key in ("tiny/1-4", "tiny/3-3") for unit in ("wall", "cpu")}
    parts = [
        kpis(batch_history(Catalog(studio), collection, each), Money()).stages["verify"]["cpu"]
        for each in (range(1, 3), range(3, 5))
    ]
    assert parts == pytest.approx(
        [found["tiny/1-4", "cpu"] / 2, found["tiny/1-4", "cpu"] / 2 + found["tiny/3-3", "cpu"]]
    )
    for name in ("chain", "store"):
        shutil.copytree(minted[0] / name, tmp_path / "stranger" / name)
    for folder, of in ((tmp_path / "stranger", None), (tmp_path / "other", "other")):
        if of:
            shutil.copytree(tmp_path / "stranger", folder)
            Catalog(folder).put("contract", "other@1", {"address": "0x" + "1" * 40})
        with pytest.raises(SystemExit) as end:
            cli.main(["verify", f"embedded:{minted[1]}", "--studio", str(folder)])
        assert end.value.code == 0
    assert not (tmp_path / "stranger/catalog.sqlite").exists()
    assert ledger_lines(Catalog(tmp_path / "other")) == []
    with sqlite3.connect(tmp_path / "other/catalog.sqlite") as connection:
        connection.execute("update meta set value = '99'")
    with pytest.raises(SystemExit) as end:
        cli.main(["verify", f"embedded:{minted[1]}", "--studio", str(tmp_path / "other")])
    assert end.value.code == 0
    assert "isn't charged" in capsys.readouterr().err  # a proof depends on nobody's books


def test_mint_before_anything_is_there(minted, tmp_path, capsys):
    shutil.copytree(minted[0] / "drops", tmp_path / "drops")
    with pytest.raises(SystemExit) as end:
        cli.main(["mint", str(TINY), "--studio", str(tmp_path), "--dry-run"])
    assert end.value.code == 1
    assert "let the admin commit the drop first" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        cli.main(["mint", str(TINY), "--studio", str(tmp_path), "--chain", "base-sepolia"])
    assert end.value.code == 2
    assert "ARTMINT_RPC_BASE_SEPOLIA" in capsys.readouterr().err


def test_doctor_looks_at_the_contract(minted, capsys):
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--studio", str(minted[0])])
    lines = {line.split()[2]: line for line in capsys.readouterr().out.splitlines() if " tiny " in line}
    assert {"chain", "code", "role", "paused", "allowance", "balance", "price"} <= set(lines)
    assert all(line.startswith("✓") for line in lines.values())
