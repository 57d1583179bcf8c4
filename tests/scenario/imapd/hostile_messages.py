# SPDX-License-Identifier: ISC
"""Messages that were made to break those who read them, or those who read
what a server tells of them: R47."""

NAMES = (b"From", b"To", b"Cc", b"Bcc", b"Reply-To", b"Sender")


def mail(header, body=b"text\n"):
    """A message with these fields, of which some are replaced."""
    fields = {b"From": b"Ann <ann@example.test>", b"Subject": b"plain",
              b"Date": b"Mon, 7 Feb 1994 21:52:25 -0800",
              b"Message-ID": b"<1@example.test>"}
    for line in header.split(b"\n"):
        fields.pop(line.partition(b":")[0], None)
    kept = b"".join(k + b": " + v + b"\n" for k, v in fields.items())
    return kept + header + b"\n\n" + body


def every_byte():
    """Each byte in a subject, a name, an address, an id, a parameter."""
    for byte in range(256):
        b = bytes([byte])
        if b in b"\r\n":
            b = b"\r" + b + b" "
        yield mail(b"Subject: a" + b + b"z\nMessage-ID: <a" + b + b"z@x>\n"
                   b"From: a" + b + b"z <l" + b + b"p@h" + b + b"d>\n"
                   b"Content-Type: text/pl" + b + b"in; name=\"a" + b +
                   b"z\"; x" + b + b"y=z" + b + b"\nContent-ID: <" + b + b">\n"
                   b"Content-Description: " + b + b"\n"
                   b"Content-Disposition: in" + b + b"; a" + b + b"=b\n"
                   b"Content-Transfer-Encoding: 7" + b + b"bit\n"
                   b"Content-Language: d" + b + b"e, " + b + b"\n"
                   b"Content-Location: " + b + b"\nDate: " + b + b"\n"
                   b"In-Reply-To: " + b)


def addresses():
    """Forms of address fields that readers trip over."""
    for text in (
            b"", b" ", b",", b",,,", b"<>", b"<@>", b"@", b"<\"\">",
            b"\"\" <\"\"@>", b"a", b"<a", b"a>", b"a@b@c", b"\"a", b"\"a\\",
            b"(", b"(a", b"(a\\", b")", b"a (b (c) d", b"<@a,@b:c@d>",
            b"<@a:>", b"g:;", b"g: ;", b"g:", b"g: a@b", b"g: a@b, c@d; e@f",
            b"g: h: a@b;;", b";", b":;", b"g: a@b;, h:;, i@j", b"\"g;\": a@b;",
            b"a.b.c@d.e, \"f g\"@h", b"a b c d@e", b"=?utf-8?q?=?= <a@b>",
            b"=?utf-8?b?w6Q?= =?x?y?z?= <a@b>", b"\"=?utf-8?q?a=22b?=\" <a@b>",
            b"a@[127.0.0.1], b@[", b"a@[b\\", b"\xff\xfe <\xff@\xfe>",
            b"\xc3\xa4 <\xc3\xa4@\xc3\xa4.test>", b"\"\\\"\\\\\" <\"\\\"\"@b>",
            b"NIL <NIL@NIL>", b"{3} <{3}@{3}>", b"~{3}\r\n abc <a@b>",
            b") FLAGS (\\Deleted", b"a\0b <c\0d@e\0f>", b"a\rb <c\rd@e\rf>",
            b"(" * 3000 + b"a" + b")" * 3000 + b"@b", b"a@" + b"b." * 3000,
            b"\"" + b"x" * 100000 + b"\" <a@b>", b"a@b," * 3000,
            b"g: " * 1000 + b"a@b" + b";" * 1000):
        yield mail(b"\n".join(n + b": " + text for n in NAMES))


def structures():
    """Bodies whose structure is wrong, deep, wide, or a lie."""
    part = b"Content-Type: %s\n\n%s"
    for kind in (b"", b"/", b"text", b"text/", b"/plain", b"text/plain/x",
                 b"\"text\"/plain", b"text/plain; a", b"text/plain; =b",
                 b"text/plain; a=", b"text/plain; a=\"", b"text/plain; a=\"\\",
                 b"text/plain; a=b; a=c; A=d", b"text/plain;" * 50,
                 b"text/plain; a*0=b; a*1*=utf-8''%00%ff; a*3=c; a*=''",
                 b"text/plain; a*1=b; a*0*=x'y'%22%5c%0d%0a; " + b"b*9=c",
                 b"text/plain; charset=\"\r\n \"; name=\"a\r\n\tb\"",
                 b"text/plain; x=" + b"y" * 100000,
                 b"text/plain; " + b"; ".join(
                     b"p%d=v" % n for n in range(3000)),
                 b"multipart", b"multipart/", b"multipart/mixed",
                 b"multipart/mixed; boundary", b"multipart/mixed; boundary=\"",
                 b"multipart/mixed; boundary=\"\"", b"message/rfc822",
                 b"message/", b"message/partial; id=\"\\\"\"",
                 b"message/external-body", b"NIL/NIL", b"{1}/{2}; {3}={4}",
                 b"application/\xff\xfe; \xff=\xfe", b"text/(a)plain (b); c=d"):
        yield mail(part % (kind, b"--\nx\n----\n"))
    yield mail(b"", b"".join(
        part % (b"multipart/mixed; boundary=b%d" % n, b"--b%d\n" % n)
        for n in range(10000)).replace(b"\n\n", b"\n", 1))
    deep = [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n)
            for n in range(10000)]
    yield b"".join(deep) + b"Content-Type: text/plain\n\nx\n" + b"".join(
        b"--b%d--\n" % n for n in reversed(range(10000)))
    yield part % (b"message/rfc822", b"") * 10000
    yield part % (b"multipart/mixed; boundary=b", b"--b\n\n" * 10000)
    yield part % (b"multipart/digest; boundary=b", b"--b\n\n\n" * 3000)
    yield part % (b"multipart/mixed; boundary=b",
                  b"--b\nContent-Type: message/rfc822\n\n" * 300)
    yield part % (b"multipart/alternative; boundary=\"a b\"",
                  b"--a b\n\n\xff\n--a b--\nafter\n--a b\n\nagain\n")
    # a message in a message, with an envelope to tell, and encoded
    for coding in (b"7bit", b"base64", b"quoted-printable", b"x-\xff", b""):
        yield b"Content-Transfer-Encoding: " + coding + b"\n" + part % (
            b"message/rfc822", mail(b"Subject: \"\\\xff\nTo: g: \"a\\\" <b@c>;"))


def encoded():
    """Encoded words that are broken, or that hold what may not be told."""
    for word in (b"=?", b"=??=", b"=????=", b"=?a?b?c?=", b"=?utf-8?q?=?=",
                 b"=?utf-8?q?=0?=", b"=?utf-8?q?=0d=0a=00?=",
                 b"=?utf-8?b?AA0K?=", b"=?utf-8?b?*?=", b"=?utf-8?b?YQ===?=",
                 b"=?utf-8?q?=ff=c3?= =?utf-8?q?=a4?=", b"=?utf-7?q?+AOQ-?=",
                 b"=?iso-2022-jp?b?GyRCJCIbKEI=?=", b"=?" + b"x" * 5000,
                 b"=?utf-8*de?q?a?=", b"=?utf-16?b?AAA=?=",
                 b"=?utf-8?q?" + b"=22" * 5000 + b"?="):
        yield mail(b"Subject: " + word + b"\nFrom: " + word + b" <a@b>\n"
                   b"Content-Description: " + word, word + b"\n")


def whole():
    """Those where the message itself is the trouble."""
    yield b""
    yield b"\n"
    yield b"\r\n"
    yield b"\r"
    yield b"\0"
    yield b"\0" * 70000
    yield b"\xff" * 70000
    yield b"x"
    yield b"no header at all\nmore\n"
    yield b"Subject: only a header"
    yield b":\n: \n:a\n\nbody\n"
    yield b" folded from the start\n\nbody\n"
    yield b"Subject\x00: a\nSub ject: b\nSubject : c\n\n"
    yield b"Subject: 1\nSubject: 2\nFrom: a@b\nFrom: c@d\n\n"
    yield b"Subject: cr\rin it\n\rbody\r\r\n"
    yield b"Subject: a\r\r\n\r\r\nbody\r\r\n\r"
    yield b"From: a@b\n \n \nfolded away\n\n"
    yield b"a: b\n" * 20000
    yield b"X-Long: " + b"x" * 1000000 + b"\n\n"
    yield b"X-Folded: a" + b"\n b" * 300000 + b"\n\n"
    yield mail(b"Subject: " + b"s" * 1000000)
    yield mail(b"Subject: " + b"\xff\"\\" * 300000)
    yield mail(b"Message-ID: <\"a\\\"b\"c\">\nIn-Reply-To: \"")
    yield mail(b"Message-ID: <\"\"\"\"@\"\">\nReferences: \"")
    yield mail(b"Message-ID: " + b"<a@b> " * 5000)
    yield mail(b"Date: \"\"\nIn-Reply-To: (a\\")
    yield mail(b"Date: 99 Foo 99999999999999999999 99:99:99 +9999")
    yield mail(b"Content-Type: text/html", b"<" * 70000)
    yield mail(b"Content-Type: text/html; charset=\xff", b"<p>" + b"&" * 9000)
    yield mail(b"Content-Transfer-Encoding: base64", b"=" * 9000)
    yield mail(b"Content-Transfer-Encoding: quoted-printable", b"=" * 9000)
    yield mail(b"", b"\xf0\x9f\x92\xa9" * 100 + b"\xed\xa0\x80\xc0\x80\n")


def messages():
    return [*whole(), *every_byte(), *addresses(), *structures(), *encoded()]


# Legal keywords (RFC 9051: flag-keyword is an atom), and what they look like.
KEYWORDS = ("NIL", "nil-", "FLAGS", "UID", "$", "$$", "0", "123", "-", "+a",
            "a:b", "a,b", "a;b", "'", "`", "[", "[a", "}", "<>", "&-",
            "=?utf-8?q?a?=", "a" * 60, "|", "~", "!", "^", "?", "..")
