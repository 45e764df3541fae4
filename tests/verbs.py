"Every verb of the console script, found by walking it, and how each is typed."

from typer.main import get_command

from artmint.console import cli


def walked(command, path=()) -> dict:
    "Every verb below a group, by the words that call it."
    inner = getattr(command, "commands", None)
    if inner is None:
        return {" ".join(path): command}
    return {words: verb for name, one in inner.items() for words, verb in walked(one, (*path, name)).items()}


VERBS = walked(get_command(cli.app))
GOOD = {
    "batch": "batches/tiny.toml",
    "collection": "collections/tiny",
    "x": "steps=1,2",
    "file": "a-file.txt",
    "into": "copies/one",
    "copy": "copies/none",
    "target": "embedded:0x" + "1" * 40,
    "style": "a-folder",
    "key": "a-file.txt",
    "passphrase": "ARTMINT_X",
    "source": "bundled",
    "adapter": "none",
    "to": "out.json",
    "slot": "1",
    "total": "1",
    "tokens": "1",
    "nonce": "0",
    "address": "0x" + "1" * 40,
    "files": "a-file.txt",
    "url": "https://127.0.0.1/",
    "collections": "collections/tiny",
    "picture": "picture.png",
}
# What paints for minutes, or works until it is stopped, is asked for its plan, or for one round.
BRIEFLY = {"run": "--plan", "explore": "--plan", "train": "--plan", "work": "--once"}


def typed(parameter, value: str) -> list[str]:
    "A value as it is typed: after its option, or alone."
    name = max(parameter.opts, key=len)
    return [f"{name}={value}"] if name.startswith("-") else [value]


def plainly(verb: str, changed=None, value: str = "") -> list[str]:
    "A verb with all that it needs, briefly; and with one odd value, where that is asked for."
    needed = [one for one in VERBS[verb].params if one.required]
    words = []
    for one in [*needed, *([changed] if changed and changed not in needed else [])]:
        words += typed(one, value if one is changed else GOOD.get(one.name, "n"))
    options = [word for word in words if word.startswith("--")]
    brief = [BRIEFLY[verb]] if verb in BRIEFLY else []
    return [*verb.split(), *options, *brief, "--", *(word for word in words if word not in options)]
