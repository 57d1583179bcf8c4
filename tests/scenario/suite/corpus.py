# SPDX-License-Identifier: ISC
"""Messages by the thousand, the ways into the suite and the ways out.

Each message travels under an envelope sender of its own, by which it is known
again wherever it comes out, in whatever order. What comes out must be what
went in, byte for byte, but for the lines the manual names.
"""
import functools
import glob
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess

import pytest

from posthaste import DEADLINE, SOURCE
from terminal import on_terminal

WHOLE = os.environ.get("POSTHASTE_CORPUS")
FOLDERS = ("/usr/lib/python3*/test/test_email/data",
           SOURCE / "tests/corpus/odd/*/")
NOT_MAIL = {".py", ".pyc", ".au", ".gif", ".pck"}

# Nothing is rewritten, dropped or folded: what comes out can be foretold.
AS_IS = """\
message_drop_headers =
append_at_myorigin = no
append_dot_mydomain = no
hopcount_limit = 200
smtp_line_length_limit = 0
header_size_limit = 10000000
mynetworks = 127.0.0.0/8
local_header_rewrite_clients =
"""


# what goes in

def lines(data):
    """With LF line ends, and one at the end. A stray CR stays."""
    data = re.sub(rb"\r*\n", b"\n", data)
    return data if data.endswith(b"\n") else data.rstrip(b"\r") + b"\n"


def read_folder(base):
    """The messages below a folder, in the order of their names."""
    found = {str(path.relative_to(base)): lines(path.read_bytes())
             for path in sorted(pathlib.Path(base).rglob("*"))
             if path.is_file() and path.suffix not in NOT_MAIL}
    return {name: text for name, text in found.items() if text.strip(b"\n")}


@functools.cache
def real_messages():
    """Name to message: what this machine has, or POSTHASTE_CORPUS."""
    found = {}
    collected = SOURCE / "build-tests/corpus/messages"
    for folder in (WHOLE or str(collected), *map(str, FOLDERS)):
        for base in sorted(glob.glob(folder)):
            found.update(read_folder(base))
    return found


def made_messages():
    """Shapes that real mail has and test data often lacks."""
    head = b"From: a@b.test\nTo: bob@example.test\nSubject: %s\n\n"
    yield head % b"empty body"
    yield head % b"dots" + b".\n..\n.x\n.\n"
    yield head % b"bytes" + bytes(
        b for b in range(1, 256) if b not in b"\r\n") + b"\n"
    yield head % b"NUL" + b"a\0b\n"
    yield head % b"a stray CR" + b"a\rb\rc\n"
    yield head % b"no final text\nX-Long: " + b"x" * 900 + b"\n"
    yield head % b"long line" + b"y" * 30000 + b"\n"
    yield head % b"long 8-bit line" + b"\xc3\xa4" * 20000 + b"\n"
    yield head % b"lines like a mailbox's" + \
        b"From here\n>From there\n\nFrom a@b Sat Nov 21 13:25:01 2026\n"
    yield b"\nno header at all\n"
    yield b"Not a header\n\nbody\n"
    yield b" folded from the start\n\nbody\n"
    yield b"Subject: header only\n"
    yield b"".join(b"X-%d: %d\n" % (i, i) for i in range(500)) + \
        b"\nbody\n"
    yield b"X-Long: " + b" folded\n" * 9000 + b"\nbody\n"
    for size in (65535, 65536, 65537, 131072, 1000000):
        whole = b"".join(b"%072d\n" % i for i in range(size // 73 + 1))
        yield head % b"size %d" % size + whole[:size - 1] \
            .rsplit(b"\n", 1)[0] + b"\n"


def noise(count):
    """Bodies of random bytes that matter to somebody on the way."""
    dice = random.Random(7)
    head = b"From: a@b.test\nTo: bob@example.test\nSubject: noise %d\n\n"
    for i in range(count):
        yield head % i + b"".join(
            bytes(dice.choice(b"abc .\t\xc3\xa9\xff=-") for _ in range(
                dice.randrange(200))) + b"\n"
            for _ in range(dice.randrange(60)))


def attachment(size):
    """A message whose one part is so many bytes in base64."""
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJz" \
        b"dHV2d3h5ejAx\n"
    return (b"From: a@b.test\nTo: bob@example.test\nSubject: attachment\n"
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
            b"\n--b\nContent-Type: text/plain\n\nhere it is\n"
            b"--b\nContent-Type: application/octet-stream\n"
            b"Content-Transfer-Encoding: base64\n\n" +
            line * (size // 54) + b"--b--\n")


class Corpus:
    """Messages by the tag they travel under."""

    def __init__(self, most, big=0, noisy=0):
        made = {f"made {i}": m for i, m in
                enumerate([*made_messages(), *noise(noisy)])}
        real = real_messages() if most else {}
        if not WHOLE and len(real) > most:
            keep = sorted(real)[::-(len(real) // -most)]
            real = {k: real[k] for k in keep}
        named = {**made, **real}
        for i in range(big):
            named[f"20 MB, {i}"] = attachment(20 << 20)
        self.real = len(real)
        self.names = {}
        self.messages = {}
        for i, (name, message) in enumerate(named.items()):
            self.names[f"m{i:05d}@corpus.test"] = name
            self.messages[f"m{i:05d}@corpus.test"] = message

    def __len__(self):
        return len(self.messages)

    def leave_out(self, wrong):
        self.messages = {tag: message for tag, message in self.items()
                         if not wrong(message)}

    def change(self, into):
        self.messages = {tag: into(message) for tag, message in self.items()}

    def items(self):
        return self.messages.items()


# what must come out

FIELD = re.compile(rb"[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*")
IN_FRONT = re.compile(
    rb"(?:Return-Path: <([^\n]*)>\n)?(?:X-Original-To: [^\n]*\n)?"
    rb"(?:Delivered-To: [^\n]*\n)?Received: [^\n]*\n(?:[ \t][^\n]*\n)*")
# behind the header of mail from our own users
MISSING = rb"(?:Resent-)?(?:Message-Id|Date|From)"


def cut(message):
    """Its fields, and the rest, which begins with an empty line if the
    header ends with one."""
    fields, at = [], 0
    while m := FIELD.match(message, at):
        fields.append(m[0])
        at = m.end()
    return fields, message[at:]


def mailbox_lines(message):
    """Those that a message out of a mailbox file may begin with."""
    return re.match(rb"(?:>*From [^\n]*\n)*", message)[0]


def foretold(message):
    """What cleanup makes of it, without headers that it adds."""
    lead = mailbox_lines(message)
    message = re.sub(rb"(?m)^(?=.)", b"X-Mailbox-Line: ", lead) + \
        message[len(lead):]
    fields, rest = cut(message.replace(b"\r", b" "))
    return fields, rest if rest.startswith(b"\n") else b"\n" + rest


def without_front(got):
    """Sender and message without the lines that delivery put in front."""
    m = IN_FRONT.match(got)
    assert m, got[:400]
    return m[1], got[m.end():]


def difference(message, got, added=None, dropped=None):
    """None, or where the message and what came of it differ. added: names of
    fields that may stand behind all others now; dropped: of fields that may
    be gone, or have another value."""
    fields, rest = foretold(message)
    got_fields, got_rest = cut(got)
    if dropped:
        fields = [f for f in fields if not named(dropped, f)]
        got_fields = [f for f in got_fields if not named(dropped, f)]
    if added and all(named(added, f) for f in got_fields[len(fields):]):
        got_fields = got_fields[:len(fields)]
    for kind, want, have in (("header", b"".join(fields),
                              b"".join(got_fields)),
                             ("body", rest, got_rest)):
        if want != have:
            at = len(os.path.commonprefix([want, have]))
            return (f"{kind} at {at} of {len(want)} ({len(have)}): "
                    f"want {want[max(at - 30, 0):at + 60]!r} "
                    f"have {have[max(at - 30, 0):at + 60]!r}")
    return None


def named(names, field):
    return re.match(rb"(?:" + names + rb")[ \t]*:", field, re.I)


def compare(corpus, came, skipped=(), differ=difference, **allowed):
    """came: tag to what came out, by by_tag. skipped: did not go in."""
    wrong = [(corpus.names[tag], "lost") for tag in corpus.messages
             if tag not in came and tag not in skipped]
    for tag, got in came.items():
        d = differ(corpus.messages[tag], got, **allowed)
        if d:
            wrong.append((corpus.names[tag], d))
    assert not wrong, f"{len(wrong)} of {len(corpus)} differ:\n" + \
        "\n".join(f"{name}: {d}" for name, d in wrong[:12])
    assert not set(came) & set(skipped)


def by_tag(stored, crlf=True):
    """Stored messages to a dict of tag to message, LF and without front.
    What came to several addresses came alike."""
    came = {}
    for got in stored:
        if crlf:
            assert b"\n" not in got.replace(b"\r\n", b""), got[:300]
            assert b"\r" not in got.replace(b"\r\n", b""), got[:300]
            got = got.replace(b"\r\n", b"\n")
        sender, message = without_front(got)
        assert came.setdefault(sender.decode(), message) == message
    return came


# the ways in: each takes an instance, a corpus and the recipient, and says
# which messages it could not take

def wire(message):
    """As SMTP has it: CRLF, dots doubled."""
    out = message.replace(b"\n", b"\r\n").replace(b"\r\n.", b"\r\n..")
    return b"." + out if out.startswith(b".") else out


def by_smtplib(s, corpus, to):
    with s.smtp(timeout=120) as session:
        session.ehlo("client.test")
        for tag, message in corpus.items():
            assert session.mail(tag, ["BODY=8BITMIME"])[0] == 250
            assert session.rcpt(to)[0] == 250
            session.putcmd("data")
            assert session.getreply()[0] == 354
            session.send(wire(message) + b".\r\n")
            code, reply = session.getreply()
            assert code == 250, (code, reply, corpus.names[tag])


def by_pipeline(s, corpus, to):
    """The next message's commands go out with the end of the one before."""
    with socket.create_connection(("127.0.0.1", s.ports["smtp"]), DEADLINE) as c:
        f = c.makefile("rb")

        def wait(code):
            line = f.readline()
            while line[3:4] == b"-":
                line = f.readline()
            assert line.startswith(code), line

        wait(b"220")
        c.sendall(b"EHLO client.test\r\n")
        wait(b"250")
        before = b""
        for tag, message in corpus.items():
            c.sendall(before + f"MAIL FROM:<{tag}> BODY=8BITMIME\r\n"
                      f"RCPT TO:<{to}>\r\nDATA\r\n".encode())
            for code in ([b"250"] if before else []) + \
                    [b"250", b"250", b"354"]:
                wait(code)
            before = wire(message) + b".\r\n"
        c.sendall(before + b"QUIT\r\n")
        wait(b"250")
        wait(b"221")


def by_bdat(s, corpus, to):
    """Chunks of sizes that cut line ends in two."""
    dice = random.Random(11)
    with socket.create_connection(("127.0.0.1", s.ports["smtp"]), DEADLINE) as c:
        f = c.makefile("rb")

        def ask(data):
            c.sendall(data)
            line = f.readline()
            while line[3:4] == b"-":
                line = f.readline()
            assert line.startswith(b"2"), line

        ask(b"")
        ask(b"EHLO client.test\r\n")
        for tag, message in corpus.items():
            ask(f"MAIL FROM:<{tag}> BODY=8BITMIME\r\n".encode())
            ask(f"RCPT TO:<{to}>\r\n".encode())
            text, at = message.replace(b"\n", b"\r\n"), 0
            while len(text) - at > 3000 or dice.randrange(2):
                n = min(len(text) - at, dice.randrange(1, 60000))
                ask(b"BDAT %d\r\n" % n + text[at:at + n])
                at += n
            ask(b"BDAT %d LAST\r\n" % (len(text) - at) + text[at:])


def run(command, stdin=None, timeout=120, **options):
    done = subprocess.run([str(c) for c in command], input=stdin,
                          capture_output=True, timeout=timeout, **options)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr)
    return done.stdout


def need(command):
    if not shutil.which(command):
        pytest.skip(f"{command} is not installed")


def by_swaks(s, corpus, to):
    need("swaks")
    data = s.root / "data-for-swaks"
    for tag, message in corpus.items():
        data.write_bytes(wire(message) + b".")
        run(["swaks", "--server", f"127.0.0.1:{s.ports['smtp']}",
             "--helo", "client.test", "--from", tag, "--to", to,
             "--no-data-fixup", "--silent", "2", "--data", f"@{data}"])


def by_msmtp(s, corpus, to):
    need("msmtp")
    for tag, message in corpus.items():
        run(["msmtp", "-C", "/dev/null", "--host=127.0.0.1",
             f"--port={s.ports['smtp']}", "--from", tag, "--domain=client.test",
             "--set-date-header=off", "--set-msgid-header=off",
             "--set-from-header=off", "--remove-bcc-headers=off", "--", to],
            stdin=message)


def without_postmark(message):
    """sendmail(1): a first line of a mailbox file is left out."""
    return re.sub(rb"\AFrom [^\n]*\n", b"", message)


def by_sendmail(s, corpus, to):
    for tag, message in corpus.items():
        s.command("sendmail", "-G", "-i", "-f", tag, to, stdin=message)


def by_sendmail_t(s, corpus):
    """Who gets it is in the header, if anybody."""
    skipped = []
    for tag, message in corpus.items():
        done = s.command("sendmail", "-t", "-i", "-f", tag, stdin=message,
                         check=False)
        if done.returncode == 64:
            assert "No recipient addresses" in done.err
            skipped.append(tag)
        else:
            assert done.returncode == 0, (corpus.names[tag], done.err)
    return skipped


# the ways out: each takes an instance and gives all of bob's messages

def run_in(folder, command, **options):
    return run(command, cwd=folder, env=dict(os.environ, HOME=str(folder)),
               **options)


def from_poplib(s, count, _):
    p = s.pop3()
    assert p.stat()[0] == count
    sizes = [int(line.split()[1]) for line in p.list()[1]]
    stored = [b"".join(line + b"\r\n" for line in p.retr(i + 1)[1])
              for i in range(count)]
    assert sizes == [len(message) for message in stored]
    p.quit()
    return stored


def from_curl(s, count, folder):
    need("curl")
    run(["curl", "-sS", "--cacert", s.root / "etc/cert.pem", "--user",
         "bob@example.test:posthaste", "-o", folder / "#1",
         f"pop3s://localhost:{s.ports['pop3s']}/[1-{count}]"], timeout=300)
    return read_all(folder)


def read_mbox(path):
    """The messages of a mailbox file, quoted as they are there."""
    stored = re.split(rb"(?m)^From \S+  \w{3} \w{3} .. ..:..:.. \d{4}\n",
                      path.read_bytes())
    assert stored[0] == b""
    assert all(m.endswith(b"\n\n") for m in stored[1:])
    return [m[:-1] for m in stored[1:]]


def quoted_as_in_mbox(message):
    lead = mailbox_lines(message)
    return lead + re.sub(rb"(?m)^(>*From )", rb">\1", message[len(lead):])


def folded(message, limit=998):
    """As relayed: the rest of a long line follows behind a blank."""
    out = []
    for line in message.split(b"\n"):
        while len(line) > limit:
            at = limit
            while at > limit - 3 and line[at] & 0xc0 == 0x80:
                at -= 1  # not within a character of UTF-8
            out.append(line[:at])
            line = b" " + line[at:]
        out.append(line)
    return b"\n".join(out)


def read_all(folder):
    return [p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()]


def has_obsolete_field(message):
    """"From : ..." (RFC 5322 section 4.5), which clients do not know."""
    return any(re.match(rb"[^:\n]*[ \t]:", field)
               for field in cut(message)[0])


def too_much_for_fetchmail(message):
    """It cuts lines of 8 KB in two, with other bytes in between."""
    return max(map(len, message.split(b"\n"))) > 8000 or \
        has_obsolete_field(message)


def too_much_for_mutt(message):
    """To it a NUL ends the line."""
    return b"\0" in message or has_obsolete_field(message)


def from_fetchmail(s, count, folder):
    need("fetchmail")
    out = folder / "out"
    out.mkdir()
    rc = folder / "rc"
    rc.write_text(
        "set invisible\nset no bouncemail\n"
        f"poll 127.0.0.1 with proto POP3 port {s.ports['pop3s']} uidl "
        f"user \"bob@example.test\" password \"posthaste\" ssl "
        f"no sslcertck no rewrite no dropstatus no stripcr pass8bits "
        f"fetchall mda \"cat >$(mktemp {out}/XXXXXXXXXX)\"\n")
    rc.chmod(0o600)
    run_in(folder, ["fetchmail", "-f", rc, "--nosyslog", "--pidfile",
                    folder / "pid", "-i", folder / "ids"], timeout=600)
    return read_all(out)


def from_mutt(s, count, folder):
    need("mutt")
    out = folder / "out"
    for name in ("new", "cur", "tmp"):
        (out / name).mkdir(parents=True)
    (folder / "Mail").mkdir()  # else it asks, and takes keys for the answer
    rc = folder / "rc"
    rc.write_text(
        f"set certificate_file={s.root}/etc/cert.pem\n"
        "set ssl_force_tls=yes ssl_verify_host=no ssl_verify_dates=no\n"
        "set confirmcreate=no confirmappend=no quit=yes delete=no move=no\n"
        "set pop_user='bob@example.test' pop_pass=posthaste\n"
        "set header_cache='' mbox_type=Maildir wait_key=no\n"
        f"push '<tag-pattern>~A<enter><tag-prefix><copy-message>{out}<enter><exit>'\n")
    on_terminal(["mutt", "-n", "-F", str(rc), "-f",
                 f"pops://localhost:{s.ports['pop3s']}/"],
                folder, {"TERM": "xterm", "HOME": str(folder)}, 600)
    return read_all(out / "new") + read_all(out / "cur")
