"""Logs a driver in with tokens that the program asks Okta for by itself.

Needs the credentials Secret, mounted as a folder, and PyJWT for `private_key_jwt`.
Refuses to keep what is in the folder: a rotation is seen at the next token.
"""

import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path

import jwt
from neo4j import bearer_auth
from neo4j.auth_management import AuthManager, AuthManagers, ExpiringAuth

from token_file import NoToken, expiry

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def client_credentials(folder: Path, margin: float = 30) -> AuthManager:
    """An auth manager that asks for a token `margin` seconds before each expiry."""

    def mint() -> ExpiringAuth:
        token = ask(folder)
        expires = expiry(token)
        print(f"token expires={expires}", flush=True)
        return ExpiringAuth(bearer_auth(token), expires_at=expires - margin)

    return AuthManagers.bearer(mint)


def ask(folder: Path) -> str:
    """One token from Okta."""
    try:
        endpoint = (folder / "token_endpoint").read_text()
        headers, form = authenticated(folder, endpoint)
        form |= {
            "grant_type": "client_credentials",
            "scope": (folder / "scope").read_text(),
        }
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(endpoint, body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["access_token"]
    except urllib.error.HTTPError as error:
        # 429 is Okta's rate limit; 401 may last a moment after a rotation.
        raise NoToken(f"Okta answered {error.code}") from None
    except (OSError, KeyError, ValueError, jwt.PyJWTError) as error:
        raise NoToken(f"no token from Okta: {type(error).__name__}") from None


def authenticated(folder: Path, endpoint: str) -> tuple[dict, dict]:
    """The headers and form fields that show Okta who asks."""
    client_id = (folder / "client_id").read_text()
    if (folder / "token_endpoint_auth_method").read_text() == "private_key_jwt":
        now = int(time.time())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": endpoint,
            "iat": now,
            "exp": now + 300,
            "jti": str(uuid.uuid4()),
        }
        key = jwt.PyJWK.from_json((folder / "private_key_jwk").read_text())
        assertion = jwt.encode(claims, key, key.algorithm_name, {"kid": key.key_id})
        return {}, {
            "client_assertion_type": ASSERTION,
            "client_assertion": assertion,
        }
    secret = (folder / "client_secret").read_text()
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {basic}"}, {}
