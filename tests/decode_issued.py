"""Certificates that somebody would issue, made with `cryptography`."""

from __future__ import annotations

import datetime
import ipaddress
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from der import UPN, tlv

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

EC_KEY = ec.generate_private_key(ec.SECP256R1())
FULL_NAME = x509.Name(
    [
        x509.RelativeDistinguishedName(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "Zażółć"),
                x509.NameAttribute(NameOID.USER_ID, "42"),
            ]
        ),
        *(
            x509.RelativeDistinguishedName([x509.NameAttribute(attribute_oid, "PL")])
            for attribute_oid in (
                *(NameOID.COUNTRY_NAME, NameOID.STATE_OR_PROVINCE_NAME, NameOID.LOCALITY_NAME),
                *(NameOID.ORGANIZATION_NAME, NameOID.SERIAL_NUMBER, NameOID.EMAIL_ADDRESS),
                *(NameOID.DOMAIN_COMPONENT, NameOID.JURISDICTION_COUNTRY_NAME, NameOID.PSEUDONYM),
                x509.ObjectIdentifier("1.2.3.4"),
            )
        ),
    ]
)
LOCATIONS = [
    x509.DNSName("example.org"),
    x509.DNSName("*.example.org"),
    x509.RFC822Name("someone@example.org"),
    x509.UniformResourceIdentifier("https://example.org/"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::f")),
    x509.DirectoryName(FULL_NAME),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
    x509.OtherName(x509.ObjectIdentifier(UPN), tlv(0x0C, b"someone@example.org")),
]
EXTENSIONS: dict[str, list[x509.ExtensionType]] = {
    "nothing": [],
    "one name": [x509.SubjectAlternativeName(LOCATIONS[:1])],
    "every name": [x509.SubjectAlternativeName(LOCATIONS)],
    "authority information": [
        x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(AuthorityInformationAccessOID.OCSP, LOCATIONS[3]),
                x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, LOCATIONS[3]),
            ]
        )
    ],
    "revocation lists": [
        x509.CRLDistributionPoints(
            [
                x509.DistributionPoint(LOCATIONS[2:5], None, None, LOCATIONS[6:7]),
                x509.DistributionPoint(None, FULL_NAME.rdns[0], None, LOCATIONS[6:7]),
            ]
        )
    ],
    "all together": [
        x509.BasicConstraints(ca=True, path_length=1),
        x509.SubjectAlternativeName(LOCATIONS),
        x509.AuthorityInformationAccess(
            [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, LOCATIONS[3])]
        ),
        x509.CRLDistributionPoints([x509.DistributionPoint(LOCATIONS[3:4], None, None, None)]),
        x509.SubjectKeyIdentifier.from_public_key(EC_KEY.public_key()),
    ],
}


def issue(extensions: list[x509.ExtensionType], public_key: PublicKey) -> bytes:
    start = datetime.datetime(2018, 1, 5, 9, 34, 43, tzinfo=datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(FULL_NAME)
        .issuer_name(FULL_NAME)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=20000))
        .public_key(public_key)
    )
    for value in extensions:
        builder = builder.add_extension(value, critical=False)
    return builder.sign(EC_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
