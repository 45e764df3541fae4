"A drop of somebody's making with all that markets show, as several tests list it."

import json
from pathlib import Path

from PIL import Image, ImageDraw

from artmint.ipfs.cid import cid

EDITOR = "0x" + "ab" * 20


def picture(path: Path, size: tuple[int, int], colour: str, kind: str = "PNG") -> str:
    "A picture of rings in a file, and its address."
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(image)
    for step in range(8, min(size) // 2, 12):
        pen.ellipse((step, step, size[0] - step, size[1] - step), outline="white", width=3)
    image.save(path, kind)
    return f"ipfs://{cid(path)}"


def sound_traits(number: int) -> list[dict]:
    "A token's attributes, one of every kind that markets know."
    return [
        {"trait_type": "Ground", "value": ("Sea", "Sky", "Sand")[number % 3]},
        {"trait_type": "Rings", "value": 3 + number, "max_value": 20},
        {"trait_type": "Generation", "value": 2, "display_type": "number"},
        {"trait_type": "Depth", "value": 10 * number, "display_type": "boost_number"},
        {"trait_type": "Stamina", "value": 5 + number, "display_type": "boost_percentage"},
        {"trait_type": "Painted", "value": 1546360800 + 86400 * number, "display_type": "date"},
    ]


def sound_token(number: int, image: str) -> dict:
    "A token's JSON to which no market has anything to say."
    return {
        "name": f"Ring #{number}",
        "description": "Rings on *one* ground, with a [page](https://art.example).\n\n- painted\n- proven",
        "image": image,
        "external_url": f"https://art.example/{number}",
        "background_color": "2B2B40",
        "attributes": sound_traits(number),
    }


def collection_page(folder: Path, image: str) -> dict:
    "A contract.json with all fields of ERC-7572."
    return {
        "name": "Rings",
        "symbol": "RING",
        "description": "Rings, and **nothing** else.",
        "image": image,
        "banner_image": picture(folder / "media" / "banner.png", (1600, 600), "midnightblue"),
        "featured_image": picture(folder / "media" / "featured.png", (600, 600), "purple"),
        "external_link": "https://art.example",
        "collaborators": [EDITOR],
        "license": "CC0-1.0",
    }


def rings(folder: Path, tokens: int = 4, side: int = 480) -> Path:
    "A folder with tokens, their pictures, and the collection's page."
    folder.mkdir(parents=True)
    colours = ("teal", "coral", "olive", "indigo", "maroon", "navy")
    image = ""
    for number in range(1, tokens + 1):
        image = picture(folder / "images" / f"{number}.png", (side, side), colours[number % 6])
        (folder / f"{number}.json").write_text(json.dumps(sound_token(number, image)))
    (folder / "contract.json").write_text(json.dumps(collection_page(folder, image)))
    return folder


def spoil(folder: Path, number: int, **changes) -> None:
    "Change fields of a token's JSON; None takes one away."
    path = folder / f"{number}.json"
    facts = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in facts.items() if value is not None}))
