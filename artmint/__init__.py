"""From a prompt to a proven token.

The verbs of the line, handed on when they are first asked for, so that `import artmint` loads nothing else.
A chapter's module is handed on by its name, for where verb and chapter share one: `artmint.mint.mint(...)`,
`artmint.verify.verify(...)`, `artmint.lora_train.train(...)`, `artmint.pin.publish(...)`.
"""

from importlib import import_module

VERBS = {
    "Recipe": "core.records",
    "load_collection": "seeds",
    "allocate": "seeds",
    "recipes": "seeds",
    "Catalog": "studio.catalog",
    "load_base": "make.base",
    "load_judge": "make.base",
    "render": "make.render",
    "load_style": "train.style",
    "choose": "curate",
    "pack": "metadata",
    "load_batch": "run.batch",
    "run_batch": "run.runner",
}
CHAPTERS = (
    "seeds",
    "lora_train",
    "explore",
    "generate",
    "evaluate",
    "curate",
    "review",
    "metadata",
    "pin",
    "mint",
    "reveal",
    "verify",
    "metrics",
    "gate",
)
__all__ = ["__version__", *CHAPTERS, *VERBS]


def __getattr__(name: str):
    "A verb, a chapter's module, or the version (PEP 562). Raises AttributeError."
    if name == "__version__":
        from importlib.metadata import version

        return version("artmint")
    if name in CHAPTERS:
        return import_module(f"artmint.{name}")
    if name in VERBS:
        return getattr(import_module(f"artmint.{VERBS[name]}"), name)
    raise AttributeError(f"module 'artmint' has no attribute {name!r}; it hands on {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
