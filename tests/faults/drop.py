"A drop of pictures that don't exist: minting reads no more of a manifest than this."

from dataclasses import dataclass
from hashlib import sha256

from artmint.ipfs.cid import CID


@dataclass(frozen=True)
class Token:
    "What the contract commits of a token."

    id: int
    file_digest: str
    metadata_digest: str


@dataclass(frozen=True)
class Drop:
    "A contiguous range of tokens, with digests made from their numbers."

    quantity: int
    first: int = 1
    drop: int = 1
    collection: str = "demo"

    @property
    def root(self) -> str:
        "A CID of nothing."
        return str(CID(0x70, sha256(b"faults").digest()))

    @property
    def tokens(self) -> list[Token]:
        "Tokens from 1, in order."
        numbers = range(1, self.quantity + 1)
        return [Token(number, digest_of("image", number), digest_of("json", number)) for number in numbers]


def digest_of(kind: str, number: int) -> str:
    "A token's digest, in hex."
    return sha256(f"{kind} {number}".encode()).hexdigest()
