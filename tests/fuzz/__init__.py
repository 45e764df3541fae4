"Every gate, given what is almost right: valid inputs, changed again and again. `python -m tests.fuzz GATE SECONDS`."
