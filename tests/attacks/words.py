"Printed text, paths and links, keys and secrets, and what a hostile studio publishes."

import contextlib
import hashlib
import io
import json
import os
import stat
from functools import cache, partial
from pathlib import Path

from artmint.core.canon import Refusal, shown_text
from artmint.ipfs.cid import ContentError
from tests.attacks.attack import HARMLESS, Attack

TEXT, PATHS, KEYS, PROOF = "printed text", "paths and links", "keys and secrets", "proofs of a hostile studio"

# Printed text

SIGNS = [chr(number) for number in (*range(0, 9), *range(11, 32), *range(127, 160))]
SIGNS += list(
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\ufff9\ud800\udfff\U000e0001\U000e0041"
)
LINES = {
    "a cleared screen": "\x1b[2J\x1b[H✓ pixels 4 of 4",
    "a link": "\x1b]8;;http://127.0.0.1/\x07proof\x1b]8;;\x07",
    "a title": "\x1b]0;proven\x07",
    "a colour": "\x1b[32m✓\x1b[0m",
    "an overwritten line": "x\r✓ pixels",
    "a line of its own": "x\n✓ pixels          4 of 4 pictures decode to the stated pixels",
    "a line of CR and LF": "x\r\n✓ pixels 4 of 4",
    "a verdict": "x\nproven: chain held, content held",
    "a line turned round": "\u202edleh slexip ✓",
    "blanks to the edge": "x" + " " * 61 + "✓ pixels 4 of 4",
    "wide letters to the edge": "Ｗ" * 31 + "✓ pixels 4 of 4",
    "combining marks to the edge": "a\u0301" * 62 + "✓ pixels 4 of 4",
    "blanks that don't break": "x" + "\xa0" * 61 + "✓\xa0pixels\xa04\xa0of\xa04",
    "a screen's worth": "x" * 80 * 24,
    "a string that never ends": "\x1b]0;",
    "C1 controls": "\x9b2J\x9d0;x\x9c",
    "backspaces": "false\b\b\b\b\btrue",
    "markup": "<script>alert(1)</script>",
    "a template": "{{7*7}}{%for%}",
    "a format": "{0.__class__}%s%n",
    "a megabyte": "x" * (1 << 20),
}


class Told(Refusal):
    "A refusal with a stranger's word in it."

    what: str
    says = "It says {what}. Nothing was done; name another."


def _printed(text: str, folder: Path) -> None:
    "A stranger's text, everywhere where it is printed: one verdict, no character that a terminal obeys, no line of its own."
    from artmint.core.records import Finding
    from artmint.prove.proof import Proof, Step
    from artmint.run.console import console_words, hanging_text, plain_streams, print_json, show_steps

    out = io.StringIO()
    proof = Proof(f"31337:{text[:50]}", (Step("metadata", "failed", str(Finding(1, text, text, text)), 1),))
    with contextlib.redirect_stdout(out), plain_streams():
        show_steps([vars(step) for step in proof.steps])
        print(hanging_text(console_words(Told(text))[0], 80))
        print_json(proof.to_dict())
    shown = out.getvalue()
    assert shown_text(shown) == shown, "a control character"
    verdicts = [line for line in shown.splitlines() if line.startswith(("✓", "✗", "–", "proven"))]
    assert len(verdicts) == 1 and verdicts[0].startswith("✗"), verdicts
    assert len(console_words(Told(text))[0]) < 17_000, "no end"


def _folded(text: str, folder: Path) -> None:
    "On a terminal of 80 columns no line but the first begins at the left edge, and none is wider than the terminal."
    import unicodedata

    from artmint.run.console import hanging_text

    lines = hanging_text(text, 80).split("\n")
    assert all(line.startswith("  ") for line in lines[1:]), lines
    for line in lines:
        width = sum(
            2 if unicodedata.east_asian_width(sign) in "WF" else not unicodedata.combining(sign)
            for sign in line
        )
        assert width <= 78, (width, line)


def _proof_page(text: str) -> str:
    "The page of a proof that says a text wherever a stranger's text can stand."
    from artmint.prove.proof import Proof, ProofCard, Step, proof_page

    card = ProofCard(1, text, {text: text}, "0" * 64, "0" * 64, b"\x89PNG\r\n\x1a\n")
    return proof_page(Proof("31337:0x", (Step("metadata", "failed", text, 1),), (card,)), text, text)


def _paged(text: str, folder: Path) -> None:
    "A stranger's text on the page of a proof: nothing runs, no sum is worked out, and the browser's text is the same."
    page = _proof_page(text)
    assert "<script" not in page.lower() and "<svg onload" not in page
    assert "49" in text or page.count("49") == _proof_page("plain").count("49")
    page.encode()


def _texts() -> list[Attack]:
    found = [
        Attack(TEXT, f"U+{ord(sign):04X} in a finding", partial(_printed, f"a{sign}b"), HARMLESS)
        for sign in SIGNS
    ]
    for what, text in LINES.items():
        found.append(Attack(TEXT, f"{what} in a finding", partial(_printed, text), HARMLESS))
        found.append(Attack(TEXT, f"{what} on a terminal", partial(_folded, text), HARMLESS))
        if len(text) < 5000:
            found.append(Attack(TEXT, f"{what} on a page", partial(_paged, text), HARMLESS))
    return found


# Paths and links


def _media(name: str, folder: Path, make=None) -> None:
    from artmint.core.media import ANIMATIONS, PAGE_PICTURES, read_media

    place = folder / "collection"
    place.mkdir()
    (folder / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\nsecret")
    if make:
        make(place)
    read_media(place, name, PAGE_PICTURES + ANIMATIONS)


def _lines(name: str, folder: Path, make=None) -> None:
    from artmint.core.collection import _lines as read

    place = folder / "collection"
    place.mkdir()
    (folder / "secret.txt").write_text("a secret")
    if make:
        make(place)
    read(place, name)


def _kept_key(name: object, folder: Path, make=None) -> None:
    from artmint.pin import _read_key

    place = folder / "keys" / "stores"
    place.mkdir(parents=True)
    (folder / "keys" / "passphrase").write_text("CANARYKEY")
    (folder / "keys" / "passphrase").chmod(0o600)
    if make:
        make(place)
    try:
        _read_key(folder, 1, name)
    except Refusal as refusal:
        assert "CANARY" not in str(refusal), "the key is repeated"
        raise


def _backed_up(make, folder: Path) -> None:
    "A link in a studio is not followed into its copy."
    from artmint.studio.catalog import Catalog
    from artmint.studio.maintenance import backup

    studio = folder / "studio"
    Catalog(studio).close()
    (folder / "secret").write_text("CANARY")
    (studio / "runs").mkdir()
    make(studio, folder)
    with contextlib.suppress(Refusal):
        backup(studio, folder / "copy")
    for path in (folder / "copy").rglob("*"):
        assert path.is_symlink() or not path.is_file() or b"CANARY" not in path.read_bytes(), path


def _replaced(folder: Path) -> None:
    "Who holds a studio is never written through a link."
    from artmint.studio.files import hold_studio

    (folder / "victim").write_text("mine")
    (folder / "studio").mkdir()
    (folder / "studio" / "run.json").symlink_to(folder / "victim")
    with hold_studio(folder / "studio", "b"):
        pass
    assert (folder / "victim").read_text() == "mine"


def _locked(folder: Path) -> None:
    "A lock that is a link to somebody's file leaves it as it was."
    from artmint.studio.files import hold_studio

    (folder / "victim").write_text("mine")
    (folder / "studio").mkdir()
    (folder / "studio" / "run.lock").symlink_to(folder / "victim")
    with contextlib.suppress(Exception), hold_studio(folder / "studio", "b"):
        pass
    assert (folder / "victim").read_text() == "mine"


def _blob(name: str, folder: Path) -> None:
    from artmint.studio.catalog import Catalog

    (folder / "secret").write_text("CANARY")
    catalog = Catalog(folder / "studio")
    try:
        data = catalog.blob(name)
    finally:
        catalog.close()
    assert b"CANARY" not in data


ABOVE = (
    "../secret.png",
    "../../secret.png",
    "/etc/passwd.png",
    "a/../../secret.png",
    "..",
    ".",
    "",
    "~/secret.png",
    "a\0b.png",
    "a\x1b[2J.png",
    "a\nb.png",
    "C:\\secret.png",
    "..\\secret.png",
    "\udcff.png",
    "a" * 300 + ".png",
    "secret.png/",
    "file:///etc/passwd.png",
)


def _paths() -> list[Attack]:
    found = []
    for name in ABOVE:
        found.append(Attack(PATHS, f"a medium at {name[:40]!a}", partial(_media, name), ValueError))
        found.append(
            Attack(
                PATHS, f"lines of {name[:40]!a}", partial(_lines, name.replace(".png", ".txt")), ValueError
            )
        )
    links = {
        "a link above": "../secret.png",
        "a link to the system": "/etc/passwd",
        "a link to a device": "/dev/zero",
        "a link to itself": "link.png",
        "a link to nothing": "none",
    }
    for what, target in links.items():
        make = partial(_symlink, "link.png", target)
        found.append(
            Attack(PATHS, f"a medium that is {what}", partial(_media, "link.png", make=make), ValueError)
        )
        made = partial(_symlink, "link.txt", target.replace(".png", ".txt"))
        found.append(
            Attack(PATHS, f"lines that are {what}", partial(_lines, "link.txt", make=made), ValueError)
        )
        kept = partial(_symlink, "k", "../passphrase" if what == "a link above" else target)
        found.append(
            Attack(PATHS, f"a key that is {what}", partial(_kept_key, "keys/stores/k", make=kept), Refusal)
        )
    copies = {
        "a link to a file": lambda studio, folder: (studio / "runs" / "a").symlink_to(folder / "secret"),
        "a link to a folder": lambda studio, folder: (studio / "runs" / "b").symlink_to(folder),
        "a link for a whole folder": lambda studio, folder: (studio / "drops").symlink_to(folder),
        "a link to itself": lambda studio, folder: (studio / "runs" / "loop").symlink_to(studio),
        "a pipe": lambda studio, folder: os.mkfifo(studio / "runs" / "pipe"),
    }
    found += [
        Attack(PATHS, f"a studio with {what} is copied", partial(_backed_up, make), HARMLESS)
        for what, make in copies.items()
    ]
    found += [
        Attack(PATHS, "a holder's file that is a link", _replaced, HARMLESS),
        Attack(PATHS, "a lock that is a link", _locked, HARMLESS),
    ]
    for name in (
        "../../secret",
        "/etc/passwd",
        "..",
        "",
        "0" * 29,
        "0" * 30 + "1" * 35,
        "z" * 64,
        "00/../../secret",
        "0" * 64,
    ):
        found.append(Attack(PATHS, f"a blob named {name[-40:]!a}", partial(_blob, name), Refusal))
    return found


def _symlink(name: str, target: str, place: Path) -> None:
    (place / name).symlink_to(target)


# Keys and secrets


def _file_key(data: bytes, mode: int, folder: Path) -> None:
    _kept_key("keys/stores/k", folder, make=partial(_written, data, mode))


def _written(data: bytes, mode: int, place: Path) -> None:
    (place / "k").write_bytes(data)
    (place / "k").chmod(mode)


def _sealed_request(key: str, folder: Path) -> None:
    from artmint.ipfs.http import Request, request
    from tests.attacks.wire import raw_server, saying

    with raw_server(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
        try:
            request(Request(f"{server.url}/x", headers={"Authorization": f"Bearer {key}"}, seconds=2))
        except Refusal as refusal:
            assert "CANARY" not in str(refusal), "the key is repeated"
            raise


def _on_sheet(address: str, folder: Path) -> None:
    "An address with a key is on nothing that is handed on."
    from artmint.prove.proof import Proof, proof_page

    proof = Proof(f"{address}:0x5FbDB2315678afecb367f032d93F642f64180aa3", ())
    told = proof_page(proof) + json.dumps(proof.to_dict()) + proof.text()
    assert "CANARY" not in told


def _typed(arguments: list[str], folder: Path) -> None:
    "A secret among a command's arguments is refused, and not repeated."
    import typer
    from typer.testing import CliRunner

    from artmint.run.commands import approve

    app = typer.Typer()
    app.command()(approve)
    for name in ("batch.toml", "key.json"):
        (folder / name).write_text("")
    said = CliRunner().invoke(
        app, [str(folder / "batch.toml"), "--key", str(folder / "key.json"), *arguments]
    )
    assert isinstance(said.exception, Refusal) and "CANARY" not in said.output + str(said.exception), (
        said.output
    )
    raise said.exception


def _made(what: str, folder: Path) -> None:
    "What is made of secrets can be read by its owner alone."
    from artmint.chain.signers import local_passphrase, new_keystore
    from artmint.studio.web import kept_token

    path = folder / "keys" / "a"
    path.parent.mkdir(mode=0o700)
    {
        "token": kept_token,
        "passphrase": local_passphrase,
        "keystore": lambda path: new_keystore(path, "CANARY", 2**10),
    }[what](path)
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    assert b"CANARY" not in path.read_bytes()


def _opened(data: bytes, folder: Path) -> None:
    from artmint.chain.signers import KeystoreSigner

    (folder / "key.json").write_bytes(data)
    (folder / "key.json").chmod(0o600)
    KeystoreSigner(folder / "key.json", "CANARY")


def _keys() -> list[Attack]:
    found = []
    files = {
        "nothing": b"",
        "blanks": b"  \n",
        "two lines": b"CANARYKEY\nCANARYTWO",
        "three lines as Pinata shows them": b"API Key: CANARY\nAPI Secret: CANARY\nJWT: CANARY",
        "a blank inside": b"CANARY KEY",
        "a zero": b"CANARY\0",
        "no ASCII": "CANARYü".encode(),
        "no UTF-8": b"CANARY\xff",
        "a carriage return": b"CANARY\rX: y",
        "a header more": b"CANARY\r\nHost: evil",
        "a megabyte": b"CANARY" * 200_000,
        "an escape": b"CANARY\x1b[2J",
        "JSON": b'{"key": "CANARY"}',
    }
    for what, data in files.items():
        if what not in ("JSON",):
            found.append(Attack(KEYS, f"a key's file of {what}", partial(_file_key, data, 0o600), Refusal))
    for mode in (0o644, 0o640, 0o604, 0o660, 0o666, 0o777):
        found.append(
            Attack(
                KEYS,
                f"a key's file with mode {mode:o}",
                partial(_file_key, b"CANARYKEY", mode),
                Refusal,
                "chmod",
            )
        )
    for name in (
        "CANARYKEY",
        "sk-CANARY",
        "keys/passphrase",
        "../keys/passphrase",
        "keys/stores/../passphrase",
        "/etc/passwd",
        "keys/admin.json",
        "keys/stores/",
        "keys/stores/.hidden/..",
        "",
        7,
        ["a"],
        {"a": 1},
        True,
        "keys/stores/\x1b[2J",
        "keys/stores/a\nb",
    ):
        found.append(Attack(KEYS, f"key = {name!a}", partial(_kept_key, name), Refusal))
    for key in (
        "CANARY\r\nX: y",
        "CANARY\n",
        "CANARY\x00",
        "CANARYü€",
        "CANARY\x7f\r",
        "\rCANARY",
        "CANARY\r",
        "日本CANARY",
    ):
        found.append(Attack(KEYS, f"a key {key!a} in a header", partial(_sealed_request, key), Refusal))
    for address in (
        "http://user:CANARY@host",
        "https://host/v3/CANARY0123456789",
        "https://host/?key=CANARY",
        "https://CANARY@host/x",
        "https://host/CANARY",
        "http://[::1]:8545/CANARY",
        "https://user:CANARY@[::1",
        "https://host:CANARY/",
        "https://host#CANARY",
    ):
        found.append(Attack(KEYS, f"a node at {address} on a sheet", partial(_on_sheet, address), HARMLESS))
    for words in (["--passphrase", "CANARY"], ["--passphrase=CANARY"]):
        found.append(
            Attack(
                KEYS,
                f"{words[0].split('=')[0]} among arguments, {len(words)} words",
                partial(_typed, words),
                Refusal,
                "list of processes",
            )
        )
    for what in ("token", "passphrase", "keystore"):
        found.append(Attack(KEYS, f"a {what} that others could read", partial(_made, what), HARMLESS))
    stores = {
        "nothing": b"",
        "no JSON": b"{",
        "a list": b"[]",
        "brackets": b"[" * 9000,
        "no cipher": b'{"address": "0x00"}',
        "no UTF-8": b"\xff",
        "numbers": b'{"crypto": 5, "version": 3}',
        "a page": b"<html>",
        "an old version": b'{"version": 1, "crypto": {}}',
    }
    for what, data in stores.items():
        found.append(Attack(KEYS, f"a keystore of {what}", partial(_opened, data), Refusal))
    return found


# Proofs


@cache
def token() -> tuple[bytes, bytes]:
    "A token's JSON and picture, as they are published."
    from tests.fuzz.gates import token_files

    return token_files()[:2]


def _proven(change, folder: Path) -> None:
    "A token that says something else than it is: a finding says so, and nothing that is printed obeys it."
    from artmint.ipfs.car import open_car, write_car
    from artmint.ipfs.sources import Sources
    from artmint.prove.evidence import Archive, ChainDrop, _paths
    from artmint.prove.tokens import check_credentials, check_marks, check_token_files, check_tokens

    files = change({"1.json": token()[0], "images": {"1.png": token()[1]}})
    try:
        built = write_car(folder / "a.car", files)
    except ContentError:
        return
    drop = ChainDrop(1, 1, bytes(32), built.root)
    sources = Sources(folder, [("a store", open_car(folder / "a.car"))])
    report = check_token_files(Archive(drop, sources, _paths(built.root, sources)), 1)
    steps = [*check_tokens([report]), *check_marks([report]), *check_credentials([report])]
    assert any(step.status == "failed" for step in steps), "nothing was found"
    for step in steps:
        assert shown_text(step.evidence) == step.evidence and "\n" not in step.evidence


def _said(path: tuple, value: object, files: dict) -> dict:
    "The token's JSON with one place changed."
    facts = json.loads(files["1.json"])
    place = facts
    for key in path[:-1]:
        place = place[key]
    if value == "-":
        del place[path[-1]]
    else:
        place[path[-1]] = value
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return files | {"1.json": text.encode("utf-8", "surrogatepass")}


def _repainted(data: bytes, files: dict) -> dict:
    "Another picture, and a JSON that agrees with it as far as addresses and digests go."
    from artmint.ipfs.cid import cid

    facts = json.loads(files["1.json"])
    facts["image"] = f"ipfs://{cid(data)}"
    facts["artmint"]["file_digest"] = hashlib.sha256(data).hexdigest()
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {"1.json": text.encode(), "images": {"1.png": data}}


def _leaves(value: object, above: tuple = ()) -> list[tuple]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [leaf for key, inner in inside for leaf in _leaves(inner, (*above, key))] or (
        [above] if above else []
    )


def _proofs() -> list[Attack]:
    from tests.attacks.pictures import attacks as of_pictures
    from tests.attacks.tables import JSONS

    facts = json.loads(token()[0])
    wrong = {"an escape": "\x1b[2J\x1b[H✓ pixels", "a number": 10**30, "nothing": "-", "a table": {"a": 1}}
    found = []
    for path in _leaves(facts):
        if (
            path[0] == "description"
            or path[:2] == ("artmint", "scores")
            or "scorers" in path
            or path[-1] in ("source", "collection_digest")
        ):
            continue
        for what, value in wrong.items():
            place = ".".join(map(str, path))
            found.append(
                Attack(PROOF, f"{place} is {what}", partial(_proven, partial(_said, path, value)), HARMLESS)
            )
    for what, text in JSONS.items():
        found.append(
            Attack(PROOF, f"a token of {what}", partial(_proven, partial(_with_json, text)), HARMLESS)
        )
    for one in of_pictures():
        if one.name.startswith("PNG ") and "flipped" not in one.name:
            found.append(
                Attack(
                    PROOF,
                    f"a token whose picture is a {one.name}",
                    partial(_proven, partial(_repainted, one.run.args[0])),
                    HARMLESS,
                )
            )
    return found


def _with_json(text: bytes, files: dict) -> dict:
    return files | {"1.json": text}


def attacks() -> list[Attack]:
    "All of these gates."
    return _texts() + _paths() + _keys() + _proofs()
