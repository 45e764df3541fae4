"""Write what depends on the types of events, after one was added or changed: a schema and an example for each in
artmint/data/events/, and the table and the examples of docs/events.md.

    python scripts/events.py

Examples are made from records such as a studio writes. A test says when this is due.
"""

import json
from pathlib import Path
from types import SimpleNamespace

from artmint.core.canon import canonical, digest
from artmint.service.events import EVENT_TYPES, Event, event_schema, events_of

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "artmint" / "data" / "events"
PAGE = ROOT / "docs" / "events.md"
HASH = "0x" + "5f" * 32
ADDRESS = "0x" + "C0" * 20
SENT = {
    "state": "sent",
    "hash": HASH,
    "chain_id": 8453,
    "sender": "0x" + "A1" * 20,
    "nonce": 7,
    "purpose": {"verb": "mintBatch", "collection": "demo", "drop": 1, "first": 1, "quantity": 16},
    "answer": "taken",
    "earlier": [],
    "depth": "",
}
MINED = SENT | {
    "state": "confirmed",
    "depth": "latest",
    "block": 123456,
    "gas": 182344,
    "wei": "1823440000000",
}
OF_DROP = {"collection": "demo", "drop": 1}
PROOF = {
    "address": f"8453:{ADDRESS}",
    "exit_code": 0,
    "levels": {"chain": "held", "content": "held"},
    "steps": [],
}
BROKEN = {"name": "picture", "status": "failed", "evidence": "token 3: its pixels aren't those of its recipe"}
REMEDY = {
    "name": "steps 12",
    "says": "generation.steps = 12",
    "cpfa": 0.06,
    "saving": 0.25,
    "quality": "6 of 8",
}
STAGE = {"name": "00_seeds", "seconds": 1.2, "skipped": False}
RECORDS = [  # kind, key, body, whether a run of the service wrote it
    ("run-state", "friday", {"state": "queued"}, True),
    (
        "run-state",
        "friday",
        {"state": "running", "worker": "studio-1", "claims": 1},
        True,
    ),
    ("run-state", "friday", {"state": "done", "address": f"8453:{ADDRESS}", "stages": [STAGE]}, True),
    (
        "run-state",
        "friday",
        {
            "state": "failed",
            "error": {"name": "OutOfGasMoney", "message": "The minter has 0.001 ether …", "exit_code": 1},
        },
        True,
    ),
    ("run-state", "friday", {"state": "cancelled"}, True),
    ("run-state", "friday", {"state": "paused"}, True),
    ("stage", "friday/15_generate-r2", {"seconds": 84.2, "slots": 3}, True),
    ("run-state", "friday", {"state": "waiting", "waiting": [3, 11]}, True),
    (
        "people",
        "demo/friday",
        {"state": "done", "batch": "friday", "collection": "demo", "slots": [3, 11]},
        True,
    ),
    (
        "gate",
        "demo/1-16",
        {"cpfa": 0.08, "limit": 0.075, "revenue": 0.5, "currency": "EUR", "remedies": [REMEDY]},
        True,
    ),
    (
        "drop",
        "demo/1",
        {"first": 1, "quantity": 16, "root": "bafybeihdwdcefgh4dqkjv67uzcmw7", "manifest": "5a" * 32},
        True,
    ),
    (
        "pin",
        "demo/1",
        {
            "root": "bafybeihdwdcefgh4dqkjv67uzcmw7",
            "bytes": 312000,
            "stores": [{"store": "store", "sent": True}],
        },
        True,
    ),
    ("transaction", "a", MINED | {"purpose": {"verb": "commitSealedDrop"} | OF_DROP}, True),
    ("transaction", "a", MINED | {"purpose": {"verb": "reveal"} | OF_DROP}, False),
    ("transaction", "a", SENT, True),
    ("transaction", "a", MINED, True),
    ("transaction", "a", SENT | {"state": "signed", "answer": "", "earlier": ["0x02"]}, True),
    ("transaction", "a", MINED | {"depth": "finalized"}, False),
    ("proof", "demo/1-16", PROOF, True),
    (
        "proof",
        "demo/1-16",
        PROOF | {"exit_code": 1, "levels": {"content": "failed"}, "steps": [BROKEN]},
        False,
    ),
    (
        "retrain",
        "demo",
        {
            "drop": 3,
            "since": 40,
            "noticed": 88,
            "before": 0.61,
            "below": 0.37,
            "says": "retrain: acceptance fell below 37% about candidate 40, noticed at 88",
        },
        True,
    ),
    (
        "key-refused",
        "5f3a9c0d11e2b473",
        {"key": "5f3a9c0d11e2b473", "name": "A workflow", "scope": "mint", "scopes": ["read"]},
        False,
    ),
]


def examples() -> dict[str, Event]:
    "An event of each type, by type."
    found = {}
    for number, (kind, key, body, of_a_run) in enumerate(RECORDS, 101):
        facts = {
            "id": number,
            "kind": kind,
            "key": key,
            "body": canonical(body).decode(),
            "digest": digest(body),
        }
        row = SimpleNamespace(**facts, at=1767225600.0 + number, run="friday" if of_a_run else None)
        for event in events_of(row):
            found.setdefault(event.type, event)
    return {type: found[type] for type in EVENT_TYPES}


def files() -> dict[Path, str]:
    "What is written, by its place."
    told = examples()
    written = {}
    for type in EVENT_TYPES:
        written[FOLDER / f"{type}.schema.json"] = _pretty(event_schema(type))
        written[FOLDER / f"{type}.example.json"] = _pretty(told[type].model_dump(mode="json"))
    head = PAGE.read_text(encoding="utf-8").split("<!-- types -->")[0]
    rows = [
        f"| `{type}` | {says} | {_facts(always, may)} |" for type, (says, always, may) in EVENT_TYPES.items()
    ]
    table = "\n".join(["| type | what happened | `data` |", "|---|---|---|", *rows])
    shown = [
        f"`{type}`\n\n```text\n{_pretty(told[type].model_dump(mode='json'))}```\n" for type in EVENT_TYPES
    ]
    written[PAGE] = f"{head}<!-- types -->\n{table}\n\n## An example of each\n\n" + "\n".join(shown)
    return written


def _pretty(value: dict) -> str:
    "JSON for people."
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _facts(always: str, may: str) -> str:
    "The facts of a type, those that may be missing in brackets."
    return ", ".join([*always.split(), *(f"({name})" for name in may.split())])


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    print(f"{len(EVENT_TYPES)} types of events, their examples and {PAGE.name} are written")
