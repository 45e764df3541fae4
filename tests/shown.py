"The demo with all that markets show, and a drop of it."

from pathlib import Path

from PIL import Image

from artmint.core.collection import Collection, read_collection
from artmint.metadata import pack
from artmint.publish.tokens import media_files
from artmint.studio.catalog import Catalog
from tests.packed import BASE, FOLDER, fill

ADA, BEN, SPLITTER = ("0x" + digit * 40 for digit in "123")
LOOP = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8192  # more than one block
ROYALTY = f"""basis_points = 500
receiver = "{SPLITTER}"
shares = [{{ account = "{ADA}", percent = 66.67 }}, {{ account = "{BEN}", percent = 33.33 }}]
"""
MARKET = f"""
[labels]
motif = "Main Motif"
[market]
symbol = "LIGHT"
token_name = "{{title}}, {{motif}} no. {{id}} of {{supply}}"
token_description = "{{description}} This one shows {{motif}}."
external_url = "https://art.example/{{collection}}/{{id}}"
animation_url = "loop.mp4"
background_color = "0c1233"
banner_image = "banner.png"
featured_image = "https://art.example/featured.png"
external_link = "https://art.example"
collaborators = ["{ADA}"]
[market.facts.artist]
label = "Artist"
value = "Ada"
[market.facts.series]
label = "Series"
values = {{ "1-8" = "First", "9-15" = "Second" }}
[market.facts.edition]
label = "Edition"
type = "level"
value = "{{id}}"
max_value = 16
[market.facts.made]
label = "Made"
type = "date"
value = 2026-11-29
[market.facts.luck]
label = "Luck"
type = "boost_percentage"
value = 12.5
[market.tokens.3]
name = "The Third"
animation_url = "https://art.example/3.html"
"""


DEMO_TEXT = (FOLDER / "collection.toml").read_text()


def read_demo(folder: Path, *changes: tuple[str, str], more: str = "") -> Collection:
    "The demo's file with changes and more at its end."
    place = folder / "demo"
    place.mkdir(exist_ok=True)
    text = DEMO_TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (place / "collection.toml").write_text(text + more)
    return read_collection(place / "collection.toml")


def shown_folder(folder: Path) -> Path:
    "The demo's folder with all that markets show."
    place = folder / "demo"
    place.mkdir(parents=True, exist_ok=True)
    text = DEMO_TEXT.replace("basis_points = 500              # 5 %\n", ROYALTY)
    assert ROYALTY in text
    (place / "collection.toml").write_text(text + MARKET)
    (place / "loop.mp4").write_bytes(LOOP)
    Image.new("RGB", (40, 10), "#0c1233").save(place / "banner.png")
    return place


def pack_shown(folder: Path, quantity: int = 4) -> tuple[Catalog, Collection, Path]:
    "A studio with a drop of it, the collection, and the collection's folder."
    place = shown_folder(folder / "collections")
    collection = read_collection(place / "collection.toml")
    catalog = fill(folder / "studio", quantity, collection)
    pack(catalog, collection, 1, 1, quantity, BASE, {}, media_files(place, collection))
    return catalog, collection, place
