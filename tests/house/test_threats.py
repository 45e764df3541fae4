"What docs/threats.md promises, tests show."

import re

from .house import ROOT


def test_every_test_that_the_threats_name_exists():
    page = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 30
    for path, name in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not name or re.search(rf"^def {name}\(", text, re.MULTILINE), f"{path}::{name}"
    rows = [
        line for line in page.split("## Gates")[1].split("## What")[0].splitlines() if line.startswith("|")
    ][2:]
    assert all("`tests/" in row for row in rows)
