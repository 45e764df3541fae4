"""Write the schema of tokens' JSON from the models, after a field was added to them.

    python scripts/token_schema.py

The earlier forms, `token.schema.json` and `token.market.schema.json`, stay as they are: drops were published with them. A test says when this one is due.
"""

from pathlib import Path

from artmint.publish.tokens import model_schema

FILE = Path(__file__).parents[1] / "artmint" / "data" / "token.aigc.schema.json"

if __name__ == "__main__":
    FILE.write_bytes(model_schema())
    print(FILE.relative_to(Path.cwd()) if FILE.is_relative_to(Path.cwd()) else FILE)
