"Drawings: the vocabulary, and the same picture for the same words."

from artmint.core.collection import example
from artmint.seeds import load_collection

DEMO = example()


def test_the_demo_speaks_the_vocabulary_of_the_drawings():
    from artmint.train import drawings

    demo = load_collection(DEMO)
    assert demo.template in drawings.CAPTIONS
    assert set(demo.traits["motif"]) == set(drawings.MOTIFS)
    assert {name: demo.palettes[name] for name in demo.traits["palette"]}.items() <= drawings.PALETTES.items()
    assert {name: demo.palettes[name] for name in drawings.GROUNDS} == {
        name: (colour,) for name, colour in drawings.GROUNDS.items()
    }
