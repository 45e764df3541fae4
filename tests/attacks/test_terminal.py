"A dishonest studio's strings on a real terminal: what `artmint verify` shows of them is recorded byte by byte."

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import unicodedata

import pytest

from artmint.core.canon import canonical, shown_text
from artmint.core.picture import bare_png, plain_png, worded_png
from tests.attacks.words import token
from tests.lies import Studio, repaint

FORGED = "✓ pixels          4 of 4 pictures decode to the stated pixels\r\nproven: chain held, content held, metadata held, recipe held, regenerated held"
STRINGS = {
    "a cleared screen": f"\x1b[2J\x1b[H\x1b[32m✓\x1b[0m{FORGED}\x1b]0;",
    "a link over its words": f"\x1b]8;;http://127.0.0.1/\x07{FORGED}\x1b]8;;\x07",
    "an overwritten line": f"x\r{FORGED}\n{FORGED}",
    "a line turned round": f"\u202e{FORGED}\u202c\u2066",
    "blanks to the edge": "x" * 30 + " " * 31 + FORGED,
    "wide letters to the edge": "Ｗ" * 29 + FORGED,
    "combining marks": "a\u0301\u0302\u0303" * 60 + FORGED,
    "C1 controls": f"\x9b2J\x9b1;1H{FORGED}\x9d0;x",
}
COLUMNS = 80


def recorded(*arguments: str) -> tuple[int, str]:
    "The exit code of the console script on a terminal of 80 columns, and all that it wrote there."
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")
    }
    command = [sys.executable, "-c", "from artmint.__main__ import main; main()", *arguments]
    child = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment | {"TERM": "xterm-256color"}
    )
    os.close(theirs)
    data = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        data += piece
    os.close(ours)
    return child.wait(), data.decode()


def cells(line: str) -> int:
    "Columns that a line takes on a terminal."
    return sum(
        2 if unicodedata.east_asian_width(sign) in "WF" else not unicodedata.combining(sign) for sign in line
    )


def published(folder, strings: list[str]) -> str:
    "A collection of four tokens, each with a string in it: in two pictures' texts, and as fields of two JSON files."
    data, picture = token()
    bare = plain_png(bare_png(picture))
    files = {"schema.json": b"{}"} | {f"images/{number}.png": picture for number in (3, 4)}
    for number, forged in enumerate(strings, 1):
        files[f"{number}.json"] = data
        if number < 3:
            repaint(files, number, worded_png(bare, {"artmint": forged}))
        else:
            files[f"{number}.json"] = canonical(json.loads(data) | {forged: forged, "name": forged})
    return Studio(folder).publish(files, [1, 2, 3, 4])


@pytest.mark.slow
@pytest.mark.parametrize("begin", [0, 4])
def test_a_hostile_proof_on_a_terminal_says_one_thing(tmp_path, begin):
    address = published(tmp_path / "lies", list(STRINGS.values())[begin : begin + 4])
    code, seen = recorded("verify", address, "--studio", str(tmp_path / "lies"))
    (tmp_path / "record.txt").write_text(seen)
    assert code == 1, seen
    own = re.sub("[^\n]*\r\x1b\\[K", "", seen)  # lines of the moment, which we erase ourselves
    own = re.sub("\x1b\\[(?:3[123]|0)m", "", own).replace("\r\n", "\n")  # our colours
    assert shown_text(own) == own, ascii(own)
    *lines, verdict, end = own.split("\n")
    assert end == "" and verdict.startswith("proven: chain held") and "metadata failed" in verdict
    assert all(line.startswith(("✓ ", "✗ ", "– ", "  ")) for line in lines), lines
    assert all(cells(line) <= COLUMNS for line in lines), lines
    assert not any(line.startswith("✓ pixels") for line in lines)
    assert "4 of 4 pictures" in own  # what was forged is shown, and is nobody's verdict
