"""Logs a driver in with the token that the operator keeps in a mounted file.

Needs the path of the file, below a volume that is mounted as a folder. Refuses to
hand over a token that has expired: whoever asked is told, and asks again later.
"""

import base64
import binascii
import json
import time
from pathlib import Path

from neo4j import bearer_auth
from neo4j.auth_management import AuthManager, AuthManagers, ExpiringAuth


class NoToken(Exception):
    """There is no token to log in with, for the moment."""


def expiry(token: str) -> int:
    """The claim `exp`; Neo4j checks the signature, not this."""
    try:
        payload = token.split(".")[1]
        claims = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return int(json.loads(claims)["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        # Without the cause, which would show a part of the token.
        raise NoToken("the token is not a JWT with an expiry") from None


def token_file(path: Path, reread: float = 60) -> AuthManager:
    """An auth manager that reads `path` anew after `reread` seconds, or at the expiry."""

    last = 0

    def read() -> ExpiringAuth:
        nonlocal last
        try:
            # Opened anew each time: the kubelet puts another file in its place.
            token = path.read_text().strip()
        except OSError as error:
            raise NoToken(f"{path}: {error.strerror}") from None
        expires = expiry(token)
        now = time.time()
        if expires <= now:
            raise NoToken(f"the token in {path} has expired")
        if expires != last:
            print(f"token expires={expires}", flush=True)
            last = expires
        # Sooner than it has to be: so new groups count within a minute. Connections log
        # in anew only when the token is another.
        return ExpiringAuth(bearer_auth(token), expires_at=min(expires, now + reread))

    return AuthManagers.bearer(read)
