"TOML and JSON: what no person writes, what no studio means, what libraries have their own words for."

import json
from functools import partial
from pathlib import Path

from artmint.core.canon import Refusal
from tests.attacks.attack import HARMLESS, Attack

GATE = "TOML and JSON"
ROOT = Path(__file__).parents[2]
TINY = (ROOT / "tests/data/tiny/collection.toml").read_text()
BATCH = 'name = "b"\ncollection = "tiny"\nquantity = 2\nstages = ["00_seeds", "15_generate"]\n'


def _collection(text: str | bytes, folder: Path) -> None:
    from artmint.seeds import load_collection

    place = folder / "tiny"
    place.mkdir()
    (place / "collection.toml").write_bytes(
        text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    )
    load_collection(place)


def _batch(text: str | bytes, folder: Path) -> None:
    from artmint.run.batch import load_batch

    (folder / "b.toml").write_bytes(
        text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    )
    load_batch(folder / "b.toml")


LOOKS = {
    "stores": "artmint.pin:open_stores",
    "chains": "artmint.chain.networks:networks_of",
    "ceilings": "artmint.chain.networks:ceilings_of",
    "webhooks": "artmint.service.webhooks:own_networks",
    "credentials": "artmint.publish.credentials:open_identity",
    "signers": "artmint.chain.custody:custody_of",
    "rates": "artmint.studio.ledger:load_money",
    "months": "artmint.studio.ledger:load_money",
    "currency": "artmint.studio.ledger:load_money",
    "revenue_per_token": "artmint.studio.ledger:load_money",
    "catalog": "artmint.studio.files:read_settings",
    "blobs": "artmint.studio.files:read_settings",
}


def _studio(table: str, text: str, folder: Path) -> None:
    from importlib import import_module

    (folder / "studio.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    module, _, name = LOOKS[table].partition(":")
    more = {"signers": ("minter",), "catalog": ("catalog",), "blobs": ("blobs",)}.get(table, ())
    getattr(import_module(module), name)(folder, *more)


def _style(name: str, text: bytes, folder: Path) -> None:
    from artmint.train.style import load_style

    (folder / "style.toml").write_text(
        'name = "a"\ntrigger = "a"\n[rights.default]\nauthor = "a"\nlicence = "CC0-1.0"\nconsent = "a"\n'
    )
    (folder / name).write_bytes(text)
    load_style(folder, 8)


def _trainer(name: str, text: bytes, folder: Path) -> None:
    from artmint.train.settings import read_foreign

    (folder / name).write_bytes(text)
    read_foreign(folder / name)


def _json(text: bytes, folder: Path) -> None:
    from artmint.core.canon import read_json

    read_json(text)


def _published(what: str, text: bytes, folder: Path) -> None:
    from artmint.core.manifest import read_manifest
    from artmint.prove.opening import read_opening
    from artmint.publish.tokens import read_contract, read_token
    from artmint.publish.weights import read_weights

    if what == "opening":
        (folder / "o.json").write_bytes(text)
        return read_opening(folder / "o.json")
    read = {"token": read_token, "manifest": read_manifest, "page": read_contract, "weights": read_weights}
    read[what](text)


def _decisions(name: str, data: bytes, folder: Path) -> None:
    from artmint.judge.datasets import read_fiftyone, read_labelstudio
    from artmint.judge.exchange import read_csv
    from artmint.judge.sidecars import read_sidecars, read_xmp

    (folder / name).write_bytes(data)
    if name.endswith(".csv"):
        found = read_csv(name, data)
    elif name.endswith(".xmp"):
        read_xmp(name, data)
        found = read_sidecars(folder, {}, {})
    elif name == "samples.json":
        found = read_fiftyone(folder / name)
    else:
        found = read_labelstudio(folder / name)
    assert not found.statements, found.statements


HOSTILE = {  # bytes that no table is
    "brackets": b"a = " + b"[" * 9000,
    "a dotted key of 5000 steps": b"a." * 5000 + b"b = 1",
    "5 MB": b"# " + b"x" * (5 << 20),
    "a number of 5000 digits": b"a = " + b"9" * 5000,
    "a date that is none": b"a = 2026-99-99",
    "a key twice": b"a = 1\na = 2",
    "no UTF-8": b'a = "\xff\xfe"',
    "zeros": b"a = 1\0",
    "nothing that is TOML": b"<html>",
    "an open text": b'a = "',
    "an open table": b"[a",
    "UTF-16": "a = 1".encode("utf-16"),
    "a megabyte of letters": b"a" * (1 << 20),
    "a megabyte of letters and points": b"a = " + b"a." * (1 << 19),
    "a megabyte of escaped quotes": b'a = "' + b'\\"' * (1 << 19),
    "a megabyte of backslashes": b'a = "' + b"\\" * ((1 << 20) + 1),
}


def _toml() -> list[Attack]:
    found = []
    for what, data in HOSTILE.items():
        found.append(Attack(GATE, f"collection.toml: {what}", partial(_collection, data), Refusal))
        found.append(Attack(GATE, f"a batch: {what}", partial(_batch, data), Refusal))
        found.append(
            Attack(
                GATE,
                f"studio.toml: {what}",
                partial(
                    _studio,
                    "stores",
                    data.decode("latin-1")
                    if what == "zeros"
                    else data.decode("utf-8", "replace")
                    if what in ("UTF-16",)
                    else _text(data),
                ),
                Refusal,
            )
        )
        found.append(Attack(GATE, f"style.toml: {what}", partial(_style, "style.toml", data), Refusal))
        found.append(
            Attack(GATE, f"another trainer's TOML: {what}", partial(_trainer, "a.toml", data), Refusal)
        )
    numbers = (
        "supply",
        "width",
        "height",
        "steps",
        "guidance",
        "attempts",
        "rounds",
        "strength",
        "clip_skip",
    )
    values = (
        "-1",
        "0",
        "1e309",
        "nan",
        "inf",
        "9223372036854775808",
        "10000000000",
        '"7"',
        "true",
        "[1]",
        "{a = 1}",
        "2026-01-01",
        "0.5",
    )
    for name in numbers:
        for value in values:
            if (name, value) in (
                ("guidance", "0"),
                ("guidance", "0.5"),
                ("strength", "0.5"),
                ("guidance", "10000000000"),
                ("guidance", "9223372036854775808"),
            ):
                continue
            text = _with(TINY, name, value)
            found.append(
                Attack(
                    GATE,
                    f"a collection with {name} = {value}",
                    partial(_collection, text),
                    Refusal,
                    "consistent",
                )
            )
    for what, text in COLLECTIONS.items():
        found.append(Attack(GATE, f"a collection with {what}", partial(_collection, text), Refusal))
    for what, text in BATCHES.items():
        found.append(Attack(GATE, f"a batch with {what}", partial(_batch, text), Refusal))
    return found


def _text(data: bytes) -> str:
    "Bytes as a text that becomes the same bytes, as far as there is one."
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").replace("\xff", "\udcff")


def _with(text: str, name: str, value: str) -> str:
    "A collection that says something else of one name."
    lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in text.splitlines()]
    said = "\n".join(lines)
    return (
        said
        if f"{name} = {value}" in said
        else said.replace("[generation]", f"[generation]\n{name} = {value}")
    )


_HEAD, _, _REST = TINY.partition("[traits.motif]")


def _more(line: str) -> str:
    "A collection with a line before its tables."
    return f"{_HEAD}{line}\n[traits.motif]{_REST}"


COLLECTIONS = {
    "a name of a folder above": TINY.replace('name = "tiny"', 'name = "../tiny"'),
    "a name with an escape": TINY.replace('name = "tiny"', 'name = "ti\\u001b[2Jny"'),
    "another folder's name": TINY.replace('name = "tiny"', 'name = "other"'),
    "a title with a direction mark": TINY.replace('"Tiny"', '"Ti\\u202Eny"'),
    "a title of markup": TINY.replace('"Tiny"', '"<script>alert(1)</script>"'),
    "a title of nothing": TINY.replace('"Tiny"', '" "'),
    "a title of a megabyte": TINY.replace('"Tiny"', '"' + "x" * (1 << 20) + '"'),
    "an invisible letter": TINY.replace('"Tiny"', '"Ti\\u200Bny"'),
    "a template that asks Python": TINY.replace("{motif} in", "{motif.__class__} in"),
    "a template of 9000 fields": TINY.replace("{motif} in", "{motif} " * 9000),
    "a template of brackets": TINY.replace("{motif} in", "{" * 500),
    "a template that formats": TINY.replace("{motif} in", "{motif:>999999999} in"),
    "an unknown field": TINY.replace("{motif} in", "{evil} in"),
    "an unknown key": _more("evil = 1"),
    "counts that don't add up": TINY.replace("rings = 2", "rings = 200000"),
    "a count of a fraction": TINY.replace("rings = 2", "rings = 0.5"),
    "a trait with a control character": TINY.replace("rings = 2", '"ri\\u0007ngs" = 2'),
    "two values that look alike": TINY.replace("rings = 2\nwaves = 2", '"Rings" = 2\n"rings" = 2'),
    "a negative prompt with markup": _more('negative_prompts = {x = "<b>"}'),
    "a wildcard file above": _more('wildcards = {a = "../../../etc/passwd"}'),
    "a wildcard file by its whole path": _more('wildcards = {a = "/etc/passwd"}'),
    "a wildcard file that isn't there": _more('wildcards = {a = "none.txt"}'),
    "weights from a file above": _more('weights = {mood = "../../etc/passwd"}'),
    "weights that are nothing": _more("weights = {mood = {a = 0}}"),
    "weights beyond all": _more('weights = {mood = {a = "900%"}}'),
    "a palette of no colours": TINY.replace('"#6d1a1a"', '"red;url(http://127.0.0.1)"'),
    "a key among its scorers": _more(
        'scorers = [{name = "see", kind = "vision", settings = {key = "sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}]'
    ),
    "a salt that is withheld and short": _more('withheld = ["prompt"]'),
    "a person named machine": _more('people = {lead = "machine"}'),
    "a licence with a line break": TINY.replace('"CC0-1.0"', '"CC0\\n1.0"'),
    "a link with a user": _more('market = {external_link = "https://user:word@example.com/"}'),
    "a link into one's own network": _more('market = {external_link = "http://127.0.0.1/"}'),
    "a link to a script": _more('market = {external_link = "javascript:alert(1)"}'),
    "a link of junk": _more('market = {external_link = "https://[::1"}'),
    "an image above": _more('market = {image = "../../../etc/passwd.png"}'),
    "an image that isn't there": _more('market = {image = "none.png"}'),
    "an image with an escape": _more('market = {image = "a\\u001b[2J.png"}'),
    "a token's name that asks Python": _more('market = {token_name = "{title.__init__.__globals__}"}'),
    "an account that is mistyped": _more(
        'market = {collaborators = ["0x5FbDB2315678afecb367f032d93F642f64180aa4"]}'
    ),
    "a royalty above all": _more("royalty = {basis_points = 20000}"),
    "100000 rules": TINY + "\n" + '[[rules]]\nscorer = "contrast"\nmin = 2.0\nmax = 1.0\n' * 3000,
    "a rule that can't hold": TINY + '\n[[rules]]\nscorer = "contrast"\nmin = 2.0\nmax = 1.0\n',
    "an adapter's name above": _more('adapters = [{name = "../evil"}]'),
    "a digest that is none": _more('embeddings = ["zz"]'),
    "a device that is a path": _more('scorers = [{name = "see", kind = "../../evil", settings = {}}]'),
}

BATCHES = {
    "a quantity of nothing": BATCH.replace("quantity = 2", "quantity = 0"),
    "a negative quantity": BATCH.replace("quantity = 2", "quantity = -2"),
    "a quantity of 10^12": BATCH.replace("quantity = 2", "quantity = 1000000000000"),
    "a quantity of a fraction": BATCH.replace("quantity = 2", "quantity = 2.5"),
    "a quantity that is a text": BATCH.replace("quantity = 2", 'quantity = "2"'),
    "a drop of nothing": BATCH + "drop = 0\n",
    "a first slot of nothing": BATCH + "first = 0\n",
    "no stages": BATCH.replace('["00_seeds", "15_generate"]', "[]"),
    "100 000 stages": BATCH.replace('["00_seeds", "15_generate"]', json.dumps(["00_seeds"] * 100_000)),
    "a stage that is a number": BATCH.replace('["00_seeds", "15_generate"]', "[1]"),
    "an unknown key": BATCH + "evil = 1\n",
    "a name of a folder above": BATCH.replace('"b"', '"../b"'),
    "a name with an escape": BATCH.replace('"b"', '"\\u001b[2J"'),
    "a name of nothing": BATCH.replace('"b"', '""'),
    "a name of 5000 letters": BATCH.replace('"b"', '"' + "b" * 5000 + '"'),
    "a chain with a key": BATCH + 'chain = "https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef"\n',
    "a chain with a user": BATCH + 'chain = "http://user:word@host/"\n',
    "a chain with a key among two": BATCH + 'chain = "http://127.0.0.1:8545,http://host/?key=abc"\n',
    "a parameter that is a list": BATCH + "[parameters.00_seeds]\na = [1]\n",
    "a parameter that is a table": BATCH + "[parameters.00_seeds.a]\nb = 1\n",
    "parameters that are a text": BATCH + 'parameters = "x"\n',
    "a parameter of infinity": BATCH + "[parameters.00_seeds]\na = inf\n",
    "a date for a parameter": BATCH + "[parameters.00_seeds]\na = 2026-01-01\n",
    "a collection that is a number": BATCH.replace('"tiny"', "7"),
}


def _studios() -> list[Attack]:
    found = []
    wrong = ('"x"', "7", "-1", "true", "[1]", "[[1]]", "nan", "2026-01-01")
    for table in (
        "chains",
        "ceilings",
        "webhooks",
        "credentials",
        "signers",
        "catalog",
        "blobs",
        "rates",
        "stores",
    ):
        for value in wrong:
            found.append(
                Attack(
                    GATE,
                    f"studio.toml with {table} = {value}",
                    partial(_studio, table, f"{table} = {value}\n"),
                    Refusal,
                )
            )
    texts = {
        ("stores", "a store without a kind"): "[[stores]]\n",
        ("stores", "a kind that is a list"): '[[stores]]\nkind = ["kubo"]\n',
        ("stores", "an unknown kind"): '[[stores]]\nkind = "evil"\n',
        (
            "stores",
            "a store with an unknown key",
        ): '[[stores]]\nkind = "kubo"\nurl = "http://127.0.0.1:5001"\nevil = 1\n',
        ("stores", "an address that is a number"): '[[stores]]\nkind = "kubo"\nurl = 7\n',
        ("stores", "an address of junk"): '[[stores]]\nkind = "kubo"\nurl = "http://[::1"\n',
        ("stores", "a port that is none"): '[[stores]]\nkind = "kubo"\nurl = "http://127.0.0.1:99999"\n',
        ("stores", "an address of a file"): '[[stores]]\nkind = "kubo"\nurl = "file:///etc/passwd"\n',
        ("stores", "an address without a scheme"): '[[stores]]\nkind = "kubo"\nurl = "127.0.0.1:5001"\n',
        (
            "stores",
            "a user in an address",
        ): '[[stores]]\nkind = "kubo"\nurl = "http://user:word@127.0.0.1:5001"\n',
        ("stores", "a service without a gateway"): '[[stores]]\nkind = "pinata"\n',
        (
            "stores",
            "a bucket with a small part",
        ): '[[stores]]\nkind = "s3"\nbucket = "b"\nendpoint = "https://127.0.0.1"\npart = 1\n',
        ("signers", "an unknown role"): '[signers.evil]\nkind = "keystore"\n',
        ("signers", "an unknown kind of signer"): '[signers.minter]\nkind = "evil"\n',
        ("signers", "a kind of signer that is a list"): '[signers.minter]\nkind = ["keystore"]\n',
        ("signers", "a kind of signer that is a table"): "[signers.minter]\nkind = {a = 1}\n",
        (
            "signers",
            "a Safe for the minter",
        ): '[signers.minter]\nkind = "safe"\naddress = "0x5FbDB2315678afecb367f032d93F642f64180aa3"\n',
        (
            "signers",
            "a signer at a file",
        ): '[signers.minter]\nkind = "web3signer"\nurl = "file:///etc/passwd"\n',
        (
            "signers",
            "a signer that waits for nothing",
        ): '[signers.minter]\nkind = "web3signer"\nurl = "https://host"\nwait = 0\n',
        (
            "signers",
            "a signer with an unknown key",
        ): '[signers.minter]\nkind = "web3signer"\nurl = "https://host"\nevil = 1\n',
        ("signers", "a role that is a number"): "[signers]\nminter = 7\n",
        ("chains", "a chain that is a number"): "[chains]\nmine = 7\n",
        ("chains", "a chain that is another's"): "[chains.base]\nchain_id = 5\n",
        ("chains", "a negative chain"): "[chains.mine]\nchain_id = -5\n",
        ("chains", "a chain named embedded"): "[chains.embedded]\nchain_id = 5\n",
        ("ceilings", "a negative ceiling"): "[ceilings]\ntoken = -1.0\n",
        ("ceilings", "a ceiling that is none"): "[ceilings]\ntoken = nan\n",
        ("ceilings", "an infinite ceiling"): "[ceilings]\nday = inf\n",
        ("ceilings", "an unknown way out"): '[ceilings]\nabove = "steal"\n',
        ("webhooks", "networks that are a text"): '[webhooks]\nnetworks = "0.0.0.0/0"\n',
        ("webhooks", "a network that is none"): '[webhooks]\nnetworks = ["10.0.0.0/99"]\n',
        ("webhooks", "a network that is a table"): "[webhooks]\nnetworks = [{a = 1}]\n",
        ("catalog", "a password in an address"): '[catalog]\nurl = "postgresql://user:word@host/db"\n',
        ("stores", "a table that nobody knows"): "[store]\n",
    }
    found += [
        Attack(GATE, f"studio.toml: {what}", partial(_studio, table, text), Refusal)
        for (table, what), text in texts.items()
    ]
    return found


JSONS = {
    "nothing": b"",
    "two values": b"1 2",
    "a key twice": b'{"a":1,"a":2}',
    "NaN": b'{"a":NaN}',
    "infinity": b'{"a":Infinity}',
    "a number beyond all": b'{"a":1e999}',
    "a negative number beyond all": b'{"a":-1e999}',
    "a number of 5000 digits": b'{"a":' + b"9" * 5000 + b"}",
    "brackets": b"[" * 100_000,
    "tables": b'{"a":' * 100_000,
    "brackets that close": b"[" * 65 + b"]" * 65,
    "no UTF-8": b'{"a":"\xff"}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a mark before it": b'\xef\xbb\xbf{"a":1}',
    "a comma too many": b'{"a":1,}',
    "a comment": b'{"a":1} // x',
    "single quotes": b"{'a':1}",
    "a control character": b'{"a":"\x01"}',
    "an open text": b'{"a":"',
    "a page": b"<html>",
    "a megabyte of escaped quotes": b'"' + b'\\"' * (1 << 19),
    "a megabyte of quotes": b'"' * (1 << 20) + b"x",
    "a megabyte of backslashes": b'{"a":"' + b"\\" * ((1 << 20) + 1),
}


def _jsons() -> list[Attack]:
    found = [Attack(GATE, f"JSON: {what}", partial(_json, text), Refusal) for what, text in JSONS.items()]
    wrong = JSONS | {
        "a list": b"[]",
        "a text": b'"x"',
        "null": b"null",
        "an unknown field": b'{"evil":1}',
        "nothing in it": b"{}",
        "blanks": b"{ }",
        "a surrogate": b'{"a":"\\ud800"}',
    }
    for what, text in wrong.items():
        for kind in ("token", "manifest", "page", "weights", "opening"):
            found.append(Attack(GATE, f"{kind}.json: {what}", partial(_published, kind, text), Refusal))
    return found


CSV = b"slot,attempt,decision,stars,note,by,at\r\n"
SAMPLES = {
    "no samples": {"samples": 3},
    "samples of numbers": {"samples": [1]},
    "a list": [],
    "a decision that is a list": {"samples": [{"decision": [1]}]},
    "tags that are a number": {"samples": [{"tags": 5}]},
    "stars of 10^9": {"samples": [{"slot": 1, "attempt": 1, "stars": 10**9, "tags": ["accept"]}]},
    "a note of 5 MB": {"samples": [{"slot": 1, "attempt": 1, "note": "x" * (5 << 20)}]},
    "a slot that is a text": {"samples": [{"slot": "x", "attempt": 1, "tags": ["accept"]}]},
    "what was exported as a text": {"samples": [{"slot": 1, "exported": "x", "tags": ["accept"]}]},
}
TASKS = {
    "a table": {},
    "annotations of lists": [{"data": {}, "annotations": [[1]]}],
    "results of lists": [{"data": {}, "annotations": [{"result": [[1]]}]}],
    "a result that is a text": [{"data": {}, "annotations": [{"result": "x"}]}],
    "exported results without ids": [{"data": {"exported": [{"a": 1}]}, "annotations": [{"result": []}]}],
    "choices that are a table": [
        {
            "data": {},
            "annotations": [{"result": [{"from_name": "decision", "value": {"choices": {"0": "accept"}}}]}],
        }
    ],
    "ids that are lists": [
        {"data": {"exported": []}, "annotations": [{"result": [{"id": [], "value": {}}]}]}
    ],
    "nobody's data": [{"annotations": []}],
}
CALLS = {"samples.json": SAMPLES, "tasks.json": TASKS}


def _others() -> list[Attack]:
    found = []
    for name, cases in CALLS.items():
        for what, value in cases.items():
            told = what in ("no samples", "samples of numbers", "a list", "a table")
            found.append(
                Attack(
                    GATE,
                    f"{name}: {what}",
                    partial(_decisions, name, json.dumps(value).encode()),
                    Refusal if told else HARMLESS,
                )
            )
        for what, text in JSONS.items():
            if what != "a mark before it":
                found.append(Attack(GATE, f"{name}: {what}", partial(_decisions, name, text), Refusal))
    xmp = {
        "an entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "entities that multiply": b'<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>',
        "a DTD elsewhere": b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
        "no XML": b"junk",
        "an unknown encoding": b'<?xml version="1.0" encoding="evil"?><a/>',
        "20 MB": b"<a>" + b" " * (20 << 20) + b"</a>",
        "an open element": b"<a><b>",
    }
    found += [
        Attack(GATE, f"a sidecar: {what}", partial(_decisions, "1-2-abcdef012345.png.xmp", text), Refusal)
        for what, text in xmp.items()
    ]
    tables = {
        "no columns": b"",
        "unknown columns": b"a,b\r\n1,2\r\n",
        "a column twice": b"slot,slot,decision\r\n1,1,accept\r\n",
        "an open quote": CSV + b'1,1,accept,,"x',
    }
    found += [
        Attack(GATE, f"a table of decisions: {what}", partial(_decisions, "a.csv", text), Refusal)
        for what, text in tables.items()
    ]
    rows = (
        "x,1,accept,,,,",
        "1,x,accept,,,,",
        "1,1,maybe,,,,",
        "1,1,accept,99,,,",
        "1,1,accept,-1,,,",
        "1,1,accept,1e999,,,",
        "1,1,accept,,,,,,extra",
        "99999999999999999999,1,accept,,,,",
    )
    for row in rows:
        found.append(
            Attack(
                GATE,
                f"a decision {row!a}",
                partial(_decisions, "a.csv", CSV + row.encode() + b"\r\n"),
                HARMLESS,
            )
        )
    trainers = {
        "billion laughs": b"a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c]\n",
        "a list within itself": b"a: &a [*a]\n",
        "an object of Python": b"a: !!python/object/apply:os.system ['true']\n",
        "brackets": b"a: " + b"[" * 9000,
        "a date that is none": b"a: 2026-99-99\n",
        "5 MB": b"a: " + b"x" * (5 << 20),
        "no YAML": b"a: [",
        "no UTF-8": b"a: \xff\n",
        "a list": b"- 1\n",
        "nothing": b"",
        "a key that is a list": b"? [a, b]\n: 1\n",
        "two documents": b"a: 1\n---\nb: 2\n",
        "a tab": b"\ta: 1\n",
        "a number that is none": b"job: extension\nconfig:\n  process:\n  - {type: sd_trainer, train: {lr: .inf, steps: 1.5}}\n",
        "processes that are a text": b"config:\n  process: evil\n",
    }
    for what, text in trainers.items():
        found.append(
            Attack(
                GATE,
                f"another trainer's YAML: {what}",
                partial(_trainer, "a.yaml", text),
                HARMLESS if what in ("a number that is none",) else Refusal,
            )
        )
    sets = {
        "metadata.jsonl: brackets": ("metadata.jsonl", b"[" * 9000),
        "metadata.jsonl: a list": ("metadata.jsonl", b"[1]\n"),
        "metadata.csv: an open quote": ("metadata.csv", b'file_name,text\na.png,"x'),
        "a caption that is no text": ("a.txt", b"\xff\xfe\xff"),
    }
    found += [
        Attack(GATE, f"a style set, {what}", partial(_style, *given), Refusal) for what, given in sets.items()
    ]
    return found


def attacks() -> list[Attack]:
    "All of this gate."
    return _toml() + _studios() + _jsons() + _others()
