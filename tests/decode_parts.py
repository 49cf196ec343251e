"""What each part of a certificate may hold that is worth trying, sense and nonsense."""

from __future__ import annotations

from der import UPN, attribute, common_name, dns, name, oid, other_name, sequence, tlv, uri

TEXTS = {
    "NumericString": (0x12, b"123 4"),
    "PrintableString": (0x13, b"Example"),
    "PrintableString with Latin-1": (0x13, b"Caf\xe9"),
    "TeletexString": (0x14, bytes(range(0xA0, 0x100))),
    "TeletexString with C1 controls": (0x14, bytes(range(0x80, 0xA0))),
    "IA5String": (0x16, b"someone@example.org"),
    "IA5String with Latin-1": (0x16, b"\xff"),
    "UTF8String": (0x0C, "Żółć \U0001f600".encode()),
    "UTF8String with a NUL": (0x0C, b"example.org\0.example.com"),
    "UTF8String with a newline": (0x0C, b"two\nlines"),
    "UTF8String with a BOM": (0x0C, b"\xef\xbb\xbfx"),
    "UTF8String with a noncharacter": (0x0C, "\uffff".encode()),
    "UTF8String cut off": (0x0C, b"\xc5"),
    "UTF8String with an overlong NUL": (0x0C, b"\xc0\x80"),
    "UTF8String with a surrogate": (0x0C, b"\xed\xa0\x80"),
    "UTF8String above Unicode": (0x0C, b"\xf4\x90\x80\x80"),
    "BMPString": (0x1E, "Żółć".encode("utf-16-be")),
    "BMPString with a BOM": (0x1E, b"\xfe\xff\0x"),
    "BMPString with a surrogate pair": (0x1E, "\U0001f600".encode("utf-16-be")),
    "BMPString with a lone surrogate": (0x1E, b"\xd8\0"),
    "BMPString of odd length": (0x1E, b"\0x\0"),
    "UniversalString": (0x1C, "Ż\U0001f600".encode("utf-32-be")),
    "UniversalString with a surrogate": (0x1C, b"\0\0\xd8\0"),
    "UniversalString above Unicode": (0x1C, b"\0\x11\0\0"),
    "UniversalString of odd length": (0x1C, b"\0\0\0x\0"),
    "VisibleString": (0x1A, b"x"),
    "GeneralString": (0x1B, b"x"),
    "UTCTime": (0x17, b"180105093443Z"),
    "BOOLEAN": (0x01, b"\xff"),
    "INTEGER": (0x02, b"\x01"),
    "OCTET STRING": (0x04, b"x"),
    "BIT STRING": (0x03, b"\0x"),
    "BIT STRING with unused bits": (0x03, b"\x07\xff\xff"),
    "BIT STRING of no bits": (0x03, b"\0"),
    "BIT STRING of no bits, some unused": (0x03, b"\x07"),
    "BIT STRING, empty": (0x03, b""),
    "BIT STRING, invalid": (0x03, b"\x08x"),
    "SEQUENCE": (0x30, b""),
    "ObjectDescriptor": (0x07, b"x"),
    "REAL": (0x09, b"x"),
    "a context tag": (0x80, b"x"),
} | {
    f"empty string of tag {tag:#x}": (tag, b"")
    for tag in (0x0C, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E)
}

NAMES = {
    "empty": name(),
    "multi-valued RDN": name(
        [attribute("2.5.4.3", 0x0C, b"a"), attribute("2.5.4.10", 0x0C, b"b")],
        attribute("2.5.4.6", 0x13, b"PL"),
    ),
    "the same attribute twice": name(*[attribute("2.5.4.11", 0x0C, b"a")] * 2),
    "only an empty RDN": name([]),
    "an empty RDN between others": name(
        attribute("2.5.4.3", 0x0C, b"a"), [], attribute("2.5.4.3", 0x0C, b"b")
    ),
    "unknown attribute": name(attribute("1.2.3.4.5", 0x0C, b"a")),
    "attribute under 2.999": name(attribute("2.999.3", 0x0C, b"a")),
    "attribute 0.0": name(attribute("0.0", 0x0C, b"a")),
    "attribute 1.39": name(attribute("1.39", 0x0C, b"a")),
    "attribute with an arc above 64 bits": name(attribute(f"1.2.{1 << 70}", 0x0C, b"a")),
    "attribute with a huge first arc": name(attribute(f"2.{1 << 70}", 0x0C, b"a")),
    "attribute with a long name": name(attribute("1.2" + ".127" * 300, 0x0C, b"a")),
    "attribute of 586 bytes": name(attribute("1.2" + ".127" * 585, 0x0C, b"a")),
    "attribute of 587 bytes": name(attribute("1.2" + ".127" * 586, 0x0C, b"a")),
    "attribute of one 586-byte arc": name(attribute(f"2.{1 << 7 * 585}", 0x0C, b"a")),
    "padded attribute type": name(sequence(b"\x06\x03\x55\x80\x03", tlv(0x0C, b"a"))),
    "attribute type padded at its start": name(sequence(b"\x06\x02\x80\x03", tlv(0x0C, b"a"))),
    "attribute type cut off": name(sequence(b"\x06\x02\x55\x84", tlv(0x0C, b"a"))),
    "no attribute type": name(sequence(b"\x06\x00", tlv(0x0C, b"a"))),
    "no value": name(sequence(oid("2.5.4.3"))),
    "two values": name(sequence(oid("2.5.4.3"), tlv(0x0C, b"a"), tlv(0x0C, b"b"))),
    "SEQUENCE in place of SET": sequence(sequence(attribute("2.5.4.3", 0x0C, b"a"))),
    "end-of-contents": sequence(b"\0\0"),
} | {f"{what}": common_name(*value) for what, value in TEXTS.items()}

SERIALS = {
    f"{number:#x}"[:40]: number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)
    for number in (
        *(0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xABCDEF, 1 << 64, (1 << 159) + 1),
        *(-1, -0x7F, -0x80, -0x81, -0xFF, -0x100, -0x101, -0x8000, -0x10000, -(1 << 64)),
        *((1 << 279) - 1, 1 << 279, (1 << 280) - 1, 1 << 280, -(1 << 280), 1 << 800, 1 << 40000),
    )
}
SERIALS |= {"empty": b"", "padded": b"\0\x01", "padded negative": b"\xff\xff", "two zeros": b"\0\0"}
SERIALS |= {"negative, all zeros": b"\xff\0\0", "lowest": b"\x80\0", "padded lowest": b"\xff\x80\0"}

VERSIONS = {
    "absent": b"",
    **{
        str(number): tlv(
            0xA0, tlv(0x02, number.to_bytes(10, "big", signed=True).lstrip(b"\0") or b"\0")
        )
        for number in (0, 1, 2, 3, 127, 1 << 40)
    },
    "-1": tlv(0xA0, tlv(0x02, b"\xff")),
    "above 64 bits": tlv(0xA0, tlv(0x02, b"\x01" + bytes(9))),
    "below 64 bits": tlv(0xA0, tlv(0x02, b"\xfe" + bytes(9))),
    "not a number": tlv(0xA0, tlv(0x0C, b"3")),
    "two numbers": tlv(0xA0, tlv(0x02, b"\x02"), tlv(0x02, b"\x02")),
    "nothing": tlv(0xA0),
}

UTC_TIMES = r"""
180105093443Z 491231235959Z 500101000000Z 000229000000Z 010229000000Z 180105093443+0000
180105093443+0130 180105093443-1259 180105093443+1300 180105093443+0060 180105003443+0100
180101003443+0100 171231233443-0100 500101003443+0100 1801050934+0100 1801050934-0000
18010509344Z+ 1801050934Z 180105093460Z 180005093443Z 181305093443Z 180100093443Z 180132093443Z
180431093443Z 180105243443Z 180105096043Z 180105093443 180105093443z 180105093443ZZ
180105093443+01 180105093443+010x 180105093443.5Z 18010509344\u0663Z x80105093443Z
180105093443Z\n 180105093443\0 20180105093443Z Z \0
"""
GENERAL_TIMES = r"""
20180105093443Z 00000101000000Z 00000229000000Z 99991231235959Z 18991231235959Z 19000229000000Z
20000229000000Z 21000229000000Z 20180105093443.5Z 20180105093443.Z 20180105093443.123456789Z
20180105093443.5 20180105093443.5+0100 201801050934+0100 201801050934.5+0100 20180105093443+0100
20180105093443-0000 99991231235959-0001 19000101000000+0001 19000101000000+0000
18991231235959-0001 18000101000000-0001 00000101000000+0001 00000101000000-0000 20180105093443,5Z
20180105093443Z0 180105093443Z 180105093443+0100 2018010509344Z 20181305093443Z 20180105093443..5Z
20180105093443.\u0663Z 20180105093443.5-1130 Z \0
"""
TIMES = {
    f"{kind} {text}": tlv(tag, text.encode().decode("unicode_escape").encode())
    for kind, tag, texts in (("UTCTime", 0x17, UTC_TIMES), ("GeneralizedTime", 0x18, GENERAL_TIMES))
    for text in texts.split()
} | {
    "UTCTime, empty": tlv(0x17),
    "GeneralizedTime, empty": tlv(0x18),
    "GeneralizedTime with a long fraction": tlv(0x18, b"20180105093443." + b"5" * 2500 + b"Z"),
    "a string": tlv(0x0C, b"180105093443Z"),
    "a context tag": tlv(0x97, b"180105093443Z"),
}

OTHER_VALUES = {
    "UTF8String": (0x0C, "zażółć".encode()),
    "IA5String": (0x16, b"_ldap.example.org"),
    "empty UTF8String": (0x0C, b""),
    "empty IA5String": (0x16, b""),
    "UTF8String with a NUL": (0x0C, b"a\0b"),
    "UTF8String with a newline": (0x0C, b"a\nb\nc"),
    "UTF8String with a newline after a NUL": (0x0C, b"a\0b\nc"),
    "UTF8String with a colon": (0x0C, b"a:b"),
    "UTF8String, invalid": (0x0C, b"\xff"),
    "UTF8String, long": (0x0C, b"x" * 5000),
    "UTF8String, long with a newline": (0x0C, b"x" * 5000 + b"\n"),
    "UTF8String, long and cut inside a character": (0x0C, "é".encode() * 1500),
    "UTF8String, long and cut inside a character, shifted": (0x0C, b"x" + "é".encode() * 1500),
    "NULL": (0x05, b""),
    "NULL, not empty": (0x05, b"x"),
    "INTEGER": (0x02, b"\x05"),
    "INTEGER, padded": (0x02, b"\0\x05"),
    "ENUMERATED, empty": (0x0A, b""),
    "BOOLEAN": (0x01, b"\x01"),
    "BOOLEAN, too long": (0x01, b"\x01\x01"),
    "OBJECT IDENTIFIER": (0x06, b"\x55\x04\x03"),
    "OBJECT IDENTIFIER, invalid": (0x06, b"\x80"),
    "BIT STRING": (0x03, b"\x07\x80"),
    "BIT STRING, invalid": (0x03, b"\x08\x80"),
    "BMPString, odd": (0x1E, b"x"),
    "UniversalString, odd": (0x1C, b"xx"),
    "UTCTime": (0x17, b"x" * 13),
    "GeneralizedTime": (0x18, b"x" * 15),
    "SEQUENCE": (0x30, b"\xff\xff"),
    "SET": (0x31, b""),
    "a context tag": (0x80, b"x"),
    "a constructed context tag": (0xA0, b"x"),
    "an application tag": (0x41, b"x"),
}
OTHER_TYPES = {"UPN": UPN, "unknown": "1.2.3.4"} | {
    what: f"1.3.6.1.5.5.7.8.{n}" for what, n in (("XMPP", 5), ("SRV", 7), ("NAI", 8), ("SMTP", 9))
}

GENERAL_NAMES = {
    "nothing": b"",
    "DNS": dns(),
    "several": dns()
    + uri(b"https://example.org/")
    + tlv(0x81, b"a@b")
    + tlv(0x87, b"\x7f\0\0\x01"),
    "DNS with a NUL": dns(b"example.org\0.example.com"),
    "DNS in UTF-8": dns("żółć.example".encode()),
    "DNS not in UTF-8": dns(b"\xff.example"),
    "DNS, empty": dns(b""),
    "DNS, long": dns(b"x" * 5000),
    "DNS with a newline": dns(b"a\nb"),
    "email": tlv(0x81, b"someone@example.org"),
    "email not in UTF-8": tlv(0x81, b"\xe9"),
    "URI": uri(b"https://example.org/?a=b"),
    "URI not in UTF-8": uri(b"\xc3"),
    **{
        f"IP of {n} bytes": tlv(0x87, bytes(range(0xF0, 0xF0 + n))) for n in (0, 3, 4, 5, 8, 15, 16)
    },
    "IPv6, short": tlv(0x87, bytes(15) + b"\x01"),
    "IPv6": tlv(0x87, bytes.fromhex("20010db8000000000000abcd0000000f")),
    **{f"DirName: {what}": tlv(0xA4, value) for what, value in NAMES.items()},
    "DirName, empty tag": tlv(0xA4),
    "DirName, two": tlv(0xA4, name(), name()),
    "Registered ID": tlv(0x88, b"\x2a\x03\x04"),
    "Registered ID that has a name": tlv(0x88, b"\x55\x04\x03"),
    "Registered ID, long": tlv(0x88, b"\x2a" + b"\x7f" * 400),
    "Registered ID, too long to print": tlv(0x88, b"\x2a" + b"\x7f" * 585),
    "Registered ID, too long to convert": tlv(0x88, b"\x2a" + b"\x7f" * 586),
    "Registered ID, invalid": tlv(0x88, b"\x80"),
    "X400Name": tlv(0xA3, b"\xff\xff"),
    "X400Name, empty": tlv(0xA3),
    "EdiPartyName": tlv(0xA5, tlv(0xA0, tlv(0x0C, b"a")), tlv(0xA1, tlv(0x13, b"b"))),
    "EdiPartyName, party only": tlv(0xA5, tlv(0xA1, tlv(0x1E, b"\0b"))),
    "EdiPartyName, assigner only": tlv(0xA5, tlv(0xA0, tlv(0x0C, b"a"))),
    "EdiPartyName in IA5String": tlv(0xA5, tlv(0xA1, tlv(0x16, b"b"))),
    "EdiPartyName in odd BMPString": tlv(0xA5, tlv(0xA1, tlv(0x1E, b"b"))),
    "EdiPartyName with two values": tlv(0xA5, tlv(0xA1, tlv(0x0C, b"b"), tlv(0x0C, b"b"))),
    "EdiPartyName, empty": tlv(0xA5),
    "a tenth kind": tlv(0x89, b"x"),
    "a universal tag": tlv(0x0C, b"x"),
    "cut off": b"\x82\x05x",
    "end-of-contents": b"\0\0",
    "othername without a value": tlv(0xA0, oid(UPN)),
    "othername with an empty value": tlv(0xA0, oid(UPN), tlv(0xA0)),
    "othername with two values": tlv(0xA0, oid(UPN), tlv(0xA0, tlv(0x0C, b"a"), tlv(0x0C, b"b"))),
    "othername with more": tlv(0xA0, oid(UPN), tlv(0xA0, tlv(0x0C, b"a")), tlv(0x0C, b"b")),
    "othername with a high tag": tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f\x81\x01\x00")),
    "othername with an absurd tag": tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f\xff\xff\xff\xff\x7f\0")),
    "othername with a tag cut off": tlv(0xA0, oid(UPN), tlv(0xA0, b"\x5f\x81")),
    **{
        f"othername {kind}: {what}": other_name(dotted, *value)
        for kind, dotted in OTHER_TYPES.items()
        for what, value in OTHER_VALUES.items()
    },
}
