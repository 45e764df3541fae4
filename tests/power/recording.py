"""What an act writes, call by call, and what a disk holds after a power cut.

The model is the strictest that POSIX allows: a file's bytes are those of its last fsync, a folder's entries those of the folder's
last fsync, and whatever was written since is gone. Real file systems keep more.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .act import ACKNOWLEDGED

CALLS = "openat,close,write,pwrite64,writev,pwritev,lseek,ftruncate,fsync,fdatasync,dup,dup2,dup3,fcntl"
CALLS += ",clone,clone3,fork,vfork,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir,mkdirat,rmdir,sendfile,copy_file_range"
_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_HALF = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_REST = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_FORK = re.compile(r"^\d+ +(?:<\.\.\. )?(?:clone3?|v?fork)(?:\(| resumed>)(.*) = (\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Call:
    "One call of the system that succeeded."

    name: str
    words: tuple[str, ...]  # arguments that aren't texts
    texts: tuple[bytes, ...]
    result: int


def _other_processes(lines: list[str]) -> set[str]:
    "Processes that were started meanwhile; threads aren't any. Their files are their own."
    begun = {line.split(maxsplit=1)[0]: line for line in lines if "clone" in line and "<unfinished" in line}
    others = set()
    for line in lines:
        if fork := _FORK.match(line):
            words = begun.get(line.split(maxsplit=1)[0], "") if "resumed" in line else line
            if "CLONE_THREAD" not in words + fork[1]:
                others.add(fork[2])
    return others


def _calls(lines: list[str]) -> list[Call]:
    "Calls that succeeded, in the order in which they ended."
    halves: dict[tuple[str, str], str] = {}
    calls = []
    others = _other_processes(lines)
    for line in lines:
        if line.split(maxsplit=1)[0] in others:
            continue
        if half := _HALF.match(line):
            halves[half[1], half[2]] = half[3]
            continue
        if rest := _REST.match(line):
            line = f"{rest[1]} {rest[2]}({halves.pop((rest[1], rest[2]), '')}{rest[3]}"
        if (whole := _CALL.match(line)) and int(whole[3]) >= 0:
            texts = tuple(bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(whole[2]))
            words = tuple(word.strip() for word in _TEXT.sub("", whole[2]).split(","))
            calls.append(Call(whole[1], words, texts, int(whole[3])))
    return calls


def record_calls(program: list[str], log: Path) -> list[Call]:
    "Run a program under strace."
    traced = ["strace", "-f", "-xx", "-s", str(1 << 28), "-e", f"trace={CALLS}", "-o", str(log)]
    done = subprocess.run([*traced, sys.executable, *program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return _calls(log.read_text().splitlines())


@dataclass
class File:
    "A file as programs see it, and as a power cut leaves it."

    data: bytearray = field(default_factory=bytearray)
    forced: bytes = b""


@dataclass
class Folder:
    "The same for a folder."

    entries: dict[str, "File | Folder"] = field(default_factory=dict)
    forced: dict[str, "File | Folder"] = field(default_factory=dict)

    def write(self, place: Path) -> None:
        "What a power cut leaves, on a real disk."
        place.mkdir(exist_ok=True)
        for name, entry in self.forced.items():
            if isinstance(entry, Folder):
                entry.write(place / name)
            else:
                (place / name).write_bytes(entry.forced)


class Disk:
    "A folder's content, moved on call by call."

    def __init__(self, root: Path):
        self.root = Path(os.path.abspath(root))
        self.top = Folder()
        self.open: dict[int, tuple[File | Folder, int, bool]] = {}  # file, position, whether it appends
        self.kept: list[str] = []  # what callers were told

    def _place(self, path: bytes) -> tuple[Folder, str] | None:
        "The folder that a path's last name is in; None: it lies elsewhere."
        whole = Path(os.path.abspath(path.decode()))
        if not whole.is_relative_to(self.root) or whole == self.root:
            return None
        folder = self.top
        for name in whole.relative_to(self.root).parts[:-1]:
            folder = folder.entries[name]
        return folder, whole.name

    def apply(self, call: Call) -> bool:
        "Move on; whether the call has anything to do with the folder."
        act = getattr(self, f"_{call.name}", None)
        return bool(act and act(call))

    def _openat(self, call: Call) -> bool:
        self.open.pop(call.result, None)
        if os.path.abspath(call.texts[0].decode()) == str(self.root):
            self.open[call.result] = self.top, 0, False
            return False
        if (place := self._place(call.texts[0])) is None:
            return False
        folder, name = place
        flags = call.words[2]
        entry = folder.entries.setdefault(name, File()) if "O_CREAT" in flags else folder.entries[name]
        if "O_TRUNC" in flags:
            entry.data = bytearray()
        self.open[call.result] = entry, 0, "O_APPEND" in flags
        return "O_CREAT" in flags or "O_TRUNC" in flags

    def _close(self, call: Call) -> bool:
        self.open.pop(int(call.words[0]), None)
        return False

    def _lseek(self, call: Call) -> bool:
        number = int(call.words[0])
        if number in self.open:
            self.open[number] = self.open[number][0], call.result, self.open[number][2]
        return False

    def _put(self, number: int, at: int, data: bytes) -> None:
        file = self.open[number][0]
        file.data.extend(bytes(max(at - len(file.data), 0)))
        file.data[at : at + len(data)] = data

    def _write(self, call: Call) -> bool:
        "At once or in parts."
        number = int(call.words[0])
        data = b"".join(call.texts)[: call.result]
        if number == 1:
            words = data.decode(errors="replace").splitlines()
            self.kept += [line.removeprefix(ACKNOWLEDGED) for line in words if line.startswith(ACKNOWLEDGED)]
        if number not in self.open:
            return False
        file, position, appends = self.open[number]
        at = len(file.data) if appends else position
        self._put(number, at, data)
        self.open[number] = file, at + call.result, appends
        return True

    _writev = _write

    def _pwrite64(self, call: Call) -> bool:
        if int(call.words[0]) not in self.open:
            return False
        self._put(int(call.words[0]), int(call.words[-1]), call.texts[0][: call.result])
        return True

    def _ftruncate(self, call: Call) -> bool:
        number, size = int(call.words[0]), int(call.words[1])
        if number not in self.open:
            return False
        data = self.open[number][0].data
        data[:] = data[:size] + bytes(max(size - len(data), 0))
        return True

    def _fsync(self, call: Call) -> bool:
        entry = self.open.get(int(call.words[0]), (None,))[0]
        if isinstance(entry, Folder):
            entry.forced = dict(entry.entries)
        elif entry is not None:
            entry.forced = bytes(entry.data)
        return entry is not None

    _fdatasync = _fsync

    def _rename(self, call: Call) -> bool:
        if (new := self._place(call.texts[1])) is None:
            return False
        old = self._place(call.texts[0])
        new[0].entries[new[1]] = old[0].entries.pop(old[1])
        return True

    _renameat = _renameat2 = _rename

    def _link(self, call: Call) -> bool:
        if (new := self._place(call.texts[1])) is None:
            return False
        old = self._place(call.texts[0])
        new[0].entries[new[1]] = old[0].entries[old[1]]
        return True

    _linkat = _link

    def _unlink(self, call: Call) -> bool:
        if (place := self._place(call.texts[0])) is None:
            return False
        place[0].entries.pop(place[1])
        return True

    _unlinkat = _rmdir = _unlink

    def _mkdir(self, call: Call) -> bool:
        if (place := self._place(call.texts[0])) is None:
            return False
        place[0].entries[place[1]] = Folder()
        return True

    _mkdirat = _mkdir

    def _elsewhere(self, call: Call) -> bool:
        "Calls that the model doesn't know may not touch the folder."
        numbers = [int(word) for word in call.words[:2] if word.isdecimal()]
        assert not self.open.keys() & set(numbers), call
        return False

    def _sendfile(self, call: Call) -> bool:
        target, source = int(call.words[0]), int(call.words[1])
        if target not in self.open:
            return False
        file, position, appends = self.open[target]
        held, at, mode = self.open[source]
        start = at if call.words[2] == "NULL" else int(call.words[2].strip("[]").split()[0])
        self._put(target, position, bytes(held.data[start : start + call.result]))
        self.open[target] = file, position + call.result, appends
        return call.result > 0

    _pwritev = _copy_file_range = _elsewhere
