"An attack, what should come of it, and what does."

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from artmint.core.canon import Refusal, shown_text
from artmint.ipfs.cid import ContentError

HARMLESS = "harmless"  # it may be taken in, and `run` holds that it does nothing


@dataclass(frozen=True)
class Attack:
    "Something that a stranger tries at a gate."

    gate: str
    name: str
    run: Callable[[Path], object]  # tries it in an empty folder; asserts what has to hold
    expected: type[BaseException] | str  # the refusal, or HARMLESS
    words: str = ""  # a regular expression that the refusal's words have to match


# What tells somebody what to do: nearly all of our refusals end in one of these.
_ADVICE = re.compile(
    r"\b(give|check|mend|correct|take|takes|name|fetch|ask|write|rename|leave|use|put|raise|choose|save|export|copy|convert|remove|install|"
    r"wait|look|begin|bring|publish|open|assign|develop|flatten|embed|spell|calls? for|expected|found again|one of|"
    r"nothing (was|of it|speaks)|make it again|lies outside|in small letters|was changed|were changed|is refused|can't be|has no|holds no|do not trust|should be)\b",
    re.IGNORECASE,
)


def fault_of_words(refusal: BaseException) -> str:
    "Why nobody can act on a refusal's words; empty: somebody can."
    words = str(refusal)
    if not isinstance(refusal, Refusal | ContentError | ValueError):
        return f"{type(refusal).__name__} is no refusal of ours: {words[:200]!a}"
    if len(words) < 20 or len(words) > 17_000:
        return f"{len(words)} characters"
    if isinstance(refusal, Refusal) and shown_text(words) != words:
        return f"control characters: {words[:200]!a}"
    if re.search(r"object at 0x|Traceback|errno|NoneType", words, re.IGNORECASE):
        return f"a program's own words: {words[:200]!a}"
    return "" if _ADVICE.search(words) else f"they say nothing to do: {words[:200]!a}"


def outcome(attack: Attack, folder: Path) -> tuple[str, str]:
    "`held`, or `further` or `unclear`, with what was seen."
    wanted = attack.expected
    try:
        attack.run(folder)
    except AssertionError as error:
        return "further", str(error)[:300]
    except Exception as error:
        if wanted == HARMLESS or not isinstance(error, wanted):
            return "unclear", f"{type(error).__name__}: {str(error)[:300]!a}"
        if attack.words and not re.search(attack.words, str(error)):
            return "unclear", f"it doesn't say {attack.words!r}: {str(error)[:300]!a}"
        fault = fault_of_words(error)
        return ("unclear", fault) if fault else ("held", "")
    if wanted == HARMLESS:
        return "held", ""
    return "further", "it was taken"
