"""Secrets at rest: written encrypted, read only to sign in, never shown (D13)."""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext_noop

from integration.core.outcomes import Finding
from integration.models import Endpoint
from integration.services.unusable import Unusable


class CredentialUnreadable(Unusable):
    """The stored secret was encrypted with a key we no longer have."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(
            Finding("secret-unreadable", {"system": endpoint.kind}),
            gettext_noop(
                "The stored secret of “{name}” cannot be read with the present "
                "CREDENTIAL_KEYS; enter it again, or bring the old key back."
            ),
            name=endpoint.name,
        )


def keep_secret(endpoint: Endpoint, secret: str) -> None:
    """Encrypt ``secret`` into the endpoint; saving is the caller's. "" forgets it."""
    endpoint.secret = encrypt(secret) if secret else ""


def read_secret(endpoint: Endpoint) -> str:
    """The secret in clear, only for signing in. Raises ``CredentialUnreadable``."""
    if not endpoint.secret:
        return ""
    secret = decrypt(endpoint.secret)
    if secret is None:
        raise CredentialUnreadable(endpoint)
    return secret


def encrypt(text: str) -> str:
    return _keys().encrypt(text.encode()).decode()


def decrypt(text: str) -> str | None:
    """``None`` for what was encrypted with a key we do not have."""
    try:
        return _keys().decrypt(text.encode()).decode()
    except InvalidToken:
        return None


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])
