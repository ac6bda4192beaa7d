"""Handing a mail to the server, and telling apart what certainly did not go."""

import smtplib
import ssl
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend
from django.utils.translation import gettext_noop

from integration.connectors.redaction import redacted
from integration.connectors.secrets import Secrets
from integration.services.replies import Reply, away, refused, sent, unknown

TOOK = gettext_noop("{host} took the mail. {answer}")
REFUSED = gettext_noop("{host} refused the mail: {answer}")
WRONG_SIGN_IN = gettext_noop(
    "{host} does not accept our user name and password: {answer}"
)
NOT_SAFE = gettext_noop("No encrypted connection to {host}: {answer}")
NOT_REACHED = gettext_noop("{host} cannot be reached: {answer}")
HUNG_UP = gettext_noop(
    "{host} ended the conversation before it took the mail. {answer}"
)
NO_ANSWER = gettext_noop(
    "{host} got the mail and did not say that it took it; it may have arrived. {answer}"
)
PATIENCE_SECONDS = 60.0
"""A server may look at a whole mail before it takes it."""


class _Attentive(smtplib.SMTP):
    """Remembers whether it has begun to hand a mail over, and what was said to it."""

    handed_over = False
    said = ""

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.handed_over = True
        if self.sock:
            self.sock.settimeout(PATIENCE_SECONDS)
        code, answer = super().data(msg)
        self.said = f"{code} {_words(answer)}"
        return code, answer


class _AttentiveEncrypted(_Attentive, smtplib.SMTP_SSL):
    """The same on a port that is encrypted from the first byte."""


class MailServer(EmailBackend):
    """Django's way to a mail server, with ears."""

    @property
    def connection_class(self) -> type[_Attentive]:
        return _AttentiveEncrypted if self.use_ssl else _Attentive


def hand_over(mail: EmailMultiAlternatives) -> Reply:
    """Give the mail, which has one recipient, to the server. Takes bounded time."""
    server = get_connection()
    host = settings.EMAIL_HOST or "localhost"
    try:
        server.open()
        talk = getattr(server, "connection", None)
    except (OSError, ValueError) as error:
        with suppress(OSError):
            server.close()
        return _not_opened(error, host)
    try:
        server.send_messages([mail])
    except (OSError, ValueError) as error:
        return _not_taken(error, host, began=getattr(talk, "handed_over", False))
    finally:
        # It has said what it had to say; how it parts changes nothing.
        with suppress(OSError):
            server.close()
    return sent(TOOK, host, getattr(talk, "said", ""))


def _not_taken(error: Exception, host: str, *, began: bool) -> Reply:
    """A server that answers has not taken it; one that is silent may have."""
    if isinstance(error, smtplib.SMTPResponseException):
        return refused(REFUSED, host, _reason(error))
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, answer = next(iter(error.recipients.values()))
        return refused(REFUSED, host, f"{code} {_words(answer)}")
    if began:
        return unknown(NO_ANSWER, host, _reason(error))
    return refused(HUNG_UP, host, _reason(error))


def _not_opened(error: Exception, host: str) -> Reply:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return away(WRONG_SIGN_IN, host, _reason(error))
    if isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError):
        return away(NOT_SAFE, host, _reason(error))
    return away(NOT_REACHED, host, _reason(error))


def _reason(error: Exception) -> str:
    """Only what a person may read: a value of ours may be in a ``ValueError``."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_words(error.smtp_error)}"
    if isinstance(error, ValueError):
        return type(error).__name__
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _words(answer: bytes | str) -> str:
    """Without our password: a server may say back what it did not understand."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return redacted(text, Secrets(settings.EMAIL_HOST_PASSWORD or ""))
