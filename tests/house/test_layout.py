"Nineteen chapters on the street, folders behind them, and imports that go one way."

import ast
import collections

from .house import CHAPTERS, MODULES, NOTEBOOKS, ROOT, defined, each, imports_of, module_of, tree_of

FOLDERS = (
    "core studio ipfs make train judge publish chain onchain deliver prove report run service console".split()
)
STREET = """00_seeds 10_lora_train 12_explore 15_generate 18_evaluate 20_curate 22_review
25_metadata 27_pin 30_mint 31_reveal 32_sale 35_verify 36_attest 37_drawn 40_metrics 42_gate
60_serve 65_posts""".split()
# A chapter is the face of a folder; 00_seeds stands between studio and make.
FACE = {
    "seeds": "studio",
    "lora_train": "train",
    "explore": "judge",
    "generate": "make",
    "evaluate": "judge",
    "curate": "judge",
    "review": "judge",
    "metadata": "publish",
    "pin": "publish",
    "mint": "chain",
    "reveal": "chain",
    "sale": "deliver",
    "verify": "prove",
    "attest": "prove",
    "drawn": "onchain",
    "metrics": "report",
    "gate": "report",
    "serve": "service",
    "posts": "report",
}
ROOMS = """core: allocation canon collection containers films formats graphs infotexts inscriptions intake manifest market media origins picture records texts
studio: blobs catalog columns editions files ledger maintenance repair team thumbnails web
ipfs: arweave car cid health http services sources stores
make: a1111 adapters base comfyui comparison control embeddings engine engines generators graphs ip_adapters judges layouts listening merging prompts regions render rounds schedulers tracing upscalers workflows
train: drawings examples families settings style
judge: arrivals boards checks curator datasets decisions duplicates exchange heads imports pixels plugins predictors prune scores sheets sidecars thresholds tuning vision
publish: approve audit credentials films marks placeholder renditions tokens waves weights
chain: admin connect contract controls custody deployments eas embedded journal networks preflight rebuild safe salts signers stuck transaction
prove: attestations collection drawn evidence gates opening proof regenerate tokens verifiers
report: accounts approvals bluesky drafts exports facts lint listings mastodon outcomes page postboard preview sending signal voices wording
run: admin airdrops attest batch commands console distil erc7007 exchange executors films gates health imports journals kernels lots models networks obstacles offers posts preview reveal runner sales sample sweep team training transactions tuning workers
onchain: distil model network painter
deliver: airdrop claim lots recipients seaport terms
service: access agents answers api door events finality gauges keys page problems queue reading runs webhooks work writing
console: cli engines keys runs serving webhooks"""


def place(module: str) -> float:
    "Where a module stands in the order of the folders."
    if module == "seeds":
        return FOLDERS.index("studio") + 0.5
    return FOLDERS.index(FACE.get(module) or module.split(".")[0])


def test_the_street_has_its_chapters():
    assert CHAPTERS == STREET


def test_the_folders_hold_what_the_plan_says():
    "A new room is written into the listing here: it needs a chapter, or three rooms that import it."
    listing = {}
    for name in NOTEBOOKS:
        if "/" in name:
            folder, room = name.split("/")
            listing.setdefault(folder, []).append(room)
    planned = dict(line.split(": ") for line in ROOMS.splitlines())
    assert {folder: " ".join(sorted(rooms)) for folder, rooms in listing.items()} == planned


def test_the_package_is_the_same_tree():
    assert set(MODULES) == {module_of(name) for name in NOTEBOOKS}


def test_imports_go_within_a_folder_or_to_an_earlier_one():
    back = [
        f"{module} imports {other}"
        for module in MODULES
        for other, _ in imports_of(module)
        if other in MODULES and place(other) > place(module)
    ]
    assert back == []


def test_no_room_imports_itself_through_others():
    "No circle, imports inside of functions included."
    arrows = {module: {other for other, _ in imports_of(module)} - {module} for module in MODULES}
    while arrows:
        leaves = [module for module, others in arrows.items() if not others & set(arrows)]
        assert leaves, f"a circle among {sorted(arrows)}"
        for leaf in leaves:
            del arrows[leaf]


def test_names_are_imported_from_where_they_are_defined():
    "No re-exports, and nothing private crosses a wall."
    wrong = []
    for module in MODULES:
        for other, name in imports_of(module):
            if other not in MODULES:
                wrong.append(f"{module} imports {name} from {other or 'artmint'}, which is no room")
            elif name and name not in defined(other):
                wrong.append(f"{module} imports {name} from {other}, which doesn't define it")
            elif name.startswith("_"):
                wrong.append(f"{module} imports the private {name} of {other}")
    assert wrong == []


@each(NOTEBOOKS)
def test_nothing_is_re_exported(notebook):
    from .house import code_of, exported

    assert not [cell for cell in code_of(notebook) if exported(cell) and "_all_" in cell.source]


def test_a_public_name_means_one_thing():
    "A command of the console may be called as the function that it calls."
    commands = {"run.commands", "console.cli"}
    homes = collections.defaultdict(list)
    for module in MODULES:
        if module not in commands:
            for name in set(defined(module)):
                homes[name].append(module)
    public = {name: rooms for name, rooms in homes.items() if not name.startswith("_")}
    assert {name: rooms for name, rooms in public.items() if len(rooms) > 1} == {}


def test_a_module_defines_a_name_once():
    "The second definition would win without a word."
    twice = {}
    for module, path in MODULES.items():
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        names = collections.Counter(node.name for node in tree_of(path).body if isinstance(node, kinds))
        if again := [name for name, count in names.items() if count > 1]:
            twice[module] = again
    assert twice == {}


def test_no_room_is_a_crumb():
    "A room under 80 lines of code has three rooms that import it."
    users = collections.defaultdict(set)
    for module in MODULES:
        for other, _ in imports_of(module):
            users[other].add(module)
    crumbs = []
    for module, path in MODULES.items():
        lines = sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())
        if "." in module and lines < 80 and len(users[module]) < 3:
            crumbs.append(f"{module}: {lines} lines, imported by {sorted(users[module])}")
    assert crumbs == []


def home_of_tests(module: str) -> str:
    "Where a room's or a chapter's tests lie: `chain.journal` has tests/chain/test_journal.py."
    *folder, name = module.split(".")
    return "/".join(["tests", *folder, f"test_{name}.py"])


UNTESTED: dict[str, str] = {}  # a module without tests of its own, and why


def test_every_room_has_its_tests():
    "What crosses rooms lies in tests/line/. A file without a test is none."
    missing = set()
    for module in MODULES:
        path = ROOT / home_of_tests(module)
        names = [getattr(node, "name", "") for node in tree_of(path).body] if path.exists() else []
        if not any(name.startswith("test_") for name in names):
            missing.add(module)
    assert missing == set(UNTESTED)


def test_no_test_file_imports_from_another():
    "What several build on is a fixture in a conftest.py, or stands in a module beside the folders."
    wrong = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom) and ".test_" in f".{node.module}":
                wrong.append(f"{path.relative_to(ROOT)} imports from {node.module}")
    assert wrong == []
