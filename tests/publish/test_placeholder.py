"What sealed tokens show: packed, kept, looked at by a stranger."

import json
from io import BytesIO

from PIL import Image

from artmint.ipfs.cid import CID
from artmint.ipfs.stores import FolderStore
from artmint.pin import publish
from artmint.prove.evidence import NO_PLACEHOLDER, check_placeholder
from artmint.publish.placeholder import cover_of, pack_placeholder, placeholder_json, plain_cover
from artmint.publish.tokens import read_contract
from tests.studios import DEMO, drawing


def test_the_same_picture_gives_the_same_root(tmp_path):
    one, two = (pack_placeholder(tmp_path / name, DEMO) for name in ("a", "b"))
    assert one.root == two.root and one.car.read_bytes() == two.car.read_bytes()
    cover = cover_of(drawing(tmp_path / "own.png", mode="RGB"))
    assert pack_placeholder(tmp_path / "c", DEMO, cover).root != one.root
    assert Image.open(BytesIO(plain_cover())).size == (512, 512)


def test_it_tells_nothing_of_the_drop(tmp_path):
    "The page that comes with it has no counts, and the JSON no attributes."
    shown = json.loads(placeholder_json(DEMO, str(pack_placeholder(tmp_path, DEMO).root)))
    assert set(shown) == {"name", "description", "image"}
    from artmint.publish.tokens import contract_json

    page = read_contract(contract_json(DEMO, str(CID(0x55, b"i" * 32)), counts=False))
    assert page.traits is None and page.license is None


def test_a_stranger_sees_it_or_hears_why_not(tmp_path):
    "Held where a store has it; nothing set, elsewhere, not had: unchecked and not asked for; broken content fails."
    packed = pack_placeholder(tmp_path / "p", DEMO)
    store = FolderStore(tmp_path / "store")
    missing = check_placeholder(packed.uri, [store])
    assert (missing.status, missing.asked) == ("unchecked", False)
    publish(packed.car, packed.root, [store])
    assert check_placeholder(packed.uri, [store]).status == "held"
    assert check_placeholder("", [store]).evidence == NO_PLACEHOLDER
    for uri, status in (
        ("https://studio.example/soon.json", "unchecked"),
        (f"ipfs://{packed.root}/contract.jsn", "failed"),
        (f"ipfs://{packed.root}/placeholder.png", "failed"),
        ("ipfs://nothing/placeholder.json", "failed"),
    ):
        assert check_placeholder(uri, [store]).status == status, uri
