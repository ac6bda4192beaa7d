import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from integration.connectors.sign_in import Certificate, ClientSecret, UserAccount

URL = "http://127.0.0.1:8100/contoso/oauth2/v2.0/token"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@cache
def certificate_of() -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sync")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(rsa_key().public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .sign(rsa_key(), hashes.SHA256())
    )


def certificate(
    algorithm: Literal["PS256", "RS256"] = "PS256", key: PrivateKey | None = None
) -> Certificate:
    public = certificate_of().public_bytes(serialization.Encoding.PEM).decode()
    return Certificate("client", pem_of(key or rsa_key()), public, algorithm)


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_secret_is_sent_and_never_shown() -> None:
    sign_in = ClientSecret("client", "hush")

    assert sign_in.form(URL, NOW)["client_secret"] == "hush"
    assert "hush" not in repr(sign_in)
    assert sign_in.subject == "client"


def test_a_user_account_sends_its_password_and_never_shows_it() -> None:
    sign_in = UserAccount("client", "me@contoso.com", "hush")

    form = sign_in.form(URL, NOW)

    assert (form["grant_type"], form["password"]) == ("password", "hush")
    assert "hush" not in repr(sign_in)
    assert sign_in.subject == "client me@contoso.com"


def test_two_secrets_have_two_digests_that_do_not_hold_them() -> None:
    one, two = ClientSecret("client", "hush"), ClientSecret("client", "hush2")

    assert one.digest != two.digest
    assert one.digest == ClientSecret("client", "hush").digest
    assert UserAccount("client", "me", "hush").digest != one.digest


def parts_of(sign_in: Certificate) -> tuple[dict[str, Any], dict[str, Any], bytes, str]:
    assertion = sign_in.form(URL, NOW)["client_assertion"]
    header, claims, signature = assertion.split(".")
    signed = assertion.rpartition(".")[0]
    loaded = json.loads(decoded(header)), json.loads(decoded(claims))
    return *loaded, decoded(signature), signed


def test_a_certificate_signs_an_assertion_for_ten_minutes() -> None:
    header, claims, signature, signed = parts_of(certificate())

    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    rsa_key().public_key().verify(signature, signed.encode(), scheme, hashes.SHA256())
    assert header["alg"] == "PS256"
    assert decoded(header["x5t#S256"]) == certificate_of().fingerprint(hashes.SHA256())
    assert (claims["aud"], claims["iss"], claims["sub"]) == (URL, "client", "client")
    assert claims["exp"] - claims["nbf"] == 600


def test_the_older_signature_is_there_for_who_needs_it() -> None:
    header, _, signature, signed = parts_of(certificate("RS256"))

    rsa_key().public_key().verify(
        signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    assert header["alg"] == "RS256"


def test_a_certificate_is_known_by_its_public_part_and_never_shown() -> None:
    sign_in = certificate()

    assert len(sign_in.digest) == 16
    assert sign_in.subject == "client"
    assert "PRIVATE" not in repr(sign_in)


def test_another_kind_of_key_is_refused() -> None:
    with pytest.raises(ValueError, match="not an RSA key"):
        certificate(key=ec.generate_private_key(ec.SECP256R1())).form(URL, NOW)
