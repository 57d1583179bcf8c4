# SPDX-License-Identifier: ISC
"""The same settings, tables and mail for the suite and for a real Postfix:
what each replies, what becomes of the mail, and what servers hear from each.

In the texts "@@tables@@" stands for the folder of the tables, "@@port@@" for
the port of all fake servers, "@@boxes@@" for a folder that anybody may deliver
to.
"""
import base64
import collections
import dataclasses
import os
import pathlib
import re
import shutil
import smtplib
import tempfile
import time

import pytest

import postfix_peer
from peers import FakeDNS, FakeServer
from posthaste import AS_ROOT, free_port, wait_for

needs_postfix = pytest.mark.skipif(
    not AS_ROOT or postfix_peer.why_not() is not None,
    reason=postfix_peer.why_not() or "Postfix needs root")

MAIN = """\
myorigin = origin.test
mydomain = dom.test
myhostname = host.dom.test
mydestination = local.test, $myhostname
local_recipient_maps =
virtual_alias_domains =
virtual_alias_maps =
virtual_mailbox_domains =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
recipient_delimiter = +
notify_classes =
biff = no
disable_dns_lookups = no
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 10000
smtpd_hard_error_limit = 10000
smtpd_recipient_limit = 5000
"""
QUIET_S = 0.5  # nothing more happens: all that is to come has come


@dataclasses.dataclass
class Mail:
    sender: str
    recipients: list
    content: str = "From: f@x.test\r\nSubject: x\r\n\r\nx\r\n"
    xclient: str = ""
    helo: str = "client.test"


@dataclasses.dataclass
class Told:
    """What one of the two did. Lists of tuples, in any order but replies."""
    replies: list
    deliveries: list  # from, to, as written, relay, DSN, status, reason
    heard: list  # host, MAIL, RCPT lines, fields; no reports
    logins: list  # host, MAIL, EHLO or LHLO, user
    boxes: list  # file, owner, fields
    log: str


def _session(port, mail):
    s = smtplib.SMTP("127.0.0.1", port, timeout=60)
    s.ehlo("proxy.test")
    if mail.xclient:
        code, text = s.docmd(f"XCLIENT {mail.xclient}")
        assert code == 220, text
    s.ehlo(mail.helo)
    return s


def _say(s, mail):
    said = [s.mail(mail.sender)]
    if said[0][0] == 250:
        said += [s.rcpt(r) for r in mail.recipients]
    if any(code == 250 for code, _ in said[1:]):
        code, text = s.data(mail.content.encode())
        said.append((code, b"" if code == 250 else text))
    s.rset()
    return said


def _send(port, mails):
    replies, session, last = [], None, None
    for mail in mails:
        who = mail.xclient, mail.helo
        if who != last:
            if session:
                session.close()
            session, last = _session(port, mail), who
        replies.append((mail, _say(session, mail)))
    if session:
        session.close()
    return replies


TO = re.compile(r": (\w+): to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=([^,]*),"
                r".* dsn=([0-9.]+), status=(\w+) \((.*)\)$", re.M)
ID = re.compile(r"\b[0-9A-F]{8,}\b|\b[0-9A-Za-z]{12,}$")


def deliveries(log):
    """Postfix names no relay for what is discarded."""
    senders = dict(re.findall(r": (\w+): from=<(.*?)>, size", log))
    return sorted(
        (senders.get(i, "?"), to, written,
         re.sub(r"^discard$", "none", re.sub(r"\[\d+\]$", "", relay)), dsn,
         status, ID.sub("ID", how))
        for i, to, written, relay, dsn, status, how in TO.findall(log))


OWN_FIELD = re.compile(r"(?i)received:|(resent-)?(message-id|date):")


def _fields(text):
    header = re.sub(r"\r?\n[ \t]+", " ", text).split("\r\n\r\n")[0]
    return tuple(f for f in header.split("\r\n") if not OWN_FIELD.match(f))


def _heard(servers):
    return sorted(
        (server.host, re.sub(r" SIZE=\d+", "", sender),
         tuple(sorted(recipients)),
         _fields(content.decode("utf-8", "surrogateescape")))
        for server in servers
        for sender, recipients, content in server.messages
        if not sender.startswith("MAIL FROM:<>"))


def _logins(servers):
    found = set()
    for server in servers:
        for spoken in server.sessions:
            user = b""
            for line in spoken:
                if line.startswith("AUTH PLAIN "):
                    user = base64.b64decode(line.split()[2]).split(b"\0")[1]
                elif line.startswith("MAIL"):
                    found.add((server.host, line.split(">")[0],
                               spoken[0].split()[0], user.decode()))
    return sorted(found)


NOTED = re.compile(r"(?i)(return-path|delivered-to|x-original-to|from|to|cc|"
                   r"subject): |(From \S+)")


def _boxes(folder):
    """Of files in Maildirs, the directory alone has a name of its own."""
    found = []
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if not path.is_file() or "posthaste" in name or \
                path.name in ("maildirsize", "maildirfolder"):
            continue
        lines = path.read_text(errors="replace").replace("\r\n", "\n")
        fields = [NOTED.match(line) for line in lines.split("\n")]
        found.append((re.sub(r"/(new|cur)/.*", r"/\1", name),
                      path.stat().st_uid,
                      tuple(f[2] or f.string for f in fields if f)))
    return sorted(found)


class Sides:
    """Folders, servers and names that one comparison needs."""

    def __init__(self, folder, main, tables, hosts, dns, server):
        self.folder, self.main = folder, main
        self.port = free_port()
        self.hosts, self.records, self.server = hosts, dns, server
        # an address of its own, since resolv.conf(5) knows port 53 alone
        self.name_server = f"127.77.{self.port // 256}.{self.port % 256}"
        self.tables = folder / "tables"
        self.tables.mkdir(mode=0o755)
        for name, text in tables.items():
            (self.tables / name).write_text(self.fill(text))

    def fill(self, text, boxes=None):
        for name, value in (("tables", self.tables), ("port", self.port),
                            ("boxes", boxes)):
            text = text.replace(f"@@{name}@@", str(value))
        return text

    def settings(self, boxes):
        names = "" if self.records is not None else \
            "smtpd_peername_lookup = no\n"
        return self.fill(MAIN + names + self.main, boxes)

    def boxes(self, name):
        boxes = self.folder / f"boxes-{name}"
        boxes.mkdir()
        boxes.chmod(0o777)
        return boxes

    def run(self, mails, port, log, queued, boxes, start):
        """One of the two, with servers that live as long."""
        servers, dns = [], None
        try:
            for host in self.hosts:
                servers.append(FakeServer(port=self.port, host=host,
                                          **self.server))
                servers[-1].host = host
            if self.records is not None:
                dns = FakeDNS(self.records, self.name_server, 53)
            with start():
                replies = _send(port, mails)
                _settle(log, queued, servers)
                text = log()
            return Told(replies, deliveries(text), _heard(servers),
                        _logins(servers), _boxes(boxes), text)
        finally:
            for x in (*servers, *([dns] if dns else ())):
                x.close()


def _settle(log, queued, servers):
    """Nothing is under way, and what is deferred has been tried."""
    state, since = None, 0

    def settled():
        nonlocal state, since
        now = (len(deliveries(log())), queued(),
               sum(len(s.messages) for s in servers))
        if now != state:
            state, since = now, time.monotonic()
        return not now[1] and time.monotonic() - since > QUIET_S
    wait_for("the mail", settled, 60)


def both(suite, mails, main="", tables=None, hosts=(), dns=None, master="",
         peer_master="", **server):
    """What ours did, and what Postfix did: two of Told. "peer_master": lines
    that Postfix needs alone; "server": how fake servers on the hosts behave,
    arguments of FakeServer."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ph-sides-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        sides = Sides(folder, main, tables or {}, hosts, dns, server)
        return _ours(suite, sides, mails, master), \
            _theirs(sides, mails, master + peer_master)
    finally:
        if not os.environ.get("POSTHASTE_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


class _Running:
    def __init__(self, instance):
        self.instance = instance

    def __enter__(self):
        return self.instance.start()

    def __exit__(self, *_):
        self.instance.stop()


def _ours(suite, sides, mails, master):
    s = suite(start=False)
    boxes = sides.boxes("ours")
    servers = "" if sides.records is None else \
        f"dns_servers = {sides.name_server}:53\n"
    with open(s.root / "etc/main.cf", "a") as f:
        f.write(sides.settings(boxes) + servers)
    with open(s.root / "etc/master.cf", "a") as f:
        f.write(sides.fill(master, boxes))
    return sides.run(mails, s.ports["smtp"], s.log,
                     lambda: s.queue("incoming", "active", "maildrop"), boxes,
                     lambda: _Running(s))


def _theirs(sides, mails, master):
    port, boxes = free_port(), sides.boxes("theirs")
    folder = sides.folder / "peer"
    log = folder / "mail.log"

    def queued():
        return [f for q in ("incoming", "active", "maildrop")
                for _, _, files in os.walk(folder / "queue" / q)
                for f in files]
    return sides.run(
        mails, port, lambda: log.read_text(errors="replace"), queued, boxes,
        lambda: postfix_peer.beside(
            folder, port, sides.settings(boxes), sides.fill(master, boxes),
            sides.name_server if sides.records is not None else None))


def _apart(what, ours, theirs):
    a, b = collections.Counter(ours), collections.Counter(theirs)
    return [f"{what}, ours:      {x}" for x in sorted((a - b).elements())] + \
        [f"{what}, Postfix's: {x}" for x in sorted((b - a).elements())]


def assert_same(ours, theirs, *kinds):
    """Of the kinds of Told, those named or all."""
    kinds = kinds or ("replies", "deliveries", "heard", "logins", "boxes")
    wrong = [f"{mail}: ours {a}, Postfix's {b}" for (mail, a), (_, b)
             in zip(ours.replies, theirs.replies)
             if a != b and "replies" in kinds]
    for kind in kinds:
        if kind != "replies":
            wrong += _apart(kind, getattr(ours, kind), getattr(theirs, kind))
    assert not wrong, "\n".join(wrong)
