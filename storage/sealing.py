"""Seals small secrets for keeping at rest: AES-256-GCM under a key derived from one the operator set, or the server's.

A sealed secret is bound to what it is for, so that it cannot be moved to another row and opened there.
"""

import secrets as random
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from storage import secrets
from storage.database import Database
from storage.errors import StorageError

CREDENTIALS_KEY = "credentials_key"
_NONCE_BYTES = 12
_VERSION = b"\x01"


class WrongKey(StorageError):
    """The secret was sealed with another key, or is not as it was sealed."""


class Sealer:
    """Seals and opens with one key; `key_id` tells which, and tells nothing of it."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derive(key, b"collab-studio credentials"))
        self.key_id = _derive(key, b"collab-studio credentials key id")[:8].hex()

    def seal(self, secret: bytes, purpose: str) -> bytes:
        nonce = random.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, _VERSION + purpose.encode())

    def open(self, sealed: bytes, purpose: str, key_id: str | None = None) -> bytes:
        """The secret. `key_id` is that of the key it was sealed with. Raises WrongKey."""
        if key_id not in (None, self.key_id):
            raise WrongKey(
                f"the credentials were encrypted with the key {key_id}, and the server has the key {self.key_id}: "
                "set STUDIO_CREDENTIALS_KEY as it was before (or unset it, as it was), or enter the password anew"
            )
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            # The version is in the seal, too: changed, it does not open.
            return self._cipher.decrypt(nonce, body, sealed[:1] + purpose.encode())
        except (InvalidTag, ValueError):
            raise WrongKey("the stored credentials are damaged: enter the password anew") from None


async def open_sealer(
    database: Database, configured: str | None, generate: Callable[[], bytes] = lambda: random.token_bytes(32)
) -> Sealer:
    """With the configured key, or the one in the database, made if need be: the same for all nodes that ask."""
    if configured is not None:
        return Sealer(configured.encode())
    async with database.write() as connection:
        return Sealer(await secrets.get_or_create(connection, CREDENTIALS_KEY, generate))


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=purpose).derive(key)
