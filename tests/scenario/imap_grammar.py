# SPDX-License-Identifier: ISC
"""A strict reader of what IMAP servers say: RFC 3501, RFC 9051, extensions.

    from imap_grammar import parse, check
    kind, data = parse(line)      # one response with its literals, no CRLF
    check(lines)                  # each of them, fails with the place

Nothing is tolerated: a space too many, 8-bit text where only ASCII may be, a
bracket that does not match. "utf8": UTF8=ACCEPT or IMAP4rev2 is enabled.
Strings are bytes, numbers int, NIL None, lists lists, atoms str.
"""
import re

TAG = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\+]+")
ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
ASTRING = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\]+")
NUMBER = re.compile(rb"0|[1-9]\d*")
SET = re.compile(rb"\d+(?::\d+)?(?:,\d+(?::\d+)?)*")
DATE_TIME = re.compile(
    rb'"[ 0-3]\d-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} '
    rb'[0-2]\d:[0-5]\d:[0-6]\d [+-]\d{4}"')
OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
TEXT = re.compile(rb"[^\x00\r\n\x80-\xff]+")
NIL = re.compile(rb"NIL(?![^\x00-\x20(){%*\"\\\]])", re.I)
PLAIN = re.compile(rb'"([^\x00\r\n"\\\x80-\xff]*)"')  # of most strings
SYSTEM_FLAGS = {rb"\Answered", rb"\Flagged", rb"\Deleted", rb"\Seen",
                rb"\Draft"}


class GrammarError(AssertionError):
    pass


class Reader:
    def __init__(self, line, utf8=False):
        self.line = line
        self.at = 0
        self.utf8 = utf8

    # bytes

    def fail(self, wanted):
        raise GrammarError(
            f"{wanted} wanted at {self.at}: "
            f"{self.line[max(0, self.at - 60):self.at]!r} >>> "
            f"{self.line[self.at:self.at + 60]!r}")

    def looks(self, text):
        return self.line.startswith(text, self.at) or (
            len(text) > 1 and
            self.line[self.at:self.at + len(text)].upper() == text.upper())

    def take(self, text):
        if not self.looks(text):
            return False
        self.at += len(text)
        return True

    def must(self, text):
        if not self.take(text):
            self.fail(repr(text))

    def space(self):
        self.must(b" ")

    def end(self):
        if self.at != len(self.line):
            self.fail("the end")

    def match(self, pattern, name):
        m = pattern.match(self.line, self.at)
        if not m:
            self.fail(name)
        self.at = m.end()
        return m[0]

    # words

    def atom(self):
        return self.match(ATOM, "an atom").decode()

    def number(self, most=2**63 - 1):
        value = int(self.match(NUMBER, "a number"))
        if value > most:
            self.fail("a smaller number")
        return value

    def nz_number(self, most=2**32 - 1):
        value = self.number(most)
        if value == 0:
            self.fail("a number above 0")
        return value

    def quoted(self):
        m = PLAIN.match(self.line, self.at)
        if m:
            self.at = m.end()
            return m[1]
        self.must(b'"')
        out = bytearray()
        while True:
            if self.at >= len(self.line):
                self.fail("the end of a quoted string")
            byte = self.line[self.at]
            self.at += 1
            if byte == 0x22:
                break
            if byte == 0x5c:
                byte = self.line[self.at] if self.at < len(self.line) else 0
                if byte not in b'"\\':
                    self.fail("what may be escaped")
                self.at += 1
            elif byte in b"\0\r\n":
                self.at -= 1
                self.fail("no NUL, CR, LF")
            elif byte >= 0x80 and not self.utf8:
                self.at -= 1
                self.fail("no 8-bit")
            out.append(byte)
        try:
            out.decode("utf-8")
        except UnicodeDecodeError:
            self.fail("UTF-8 in a quoted string")
        return bytes(out)

    def literal(self, binary=False):
        if binary and self.take(b"~"):
            pass
        else:
            binary = False
        self.must(b"{")
        n = self.number()
        self.must(b"}\r\n")
        data = self.line[self.at:self.at + n]
        if len(data) < n:
            self.fail(f"a literal of {n} bytes")
        if not binary and b"\0" in data:
            self.fail("no NUL in a literal")
        self.at += n
        return data

    def string(self):
        return self.quoted() if self.looks(b'"') else self.literal()

    def nstring(self):
        return None if self.nil() else self.string()

    def nil(self):
        m = NIL.match(self.line, self.at)
        if m:
            self.at = m.end()
        return m is not None

    def astring(self):
        if self.looks(b'"') or self.looks(b"{"):
            return self.string()
        return self.match(ASTRING, "an astring")

    def mailbox(self):
        name = self.astring()
        if not self.utf8:
            modified_utf7(name, self.fail)
        return b"INBOX" if name.upper() == b"INBOX" else name

    def list_of(self, item, empty=True):
        self.must(b"(")
        out = []
        if empty and self.take(b")"):
            return out
        out.append(item())
        while not self.take(b")"):
            self.space()
            out.append(item())
        return out

    def joined(self, item):
        """Lists of address and the like: nothing between the items."""
        self.must(b"(")
        out = [item()]
        while not self.take(b")"):
            out.append(item())
        return out

    def sequence_set(self):
        return self.match(SET, "a set").decode()

    def flag(self, more=()):
        if self.looks(b"\\"):
            if b"\\*" in more and self.take(b"\\*"):
                return "\\*"
            self.at += 1
            name = b"\\" + self.match(ATOM, "a flag")
            if name not in SYSTEM_FLAGS and name not in more:
                self.fail("a system flag")
            return name.decode()
        return self.atom()

    def flags(self, more=(rb"\Recent",)):
        got = self.list_of(lambda: self.flag(more))
        if len({x.lower() for x in got}) != len(got):
            self.fail("each flag once")
        return got

    # responses

    def response(self):
        if self.take(b"+ "):
            text = self.line[self.at:]
            if b"\r" in text or b"\n" in text:
                self.fail("one line")
            return "+", text
        if self.take(b"* "):
            kind, data = self.untagged()
        else:
            tag = self.match(TAG, "a tag").decode()
            self.space()
            word = self.atom()
            if word not in ("OK", "NO", "BAD"):
                self.fail("OK, NO or BAD")
            self.space()
            kind, data = word, (tag, *self.resp_text())
        self.end()
        return kind, data

    def untagged(self):
        if self.line[self.at:self.at + 1].isdigit():
            n = self.number(2**32 - 1)
            self.space()
            word = self.atom()
            if word in ("EXISTS", "RECENT"):
                return word, n
            if n == 0:
                self.fail("a number above 0")
            if word == "EXPUNGE":
                return word, n
            if word in ("FETCH", "UIDFETCH"):
                self.space()
                return word, (n, self.fetch())
            self.fail("a response with a number")
        word = self.atom()
        if word in ("OK", "NO", "BAD", "BYE", "PREAUTH"):
            self.space()
            return word, (None, *self.resp_text())
        form = getattr(self, "r_" + word.lower(), None)
        if form is None:
            self.fail("a known response")
        return word, form()

    def resp_text(self):
        code = None
        if self.take(b"["):
            code = self.code()
            self.must(b"]")
            if self.at == len(self.line):  # RFC 9051: the text may be missing
                return code, b""
            self.space()
        text = self.line[self.at:]
        self.at = len(self.line)
        if not text or re.search(rb"[\0\r\n]", text) or (
                not self.utf8 and re.search(rb"[\x80-\xff]", text)):
            self.fail("text of one line")
        return code, text

    def code(self):
        name = self.atom()
        if name in PLAIN_CODES:
            return name, None
        self.space()
        if name in NUMBER_CODES:
            return name, self.number()
        if name == "PERMANENTFLAGS":
            return name, self.flags((rb"\*",))
        if name == "CAPABILITY":
            return name, self.capabilities()
        if name == "APPENDUID":
            v = self.nz_number()
            self.space()
            return name, (v, self.sequence_set())
        if name == "COPYUID":
            v = self.nz_number()
            self.space()
            a = self.sequence_set()
            self.space()
            return name, (v, a, self.sequence_set())
        if name == "MODIFIED":
            return name, self.sequence_set()
        if name == "MAILBOXID":
            return name, self.object_id()
        if name == "BADEVENT":
            return name, self.list_of(self.atom)
        if name == "BADCHARSET":
            return name, self.list_of(self.astring)
        if name == "BADEVENT":
            return name, self.list_of(self.atom)
        if name == "INPROGRESS":
            self.must(b"(")
            tag = self.quoted()
            self.space()
            a = None if self.nil() else self.number()
            self.space()
            b = None if self.nil() else self.number()
            self.must(b")")
            return name, (tag, a, b)
        if name == "METADATA":
            what = self.atom()
            if what in ("LONGENTRIES", "MAXSIZE"):
                self.space()
                return name, (what, self.number())
            return name, (what, None)
        if name == "BADURL":
            return name, self.match(
                re.compile(rb"[^\x00-\x1f\x7f-\xff\]]+"), "a URL")
        if name == "NOUPDATE":
            return name, self.quoted()
        if name == "MESSAGELIMIT":
            return name, self.number()
        self.fail("a known response code")

    def capabilities(self):
        names = [self.atom()]
        while self.take(b" "):
            names.append(self.atom())
        if "IMAP4rev1" not in names and "IMAP4rev2" not in names:
            self.fail("IMAP4rev1 or IMAP4rev2 among the capabilities")
        if len(set(names)) != len(names):
            self.fail("each capability once")
        return names

    def object_id(self):
        self.must(b"(")
        value = self.match(OBJECT_ID, "an object id").decode()
        self.must(b")")
        return value

    def r_capability(self):
        self.space()
        return self.capabilities()

    def r_enabled(self):
        names = []
        while self.take(b" "):
            names.append(self.atom())
        return names

    def r_flags(self):
        self.space()
        return self.flags(())

    def separator(self):
        if self.nil():
            return None
        mark = self.quoted()
        if len(mark) != 1:
            self.fail("one character")
        return mark

    def list_data(self, more):
        self.space()
        self.must(b"(")
        marks = []
        while not self.take(b")"):
            if marks:
                self.space()
            self.must(b"\\")
            marks.append("\\" + self.atom())
        self.space()
        mark = self.separator()
        self.space()
        name = self.mailbox()
        extended = {}
        if more and self.take(b" "):
            def item():
                key = self.astring().upper()
                self.space()
                extended[key] = self.any_value()
            self.list_of(item, empty=False)
        return marks, mark, name, extended

    def r_list(self):
        return self.list_data(True)

    def r_lsub(self):
        return self.list_data(False)

    def any_value(self):
        if self.looks(b"("):
            return self.list_of(self.any_value)
        if self.looks(b'"') or self.looks(b"{"):
            return self.string()
        return self.astring()

    def r_status(self):
        self.space()
        name = self.mailbox()
        self.space()
        items = {}

        def item():
            key = self.atom()
            if key in items:
                self.fail("each status item once")
            self.space()
            if key == "MAILBOXID":
                items[key] = self.object_id()
            elif key == "APPENDLIMIT" and self.nil():
                items[key] = None
            elif key in STATUS_ITEMS:
                items[key] = self.number()
            else:
                self.fail("a status item")
        self.list_of(item)
        return name, items

    def r_search(self):
        numbers, modseq = [], None
        while self.take(b" "):
            if self.take(b"(MODSEQ "):
                modseq = self.nz_number(2**63 - 1)
                self.must(b")")
                break
            numbers.append(self.nz_number())
        return numbers, modseq

    r_sort = r_search

    def r_esearch(self):
        out = {"UID": False}
        if self.take(b" ("):
            while True:
                key = self.atom()
                self.space()
                if key == "TAG":
                    out[key] = self.string()
                elif key == "MAILBOX":
                    out[key] = self.mailbox()
                elif key == "UIDVALIDITY":
                    out[key] = self.nz_number()
                else:
                    self.fail("a correlator of ESEARCH")
                if self.take(b")"):
                    break
                self.space()
        if self.take(b" UID"):
            out["UID"] = True
        while self.take(b" "):
            key = self.atom()
            if key in out:
                self.fail("each item once")
            self.space()
            if key in ("MIN", "MAX"):
                out[key] = self.nz_number()
            elif key == "COUNT":
                out[key] = self.number()
            elif key == "MODSEQ":
                out[key] = self.nz_number(2**63 - 1)
            elif key == "ALL":
                out[key] = self.sequence_set()
            elif key == "PARTIAL":
                self.must(b"(")
                window = self.match(re.compile(rb"-?\d+:-?\d+"), "a window")
                self.space()
                out[key] = (window, None if self.nil()
                            else self.sequence_set())
                self.must(b")")
            elif key in ("ADDTO", "REMOVEFROM"):
                def pair():
                    n = self.number()
                    self.space()
                    return n, self.sequence_set()
                out[key] = self.list_of(pair)
            else:
                self.fail("an item of ESEARCH")
        return out

    def r_thread(self):
        out = []
        if self.take(b" "):
            while self.at < len(self.line):
                out.append(self.thread())
        return out

    def thread(self):
        self.must(b"(")
        members = []
        if self.looks(b"("):
            while self.looks(b"("):
                members.append(self.thread())
            if len(members) < 2:
                self.fail("two threads at least")
        else:
            members.append(self.nz_number())
            while self.take(b" "):
                if self.looks(b"("):
                    first = len(members)
                    while self.looks(b"("):
                        members.append(self.thread())
                    if len(members) - first < 2:
                        self.fail("two threads at least")
                    break
                members.append(self.nz_number())
        self.must(b")")
        return members

    def r_namespace(self):
        out = []
        for _ in range(3):
            self.space()
            if self.nil():
                out.append(None)
                continue

            def one():
                self.must(b"(")
                prefix = self.string()
                self.space()
                mark = self.separator()
                self.must(b")")
                return prefix, mark
            out.append(self.joined(one))
        return out

    def r_id(self):
        self.space()
        if self.nil():
            return {}
        out = {}
        self.must(b"(")
        while not self.take(b")"):
            if out:
                self.space()
            key = self.string()
            self.space()
            out[key] = self.nstring()
        return out

    def r_vanished(self):
        earlier = self.take(b" (EARLIER)")
        self.space()
        return earlier, self.sequence_set()

    def r_quota(self):
        self.space()
        root = self.astring()
        self.space()

        def resource():
            name = self.atom()
            self.space()
            used = self.number()
            self.space()
            return name, used, self.number()
        return root, self.list_of(resource)

    def r_quotaroot(self):
        self.space()
        name, roots = self.mailbox(), []
        while self.take(b" "):
            roots.append(self.astring())
        return name, roots

    def r_acl(self):
        self.space()
        name, rights = self.mailbox(), {}
        while self.take(b" "):
            who = self.astring()
            self.space()
            rights[who] = self.astring()
        return name, rights

    def r_listrights(self):
        self.space()
        out = [self.mailbox()]
        while self.take(b" "):
            out.append(self.astring())
        if len(out) < 3:
            self.fail("an identifier and rights")
        return out

    def r_myrights(self):
        self.space()
        name = self.mailbox()
        self.space()
        return name, self.astring()

    def r_metadata(self):
        self.space()
        name = self.mailbox()
        self.space()
        values = {}
        if not self.looks(b"("):
            names = [self.astring()]
            while self.take(b" "):
                names.append(self.astring())
            return name, names

        def item():
            key = self.astring()
            self.space()
            values[key] = self.nstring() if not self.looks(b"~") else (
                self.literal(True))
        self.list_of(item, empty=False)
        return name, values

    # FETCH

    def fetch(self):
        items = {}

        def item():
            key = self.match(re.compile(rb"[A-Z0-9.]+"), "an item").decode()
            if key in ("BODY", "BINARY", "BINARY.SIZE") and self.looks(b"["):
                key += self.section(key)
                if self.take(b"<"):
                    if key.startswith("BINARY.SIZE"):
                        self.fail("no partial")
                    key += f"<{self.number()}>"
                    self.must(b">")
            if key in items:
                self.fail("each item once")
            self.space()
            items[key] = self.fetch_value(key)
        self.list_of(item, empty=False)
        return items

    def section(self, key):
        start = self.at
        self.must(b"[")
        part = re.compile(rb"[1-9]\d*(?:\.[1-9]\d*)*").match(
            self.line, self.at)
        if part:
            self.at = part.end()
        if key != "BODY":
            self.must(b"]")
            return self.line[start:self.at].decode()
        if not self.looks(b"]"):
            if part:
                self.must(b".")
            name = self.match(re.compile(
                rb"HEADER\.FIELDS\.NOT|HEADER\.FIELDS|HEADER|TEXT|MIME", re.I),
                "a section").upper()
            if name == b"MIME" and not part:
                self.fail("MIME behind a part")
            if name.startswith(b"HEADER.FIELDS"):
                self.space()
                self.list_of(self.astring, empty=False)
        self.must(b"]")
        return self.line[start:self.at].decode("latin-1")

    def fetch_value(self, key):
        if key == "FLAGS":
            return self.flags()
        if key == "INTERNALDATE":
            return self.match(DATE_TIME, "a date")
        if key == "SAVEDATE":
            return None if self.nil() else self.match(DATE_TIME, "a date")
        if key == "UID":
            return self.nz_number()
        if key == "RFC822.SIZE" or key.startswith("BINARY.SIZE"):
            return self.number()
        if key == "MODSEQ":
            self.must(b"(")
            value = self.nz_number(2**63 - 1)
            self.must(b")")
            return value
        if key == "EMAILID":
            return self.object_id()
        if key == "THREADID":
            return None if self.nil() else self.object_id()
        if key == "PREVIEW":
            value = self.nstring()
            if value is not None:
                if len(value.decode("utf-8")) > 200:
                    self.fail("at most 200 characters")
            return value
        if key == "ENVELOPE":
            return self.envelope()
        if key in ("BODY", "BODYSTRUCTURE"):
            return self.body(key == "BODYSTRUCTURE")
        if key.startswith("BINARY["):
            if self.looks(b"~"):
                return self.literal(True)
            return self.nstring()
        if key in ("RFC822", "RFC822.HEADER", "RFC822.TEXT") or (
                key.startswith("BODY[")):
            return self.nstring()
        self.fail("a known item")

    def envelope(self):
        self.must(b"(")
        out = [self.nstring()]
        self.space()
        out.append(self.nstring())
        for _ in range(6):
            self.space()
            out.append(self.addresses())
        for _ in range(2):
            self.space()
            out.append(self.nstring())
        self.must(b")")
        return out

    def addresses(self):
        if self.nil():
            return None

        def one():
            self.must(b"(")
            out = [self.nstring()]
            for _ in range(3):
                self.space()
                out.append(self.nstring())
            self.must(b")")
            name, _, local, host = out
            if host is None and local is None and name is not None:
                self.fail("a group without a name at its end")
            return tuple(out)
        return self.joined(one)

    def parameters(self):
        if self.nil():
            return None
        out = []

        def pair():
            key = self.string()
            self.space()
            out.append((key, self.string()))
        self.list_of(pair, empty=False)
        return out

    def body(self, extended, depth=0):
        if depth > 200:
            self.fail("a tree that ends")
        self.must(b"(")
        if self.looks(b"("):
            out = self.multipart(extended, depth)
        else:
            out = self.one_part(extended, depth)
        self.must(b")")
        return out

    def multipart(self, extended, depth):
        parts = []
        while self.looks(b"("):
            parts.append(self.body(extended, depth + 1))
        self.space()
        subtype = self.string()
        if extended and self.take(b" "):
            self.parameters()
            self.extension_tail()
        return {"type": b"multipart", "subtype": subtype, "parts": parts}

    def extension_tail(self):
        """Disposition, language, location, and what may come."""
        if not self.take(b" "):
            return
        if not self.nil():
            self.must(b"(")
            self.string()
            self.space()
            self.parameters()
            self.must(b")")
        if not self.take(b" "):
            return
        if self.looks(b"("):
            self.list_of(self.string, empty=False)
        else:
            self.nstring()
        if self.take(b" "):
            self.nstring()

    def one_part(self, extended, depth):
        out = {"type": self.string()}
        self.space()
        out["subtype"] = self.string()
        self.space()
        out["parameters"] = self.parameters()
        self.space()
        out["id"] = self.nstring()
        self.space()
        out["description"] = self.nstring()
        self.space()
        out["encoding"] = self.string()
        self.space()
        out["octets"] = self.number()
        kind = out["type"].lower(), out["subtype"].lower()
        if kind in ((b"message", b"rfc822"), (b"message", b"global")) and (
                self.looks(b" (")):
            self.space()
            out["envelope"] = self.envelope()
            self.space()
            out["body"] = self.body(extended, depth + 1)
            self.space()
            out["lines"] = self.number()
        elif kind[0] == b"text":
            self.space()
            out["lines"] = self.number()
        if extended and self.take(b" "):
            out["md5"] = self.nstring()
            self.extension_tail()
        return out


PLAIN_CODES = {
    "ALERT", "PARSE", "READ-ONLY", "READ-WRITE", "TRYCREATE", "UIDNOTSTICKY",
    "CLOSED", "UNKNOWN-CTE", "NOTSAVED", "HASCHILDREN", "AUTHENTICATIONFAILED",
    "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN",
    "NOPERM", "INUSE", "EXPUNGEISSUED", "CORRUPTION", "SERVERBUG", "CLIENTBUG",
    "CANNOT", "LIMIT", "OVERQUOTA", "ALREADYEXISTS", "NONEXISTENT",
    "UNAVAILABLE", "NOMODSEQ", "TOOBIG", "USEATTR", "COMPRESSIONACTIVE",
    "UIDREQUIRED", "TOOMANY", "NOPRIVATE", "NOTIFICATIONOVERFLOW", "REFERRAL"}
NUMBER_CODES = {"UIDNEXT", "UIDVALIDITY", "UNSEEN", "HIGHESTMODSEQ",
                "APPENDLIMIT"}
STATUS_ITEMS = {"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN",
                "DELETED", "SIZE", "HIGHESTMODSEQ", "APPENDLIMIT",
                "DELETED-STORAGE"}


def modified_utf7(name, fail):
    """RFC 3501 section 5.1.3, in the one proper form."""
    import base64
    if not name.isascii() or re.search(rb"[\0-\x1f\x7f]", name):
        fail("printable ASCII in a mailbox name")
    for m in re.finditer(rb"&([^-]*)(-?)", name):
        if not m[2]:
            fail("the end of base64 in a mailbox name")
        if not m[1]:
            continue
        digits = m[1].replace(b",", b"/")
        try:
            text = base64.b64decode(digits + b"=" * (-len(digits) % 4),
                                    validate=True).decode("utf-16-be")
        except ValueError:
            fail("modified UTF-7")
        if re.search(r"[\x20-\x7e]", text):
            fail("printable ASCII as itself in a mailbox name")


def parse(line, utf8=False):
    return Reader(line, utf8).response()


def check(lines, utf8=False):
    return [parse(x, utf8) for x in lines]
