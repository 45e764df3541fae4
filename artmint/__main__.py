"The console script: `artmint`, and `python -m artmint` where the folder of scripts isn't on the PATH."

import gc
import json
import signal
import sys

STOPPED = "Stopped while it was loading. Nothing was done."


def _report_stop(given: list[str]) -> None:
    "Say so as every stop is said: in words, in one JSON document, or in the last of a run's lines."
    facts = {"error": "StoppedByHand", "message": STOPPED, "exit_code": 130}
    if "--json" not in given:
        print(f"artmint: {STOPPED}", file=sys.stderr)
    elif given[:1] == ["run"]:
        print(json.dumps({"event": "end", **facts}))
    else:
        print(json.dumps(facts, indent=2))


def main() -> None:
    "Load the commands, a second's work that may be stopped too, and obey. Ends with one of the documented codes."
    gc.set_threshold(10_000, 20, 20)  # a fifth of loading torch was the search for garbage among what stays
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        from artmint.console.cli import main as console
    except KeyboardInterrupt:
        _report_stop(sys.argv[1:])
        sys.exit(130)
    try:
        console()
    finally:
        gc.freeze()  # the interpreter looks once more as it ends, which took two seconds with torch in it


if __name__ == "__main__":  # whatever imports every module of the package starts nothing
    main()
