"""What a fresh installation gets: the key that signs tokens, the workspace `default` and the user `admin`."""

from __future__ import annotations

import secrets as randomness
from datetime import datetime

from storage import audit, members, secrets, users, workspaces
from storage.database import Database

SIGNING_KEY = "signing_key"
FIRST_WORKSPACE = "default"
FIRST_USER = "admin"
SERVER = "server"


async def signing_secret(database: Database, configured: str | None) -> str:
    """The configured key, or the one in the database, made at the first call; the same for all who ask at once."""
