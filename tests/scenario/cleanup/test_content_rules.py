# SPDX-License-Identifier: ISC
"""Content that a site does not take: message_reject_characters and its like,
and the strict_ settings; and what Postfix says to the same."""
import smtplib

import pytest

import postfix_peer
from posthaste import free_port

HEAD = b"From: a@b.test\r\nMessage-ID: <m@x>\r\n"
PLAIN = HEAD + b"\r\nplain\r\n"
NUL = HEAD + b"\r\na\0b\r\n"
BELL = HEAD + b"Subject: a\x07b\r\n\r\nx\r\n"
HEADER8 = HEAD + b"Subject: caf\xc3\xa9\r\n\r\nx\r\n"
BODY8 = HEAD + b"\r\ncaf\xc3\xa9\r\n"
SAID = (HEAD + b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8"
        b"\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9\r\n")
LYING = SAID.replace(b": 8bit", b": 7bit")
BINARY = SAID.replace(b": 8bit", b": binary")
MULTI = (HEAD + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; "
         b"boundary=x\r\n%s\r\npreamble\r\n--x\r\nContent-Type: text/plain\r\n"
         b"%s\r\n%s\r\n--x--\r\n")
ENCODED = MULTI % (b"Content-Transfer-Encoding: base64\r\n", b"", b"x")
PART8 = MULTI % (b"Content-Transfer-Encoding: 8bit\r\n",
                 b"Content-Transfer-Encoding: 8bit\r\n", b"\xc3\xa9")
PART7 = MULTI % (b"Content-Transfer-Encoding: 8bit\r\n", b"", b"\xc3\xa9")
PARTHEADER = MULTI % (b"", b"X: \xc3\xa9\r\n", b"x")
NESTED = MULTI % (b"", b"", b"x")
NESTED = NESTED.replace(b"text/plain", b"message/rfc822\r\n"
                        b"Content-Transfer-Encoding: quoted-printable")
CTE = b"Content-Transfer-Encoding: "


def part(kind, encoding, body=b"x"):
    return (HEAD + b"MIME-Version: 1.0\r\nContent-Type: " + kind + b"\r\n" +
            b"".join(CTE + e + b"\r\n" for e in encoding.split()) + b"\r\n" +
            body + b"\r\n")


def nested(depth, inner=b"x"):
    return HEAD + b"MIME-Version: 1.0\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" %
        (i, i) for i in range(depth)) + b"\r\n" + inner + b"\r\n"


MESSAGES = {n: v for n, v in list(globals().items())
            if isinstance(v, bytes) and n not in ("HEAD", "MULTI")}

# encodings that nobody knows, fields that are there twice, what is behind
E8 = b"caf\xc3\xa9"
PARTS = b"--b\r\n\r\nx\r\n--b--\r\n"
MESSAGES |= {f"text {e}": part(b"text/plain", e, E8) for e in (
    b"x-foo", b'"8bit"', b"7bit 8bit", b"8bit 7bit", b"8bit x-foo",
    b"x-foo 8bit", b"base64")}
MESSAGES |= {
    "epilogue": part(b"multipart/mixed; boundary=b", b"8bit", PARTS + E8),
    "preamble": part(b"multipart/mixed; boundary=b", b"8bit",
                     E8 + b"\r\n" + PARTS),
    "parts of unknown": part(
        b"multipart/mixed; boundary=b", b"x-foo",
        PARTS.replace(b"\r\n\r\nx", b"\r\n" + CTE + b"8bit\r\n\r\n" + E8)),
    "no boundary": part(b"multipart/mixed", b"8bit", E8),
    "digest": part(b"multipart/digest; boundary=b", b"", PARTS.replace(
        b"b\r\n\r\n", b"b\r\n" + CTE + b"base64\r\n\r\n")),
    "two types": part(b"multipart/mixed\r\nContent-Type: text/plain",
                      b"base64"),
    "two other types": part(b"text/plain\r\nContent-Type: multipart/mixed",
                            b"base64")}
MESSAGES |= {f"{t} {e}": part(t, e) for e in (b"base64", b"8bit", b"x-foo")
             for t in (b"message/rfc822", b"message/global", b"message/news",
                       b"message/delivery-status", b"message/partial",
                       b"message/external-body", b"multipart/mixed")}
MESSAGES |= {f"nested {n}": nested(n) for n in (5, 6, 7, 8, 10)}
MESSAGES["messages"] = part(b"message/rfc822", b"",
                            b"Content-Type: message/rfc822\r\n\r\n" * 150)

RULES = {
    "none": "",
    "nul": "message_reject_characters = \\0\n",
    "several": "message_reject_characters = \\000\\a\n",
    "header": "strict_7bit_headers = yes\n",
    "body": "strict_8bitmime_body = yes\n",
    "both": "strict_8bitmime = yes\n",
    "domain": "strict_mime_encoding_domain = yes\n",
    "deep": "strict_mime_encoding_domain = yes\nmime_nesting_limit = 5\n",
    "not deep": "mime_nesting_limit = 5\n",
}


def hear(port):
    answers = {}
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
        s.ehlo("a.test")
        for name, text in MESSAGES.items():
            assert s.mail("a@b.test")[0] == 250
            assert s.rcpt("sink@example.test")[0] == 250
            code, text = s.data(text)
            answers[name] = (code, text if code != 250 else b"")
    return answers


@pytest.mark.parametrize("rule", RULES)
def test_as_postfix_has_it(suite, rule):
    main = (RULES[rule] + "smtpd_peername_lookup = no\n"
            "transport_maps = static:discard:\n")
    s = suite(main=main + "local_recipient_maps =\nvirtual_mailbox_maps ="
              " static:x\n")
    ours = hear(s.ports["smtp"])
    assert (rule in ("none", "not deep")) == all(a[0] == 250 for a in ours.values())
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port, main +
                             "mydestination = example.test\n"
                             "local_recipient_maps =\n") as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        theirs = hear(port)
    different = {n: (ours[n], theirs[n]) for n in ours if ours[n] != theirs[n]}
    assert not different


def test_what_is_stripped_does_not_arrive(suite):
    s = suite(main="message_strip_characters = \\0\\a z\\\\\n")
    with s.smtp() as m:
        s.send_on(m, "a@b.test", ["bob@example.test"],
                  HEAD + b"Subject: a\x07b c\r\n\r\nz\0x\\y\r\nzz\r\n\r\n")
    (message,) = s.wait_messages("bob")
    assert b"\r\nSubject:abc\r\n" in message
    assert message.endswith(b"\r\n\r\nxy\r\n\r\n\r\n")


def test_smtputf8_may_have_such_headers(suite):
    s = suite(main="strict_7bit_headers = yes\n")
    with s.smtp() as m:
        m.ehlo()
        assert m.mail("a@b.test", ["SMTPUTF8"])[0] == 250
        assert m.rcpt("bob@example.test")[0] == 250
        assert m.data(HEADER8)[0] == 250
    s.wait_messages("bob")


def test_what_is_no_character_is_an_error(suite):
    s = suite(start=False, main="message_reject_characters = \\q\n")
    done = s.posthaste("check", check=False)
    assert done.returncode != 0 and "message_reject_characters" in done.err
