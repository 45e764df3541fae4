"Google's and Fireblocks' clients before a server that never comes to its end: python -m tests.chain.given_up URL FOLDER."

import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from google.cloud import kms
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceRestTransport

from artmint.chain import custody
from artmint.chain.signers import KeyServiceBusy


def google(url: str, folder: Path) -> None:
    "Ask for a public key."
    here = {"host": url.removeprefix("http://"), "url_scheme": "http", "credentials": AnonymousCredentials()}
    client = kms.KeyManagementServiceClient(transport=KeyManagementServiceRestTransport(**here))
    name = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
    custody.GoogleSigner(client, name, folder / "gcp", seconds=1)


def fireblocks(url: str, folder: Path) -> None:
    "As studio.toml names it."
    custody.KEY_SECONDS = 1.0
    custody.FireblocksSigner.__init__.__defaults__ = (2.0, 1.0)  # a minute is long for a test
    secret = rsa.generate_private_key(65537, 2048)
    pem = secret.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (folder / "keys").mkdir()
    (folder / "keys/fireblocks.key").write_bytes(pem)
    (folder / "keys/fireblocks.key").chmod(0o600)
    table = f'[signers.minter]\nkind = "fireblocks"\naccount = "0"\napi = "{url}"\n'
    (folder / "studio.toml").write_text(table)
    custody.open_signer(folder, "minter", {"FIREBLOCKS_API_KEY": "k"})


if __name__ == "__main__":
    for ask in (google, fireblocks):
        try:
            ask(sys.argv[1], Path(sys.argv[2]))
        except KeyServiceBusy as refusal:
            print(refusal)
