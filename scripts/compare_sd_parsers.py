"""What sd-parsers, an independent reader, says of the pictures of tests/elsewhere.py: kept in tests/data/sd_parsers.json.

Run it where both can be imported: `pip install --target /tmp/sd sd-parsers==0.6`, then
`PYTHONPATH=.:/tmp/sd python scripts/compare_sd_parsers.py`. artmint doesn't need sd-parsers."""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.elsewhere import CASES, ending_of  # noqa: E402


def answer(path: Path) -> dict | None:
    "What sd-parsers says of a file; none: it doesn't know it."
    from sd_parsers import ParserManager

    try:
        info = ParserManager().parse(path)
    except Exception:  # an answer as well: it can't read this one
        return None
    if info is None or not info.samplers:
        return None
    sampler = info.samplers[0]
    seed = sampler.parameters.get("seed")
    models = sorted(str(model.name) for model in info.models if model.name)
    return {
        "prompts": sorted({prompt.value for prompt in info.prompts}),
        "negative": sorted({prompt.value for prompt in info.negative_prompts}),
        "sampler": sampler.name,
        "seed": None if seed is None else str(seed),
        "model": models[0] if models else "",
    }


answers = {}
with tempfile.TemporaryDirectory() as folder:
    for case in CASES:
        path = Path(folder) / f"{case.name}{ending_of(case)}"
        path.write_bytes(case.data())
        if found := answer(path):
            answers[case.name] = found
place = Path(__file__).parents[1] / "tests" / "data" / "sd_parsers.json"
place.write_text(json.dumps(answers, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
print(f"{len(answers)} of {len(CASES)} files are known to sd-parsers: {place}")
