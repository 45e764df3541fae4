"""Whether a post says only what a drop's records say, by a reader of its own: it knows the files and the catalog's table, and nothing of how posts
are made. Numbers, numerals in words, links, names and mentions of a text are looked for in the records, word by word."""

import json
import re
import sqlite3
import tomllib
from datetime import UTC, datetime
from pathlib import Path

NUMERALS = set(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty
    thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen first second third fourth fifth sixth seventh
    eighth ninth tenth once twice thrice half double triple single pair""".split()
)
ALWAYS = {"Made", "with", "AI", "AI.", "I"}


def leaves(value) -> list[str]:
    "Every text and number of some JSON."
    if isinstance(value, dict):
        return [text for one in value.values() for text in leaves(one)] + list(value)
    if isinstance(value, list):
        return [text for one in value for text in leaves(one)]
    return [str(value)]


def dates_of(tokens: list[dict]) -> list[str]:
    "Dates of attributes as people write them."
    stamps = [
        entry["value"]
        for token in tokens
        for entry in token["attributes"]
        if entry.get("display_type") == "date"
    ]
    return [datetime.fromtimestamp(stamp, UTC).strftime("%d %b %Y") for stamp in stamps]


class Records:
    "What a studio's files and its catalog say of a drop."

    def __init__(self, studio: Path, collection: Path, drop: str = "demo-1"):
        folder = studio / "drops" / drop
        manifest = json.loads((folder / "drop.json").read_text())
        settings = tomllib.loads((collection / "collection.toml").read_text())
        self.tokens = {
            int(path.stem): json.loads(path.read_text())
            for path in (folder / "root").glob("*.json")
            if path.stem.isdecimal()
        }
        self.numbers = {str(settings["supply"]), str(manifest["quantity"]), str(manifest["drop"])}
        self.numbers |= {str(manifest["first"]), str(manifest["first"] + manifest["quantity"] - 1)}
        self.numbers |= {
            str(self.painted(studio, manifest)),
            f"{settings['royalty']['basis_points'] / 100:g}",
        }
        self.texts = [
            settings["title"],
            settings["description"],
            settings["license"],
            f"ipfs://{manifest['root']}",
        ]
        self.texts += leaves(settings.get("market", {})) + leaves(settings.get("labels", {}))

    @staticmethod
    def painted(studio: Path, manifest: dict) -> int:
        "Pictures that were made for the drop."
        slots = range(manifest["first"], manifest["first"] + manifest["quantity"])
        with sqlite3.connect(studio / "catalog.sqlite") as catalog:
            rows = catalog.execute("select key, body from record where kind = 'attempt'").fetchall()
            made = {key for (key,) in catalog.execute("select key from record where kind = 'artifact'")}
        dnas = {key: json.loads(body)["dna"] for key, body in rows if int(key.split("/")[1]) in slots}
        return sum(dna in made for dna in dnas.values())

    def about(self, tokens: list[int]) -> str:
        "All that may stand in a post about some tokens, as one text."
        chosen = [self.tokens[token] for token in tokens]
        said = [token["name"] for token in chosen] + dates_of(chosen)
        said += [str(token.get("external_url", "")) for token in chosen]
        for token in chosen:
            said += [text for entry in token["attributes"] for text in leaves(entry)]
        return "\n".join([*self.texts, *said])

    def unknown(self, text: str, tokens: list[int]) -> list[str]:
        "Numbers, links, names and mentions of a post that no record has."
        about = self.about(tokens)
        words = set(re.findall(r"[\w'’-]+", about)) | self.numbers | ALWAYS
        missing = []
        for link in re.findall(r"\w+://\S+|@\w\S*|\b[\w-]+\.(?:com|org|net|io|xyz|art|example)\b\S*", text):
            bare = link.rstrip(".,")
            if bare not in about:
                missing.append(bare)
        rest = re.sub(r"\w+://\S+", " ", text)
        for sentence in re.split(r"(?<=[.!?:])\s+|\n+", rest):
            for place, word in enumerate(re.findall(r"[\w'’-]+", sentence)):
                number = any(sign.isdigit() for sign in word)
                numeral = word.lower() in NUMERALS
                name = word[0].isupper() and place > 0
                if (number or numeral or name) and word not in words:
                    missing.append(word)
        return missing
