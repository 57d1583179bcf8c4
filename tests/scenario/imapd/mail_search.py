# SPDX-License-Identifier: ISC
"""What searches of a mailbox must find: a model that knows nothing of indexes.

A message is made of a few words, and the model searches what was meant, not
what was sent: encoded words and bodies in base64 mean their text.
"""
import base64
import datetime
import quopri
import re
import unicodedata

WORDS = ["alpha", "Beta", "gamma", "Größe", "Füße", "привет", "日本語", "delta",
         "epsilon", "zeta@example.test", "foo bar", "x", "(y)", "a\"b"]
CHARSETS = ["utf-8", "iso-8859-1", "koi8-r", "iso-2022-jp", "shift_jis"]
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def fold(text):
    """i;unicode-casemap, RFC 5051."""
    out = []
    for c in text:
        t = c.title()
        # the simple mapping: of one character to one
        t = t if len(t) == 1 else c
        out.append(unicodedata.normalize("NFKD", t))
    return "".join(out)


def imap_date(day):
    return f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"


def charset_for(text, random):
    fit = []
    for name in CHARSETS:
        try:
            text.encode(name)
            fit.append(name)
        except UnicodeEncodeError:
            pass
    return random.choice(fit)


def encoded(text, random):
    """A header's value: as it is, or in an encoded word."""
    if text.isascii() and random.random() < 0.8:
        return text
    charset = charset_for(text, random)
    data = text.encode(charset)
    if random.random() < 0.5:
        return f"=?{charset}?B?{base64.b64encode(data).decode()}?="
    q = "".join(chr(b) if chr(b).isalnum() and b < 128 else
                "_" if b == 32 else f"={b:02X}" for b in data)
    return f"=?{charset}?Q?{q}?="


class Message:
    def __init__(self, random, number):
        self.random = random
        r = random
        self.fields = {
            "From": r.choice(WORDS) + " <a%d@example.test>" % (number % 7),
            "To": "bob@example.test",
            "Subject": " ".join(r.sample(WORDS, r.randint(0, 3))),
        }
        if r.random() < 0.3:
            self.fields["Cc"] = "c%d@example.test" % (number % 3)
        if r.random() < 0.4:
            self.fields["X-Test"] = r.choice(WORDS)
        self.sent = None
        if r.random() < 0.9:
            self.sent = datetime.date(2020, 1, 1) + datetime.timedelta(
                days=r.randint(0, 40))
        self.internal = datetime.datetime(
            2021, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(
                days=r.randint(0, 40), seconds=r.randint(0, 86399))
        self.body = "\n".join(
            " ".join(r.choices(WORDS, k=r.randint(1, 8)))
            for _ in range(r.randint(1, 6)))
        self.flags = {f for f in ("\\Seen", "\\Flagged", "\\Answered",
                                  "\\Draft", "\\Deleted", "work", "$Junk")
                      if r.random() < 0.3}
        self.raw = self.make()
        self.uid = None

    def part(self):
        charset = charset_for(self.body, self.random)
        data = self.body.replace("\n", "\r\n").encode(charset)
        kind = self.random.choice(["8bit", "base64", "quoted-printable"])
        if kind == "base64":
            data = base64.encodebytes(data).replace(b"\n", b"\r\n")
        elif kind == "quoted-printable":
            data = quopri.encodestring(data).replace(
                b"\r\n", b"\n").replace(b"\n", b"\r\n")
        head = (f"Content-Type: text/plain; charset={charset}\r\n"
                f"Content-Transfer-Encoding: {kind}\r\n")
        return head, data

    def make(self):
        head = ""
        for name, value in self.fields.items():
            who, mark, address = value.partition(" <")
            if name == "From":
                head += f"{name}: {encoded(who, self.random)}{mark}{address}"
            else:
                head += f"{name}: {encoded(value, self.random)}"
            head += "\r\n"
        if self.sent:
            zone = self.random.choice(["+0000", "-0800", "+0900"])
            head += (f"Date: {self.sent.day} {MONTHS[self.sent.month - 1]} "
                     f"{self.sent.year} 23:30:00 {zone}\r\n")
        part_head, data = self.part()
        self.mime = [part_head]
        if self.random.random() < 0.5:
            return head.encode() + part_head.encode() + b"\r\n" + data
        top = 'Content-Type: multipart/mixed; boundary="B%d"\r\n' % len(data)
        self.mime.append(top)
        mark = b"--B%d" % len(data)
        return (head.encode() + top.encode() + b"\r\npreamble-unseen\r\n"
                + mark + b"\r\n" + part_head.encode() + b"\r\n" + data
                + b"\r\n" + mark + b"\r\nContent-Type: image/png\r\n"
                b"Content-Transfer-Encoding: base64\r\n\r\n"
                + base64.b64encode(b"pixels pixels pixels") + b"\r\n"
                + mark + b"--\r\nepilogue-unseen\r\n")

    def has_field(self, name, text):
        for key, value in self.fields.items():
            if key.lower() == name.lower() and fold(text) in fold(value):
                return True
        return False

    def has_body(self, text):
        return fold(text) in fold(self.body.replace("\n", " "))

    def has_text(self, text):
        whole = [f"{k}: {v}" for k, v in self.fields.items()]
        return self.has_body(text) or any(
            fold(text) in fold(x) for x in whole)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Query:
    """A random search: its text, its literals, and which messages it means."""

    def __init__(self, random, box):
        self.random, self.box = random, box
        self.literals = []

    def key(self, depth=3):
        """(text of the key, test of (number, message))"""
        r = self.random
        if depth and r.random() < 0.4:
            return self.compound(depth - 1)
        return r.choice([self.flag, self.keyword, self.field, self.header,
                         self.body, self.date, self.sent, self.size,
                         self.numbers, self.uids, self.all])()

    def compound(self, depth):
        kind = self.random.randrange(3)
        one, f = self.key(depth)
        if kind == 0:
            return f"NOT {one}", lambda n, m: not f(n, m)
        two, g = self.key(depth)
        if kind == 1:
            return f"OR {one} {two}", lambda n, m: f(n, m) or g(n, m)
        return f"({one} {two})", lambda n, m: f(n, m) and g(n, m)

    def all(self):
        return "ALL", lambda n, m: True

    def flag(self):
        name = self.random.choice(
            ["Seen", "Flagged", "Answered", "Draft", "Deleted"])
        if self.random.random() < 0.5:
            return name.upper(), lambda n, m: f"\\{name}" in m.flags
        return f"UN{name}", lambda n, m: f"\\{name}" not in m.flags

    def keyword(self):
        name = self.random.choice(["work", "$Junk", "nowhere"])
        if self.random.random() < 0.5:
            return f"KEYWORD {name}", lambda n, m: name in m.flags
        return f"UNKEYWORD {name}", lambda n, m: name not in m.flags

    def string(self):
        """A piece of a word or two, some in another case."""
        text = self.random.choice(WORDS + ["a1@", "nothing like it"])
        if self.random.random() < 0.5:
            at = self.random.randrange(len(text))
            text = text[at:at + self.random.randint(1, 6)]
        if self.random.random() < 0.5:
            text = text.swapcase() if text.isascii() else text.upper() \
                if len(text.upper()) == len(text) else text
        text = text.strip() or "x"
        return text

    def argument(self, text):
        if text.isascii():
            return quoted(text)
        self.literals.append(text.encode())
        return "{}"

    def field(self):
        name = self.random.choice(["From", "To", "Cc", "Bcc", "Subject"])
        text = self.string()
        return (f"{name} {self.argument(text)}",
                lambda n, m: m.has_field(name, text))

    def header(self):
        name = self.random.choice(["X-Test", "x-test", "X-None", "Subject"])
        text = self.string() if self.random.random() < 0.7 else ""
        return (f"HEADER {name} {self.argument(text)}",
                lambda n, m: m.has_field(name, text))

    def body(self):
        text = self.string()
        if self.random.random() < 0.5:
            return (f"BODY {self.argument(text)}",
                    lambda n, m: m.has_body(text))
        # what is in MIME fields and dates is not the model's: a longer word
        text = self.random.choice(["alpha", "größe", "привет", "日本語",
                                   "zeta@example", "pixels", "unseen",
                                   "beta gamma", "subject: alpha"])
        return f"TEXT {self.argument(text)}", lambda n, m: m.has_text(text)

    def date(self):
        day = datetime.date(2021, 1, 1) + datetime.timedelta(
            days=self.random.randint(0, 40))
        kind = self.random.choice(["BEFORE", "ON", "SINCE"])
        test = {"BEFORE": lambda n, m: m.internal.date() < day,
                "ON": lambda n, m: m.internal.date() == day,
                "SINCE": lambda n, m: m.internal.date() >= day}[kind]
        return f"{kind} {imap_date(day)}", test

    def sent(self):
        day = datetime.date(2020, 1, 1) + datetime.timedelta(
            days=self.random.randint(0, 40))
        kind = self.random.choice(["BEFORE", "ON", "SINCE"])
        test = {"BEFORE": lambda m: m.sent < day,
                "ON": lambda m: m.sent == day,
                "SINCE": lambda m: m.sent >= day}[kind]
        return (f"SENT{kind} {imap_date(day)}",
                lambda n, m: m.sent is not None and test(m))

    def size(self):
        limit = self.random.randint(200, 900)
        if self.random.random() < 0.5:
            return f"LARGER {limit}", lambda n, m: len(m.raw) > limit
        return f"SMALLER {limit}", lambda n, m: len(m.raw) < limit

    def range(self, top):
        a, b = (self.random.randint(1, top + 5) for _ in range(2))
        if self.random.random() < 0.2:
            return f"{a}:*", range(min(a, top), max(a, top) + 1)
        if self.random.random() < 0.5:
            return f"{a},{b}", (a, b)
        return f"{a}:{b}", range(min(a, b), max(a, b) + 1)

    def numbers(self):
        text, numbers = self.range(len(self.box))
        return text, lambda n, m: n in numbers

    def uids(self):
        text, uids = self.range(max(m.uid for m in self.box))
        return f"UID {text}", lambda n, m: m.uid in uids


def found(lines, word=b"SEARCH"):
    """Numbers of the one untagged answer."""
    (line,) = [x for x in lines if x.startswith(b"* " + word)]
    return [int(x) for x in line.split()[2:]]


def expand(text):
    """"1:3,7" in its order."""
    out = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        out += range(int(first), int(last or first) + 1)
    return out


def esearch(lines):
    """{"TAG": ..., "UID": True, "MIN": 1, "ALL": [...], ...}"""
    (line,) = [x for x in lines if x.startswith(b"* ESEARCH")]
    return esearch_line(line)


def esearch_line(line):
    text = line.decode()
    out = {}
    m = re.match(r'\* ESEARCH \(TAG "([^"]*)"'
                 r'(?: MAILBOX (\S+) UIDVALIDITY (\d+))?\)( UID)?(.*)$', text)
    assert m, text
    out["TAG"], out["UID"] = m[1], bool(m[4])
    if m[2]:
        out["MAILBOX"] = m[2].strip('"')
    rest = m[5]
    while rest:
        m = re.match(r" (MIN|MAX|COUNT|MODSEQ) (\d+)", rest)
        if m:
            out[m[1]] = int(m[2])
        elif m := re.match(r" ALL ([\d:,]+)", rest):
            out["ALL"] = expand(m[1])
        elif m := re.match(r" PARTIAL \((\S+) (NIL|[\d:,]+)\)", rest):
            out["PARTIAL"] = (m[1], [] if m[2] == "NIL" else expand(m[2]))
        elif m := re.match(r" (ADDTO|REMOVEFROM) \(([^)]*)\)", rest):
            words = m[2].split()
            out.setdefault("changes", []).append((m[1], [
                (int(p), expand(s)) for p, s in
                zip(words[::2], words[1::2])]))
        assert m, text
        rest = rest[m.end():]
    return out
