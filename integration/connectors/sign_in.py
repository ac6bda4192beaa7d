"""The three ways to sign in (design D8), as the form each sends to the token endpoint.

Secrets never show in ``repr`` or in messages.
"""

import hashlib
import json
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """An app registration with a client secret."""

    client_id: str
    secret: str = field(repr=False)

    @property
    def subject(self) -> str:
        return self.client_id

    @property
    def digest(self) -> str:
        return _digest(self.client_id, self.secret)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.secret,)

    def form(self, token_url: str, now: datetime) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.secret,
        }


@dataclass(frozen=True, slots=True)
class UserAccount:
    """A user's name and password, for what still runs the classic integration user.

    The only sign-in whose password can expire or have to be changed.
    """

    client_id: str
    user_name: str
    password: str = field(repr=False)

    @property
    def subject(self) -> str:
        return f"{self.client_id} {self.user_name}"

    @property
    def digest(self) -> str:
        return _digest(self.subject, self.password)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.password,)

    def form(self, token_url: str, now: datetime) -> dict[str, str]:
        return {
            "grant_type": "password",
            "client_id": self.client_id,
            "username": self.user_name,
            "password": self.password,
        }


@dataclass(frozen=True, slots=True)
class Certificate:
    """An app registration with an RSA certificate; both parts as PEM text."""

    client_id: str
    private_key_pem: str = field(repr=False)
    certificate_pem: str = field(repr=False)
    algorithm: Literal["PS256", "RS256"] = "PS256"

    @property
    def subject(self) -> str:
        return self.client_id

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.certificate_pem.encode()).hexdigest()[:16]

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.private_key_pem,)

    def form(self, token_url: str, now: datetime) -> dict[str, str]:
        """Raises ``ValueError`` when key or certificate cannot be read."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(token_url, now),
        }

    def _assertion(self, token_url: str, now: datetime) -> str:
        certificate = x509.load_pem_x509_certificate(self.certificate_pem.encode())
        thumbprint = certificate.fingerprint(hashes.SHA256())
        header = {
            "alg": self.algorithm,
            "typ": "JWT",
            "x5t#S256": _base64url(thumbprint),
        }
        claims = {
            "aud": token_url,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": str(uuid.uuid4()),
            "nbf": int(now.timestamp()),
            "exp": int((now + _ASSERTION_LIFE).timestamp()),
        }
        signed = f"{_json_part(header)}.{_json_part(claims)}"
        return f"{signed}.{_base64url(self._sign(signed.encode()))}"

    def _sign(self, text: bytes) -> bytes:
        pem = self.private_key_pem.encode()
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("The private key is not an RSA key")  # noqa: TRY004  (unreadable, to our callers)
        if self.algorithm == "RS256":
            return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
        return key.sign(text, scheme, hashes.SHA256())


SignIn = ClientSecret | Certificate | UserAccount


@lru_cache(maxsize=64)
def _digest(salt: str, secret: str) -> str:
    """Tells two secrets apart in a cache's key without helping to guess them.

    Slow on purpose, so each is made once a process and not once a run.
    """
    slow = hashlib.scrypt(secret.encode(), salt=salt.encode(), n=2**12, r=8, p=1)
    return slow[:8].hex()


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _json_part(values: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(values, separators=(",", ":")).encode())
