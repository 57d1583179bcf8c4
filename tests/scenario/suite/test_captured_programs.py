# SPDX-License-Identifier: ISC
"""Whom a program that strangers have taken over reaches, and what it may say
there. What it can do by itself: test_confinement.py."""
import contextlib
import hashlib
import os
import re
import signal
import socket
import subprocess

import pytest

from ipc_client import Ipc, version_of
from posthaste import (AS_ROOT, DEADLINE, PASSWORD, ROOT, SOURCE,
                       wait_for)
from programs import SPEAKS_TO_MASTER, own_programs, replace

pytestmark = pytest.mark.unsanitized

SECRETS = """\
relay_password = static:me:MARK-of-macro
smtp_sasl_password_maps = $relay_password, inline:{a.test=b:MARK-inline}
lmtp_sasl_password_maps = static:me:MARK-of-lmtp
"""


def memory_of(pid):
    """Everything the process could give away."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "[vvar" in line or "[vsyscall" in line or rights[0] != "r":
                continue
            if "posthaste.index" in line:  # a file, and a map of gigabytes
                continue
            start, end = (int(n, 16) for n in span.split("-"))
            memory.seek(start)
            try:
                found.append(memory.read(end - start))
            except OSError:
                pass
    return b"".join(found)


@pytest.mark.skipif(not AS_ROOT, reason="looks into other processes")
def test_passwords_of_settings_are_in_smtp_alone(suite):
    s = suite(main=SECRETS)
    pop3, imap = s.pop3(), s.imap(tls="starttls")
    with s.smtp():
        s.send()
        s.wait_messages("bob")
        marks = {name: set(re.findall(rb"MARK-[a-z-]+", memory_of(pid)))
                 for name in ("smtpd", "cleanup", "qmgr", "lookup", "pop3d",
                              "local", "auth", "logd", "pop3d-session", "imapd",
                              "imapd-session")
                 for pid in s.processes(name)}
    pop3.quit()
    imap.logout()
    assert len(marks) == 11
    assert not any(marks.values()), marks
    private = socket.socket(socket.AF_UNIX)
    private.connect(str(s.root / "spool/private/smtp"))
    pid = wait_for("smtp", lambda: s.processes("smtp"))[0]
    wait_for("settings", lambda: b"MARK-inline" in memory_of(pid))


def private_prime(key):
    """One of the secret numbers, as they are in memory and in files."""
    text = subprocess.run(["openssl", "rsa", "-in", key, "-noout", "-text"],
                          check=True, capture_output=True, text=True).stdout
    digits = re.search(r"prime1:([0-9a-f:\s]+)", text)[1]
    return bytes.fromhex(re.sub(r"[:\s]", "", digits)).lstrip(b"\0")


@pytest.mark.skipif(not AS_ROOT, reason="looks into other processes")
def test_private_keys_are_in_keyd_alone(suite):
    s = suite()
    prime = private_prime(s.root / "etc/key.pem")
    sessions = [s.smtp(tls=True), s.pop3(tls="stls"), s.imap(tls="starttls")]

    def holds(name):
        return any(form in memory_of(pid) for pid in s.processes(name)
                   for form in (prime, prime[::-1]))

    assert holds("keyd")
    for name in ("smtpd", "pop3d", "imapd", "pop3d-session", "imapd-session",
                 "lookup", "auth", "qmgr", "logd", "master"):
        assert s.processes(name), name
        assert not holds(name), name
    for session in sessions:
        session.close()


@pytest.mark.skipif(not AS_ROOT, reason="looks into other processes")
def test_who_knows_tokens_is_not_told_where_accounts_are(suite):
    s = suite(main="auth_token_checker = /bin/cat MARK-of-checker\n"
                   "auth_mechanisms = plain oauthbearer\n"
                   "account_domain = MARK-of-accounts.test\n")

    def started(name, knows):
        private = socket.socket(socket.AF_UNIX)
        private.connect(str(s.root / "spool/private" / name))
        pid = wait_for(name, lambda: s.processes(name))[0]
        wait_for("settings", lambda: knows in memory_of(pid))
        private.close()
        return pid

    pid = started("auth-token", b"MARK-of-checker")
    assert b"MARK-of-accounts" not in memory_of(pid)
    assert b"etc/accounts" not in memory_of(pid)
    auth = started("auth", b"MARK-of-accounts")
    assert b"etc/accounts" in memory_of(auth)


ASKS = SPEAKS_TO_MASTER + """
said = []
for service in {services}:
    master.sendall(connect(service.encode(), 1))
    answer, fds = b"", []
    while b"connected" not in answer:
        data, more, _, _ = socket.recv_fds(master, 4096, 4)
        answer, fds = answer + data, fds + more
    said.append(("reached" if fds else
                 "forbidden" if b"forbidden\\2\\0\\0\\0\\1\\1" in answer else
                 "missing") + " " + service)
with open("{out}.new", "w") as f:
    print(*said, sep="\\n", file=f)
os.rename("{out}.new", "{out}")
master.sendall(frame("ready", field("generation", 1, struct.pack(">Q", 1))))
master.recv(1) # "retire", or the end
"""

# The claim: of each program of programs.def, by hand.
REACHES = {
    "smtpd": "lookup cleanup auth keyd quota resolver",
    "cleanup": "lookup qmgr",
    "qmgr": "lookup bounce smtp local",
    "smtp": "lookup-smtp keyd resolver",
    "local": "lookup cleanup",
    "bounce": "lookup cleanup",
    "pickup": "cleanup",
    "showq": "",
    "lookup": "lookup-server",
    "lookup-server": "",
    "lookup-smtp": "lookup-smtp-server",
    "lookup-smtp-server": "",
    "auth": "auth-pam auth-token lookup-auth-server",
    "auth-session": "lookup-auth-server",
    "lookup-auth-server": "",
    "auth-pam": "",
    "auth-token": "",
    "quota": "auth-session",
    "resolver": "",
    "keyd": "",
    "pop3d": "auth keyd pop3d-session",
    "pop3d-session": "auth-session",
    "imapd": "auth keyd imapd-session",
    "imapd-session": "auth-session",
    "logd": "",
}
# Services that are not called as their program, or not like it alone. Servers
# have ports, which nobody is connected to; these here are for the test.
SERVICES = {
    "smtp": "smtp relay lmtp",
    "local": "local virtual error retry discard",
    "bounce": "bounce defer trace",
    "smtpd": "smtpd-unix",
    "pop3d": "pop3d-unix",
    "imapd": "imapd-unix",
}
SERVERS = "".join(f"{name}-unix unix n - n - - {name}\n"
                  for name in ("smtpd", "pop3d", "imapd"))
SOCKETS = ["unix:/dev/log", "unix:private/qmgr", "unix:public/cleanup"]
# logd's is for datagrams; the others are nobody's
NO_SERVICES = ["log", "logd", "smtpd", "pop3d", "imapd", "master"]


def services_of(programs):
    return [service for program in programs
            for service in SERVICES.get(program, program).split()]


def test_who_reaches_whom_is_told_alike():
    """By the test, the table that master goes by, and the manual."""
    rows = re.findall(r'^PROGRAM\(([^,]+), \w+, \w+, \w+, "([^"]*)"',
                      (SOURCE / "lib/service/programs.def").read_text(), re.M)
    claimed = {name: set(peers.split()) for name, peers in REACHES.items()}
    assert claimed == {name: set(peers.split()) for name, peers in rows}
    text = (SOURCE / "doc/PRIVILEGES.md").read_text()
    table = re.search(r"^\| program \| identity (.*\n\|)+.*", text, re.M)
    told = {}
    for line in table[0].splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        peers = set(cells[4].replace("nobody", "").replace(",", " ").split())
        if ", one " in cells[0]:  # which a parent has forked
            assert not peers, line
        else:
            told[re.match(r"[\w-]+", cells[0])[0]] = peers
    assert told.pop("master") == set("starts all connects all".split())
    assert told == claimed


@pytest.mark.parametrize("program", REACHES)
def test_program_reaches_its_peers_alone(suite, program):
    s = suite(start=False, master=SERVERS)
    out = s.root / "said"
    everybody = services_of(name for name in REACHES if name != "logd")
    nobody = NO_SERVICES + [f"127.0.0.1:{n}" for n in s.ports.values()]
    services = everybody + SOCKETS + nobody
    replace(own_programs(s), program, ASKS.format(services=services, out=out))
    s.start()
    with touch(s, program):
        wait_for("an answer", out.exists)
    said = {"reached": set(), "forbidden": set(), "missing": set()}
    for line in out.read_text().splitlines():
        answer, service = line.split()
        said[answer].add(service)
    peers = set(services_of(REACHES[program].split()))
    assert said["reached"] == peers
    # and all the others are there, to be refused
    assert said["forbidden"] == (set(everybody) | set(SOCKETS)) - peers
    assert said["missing"] == set(nobody)


KILLS_LISTENER = """#!/usr/bin/python3
import fcntl, os, socket, sys, time
if not os.path.exists("{done}"):
    open("{done}", "w").close()
    os.set_blocking(4, True)
    os.set_blocking(7, True)
    socket.socket(fileno=os.dup(7)).shutdown(socket.SHUT_RDWR)
    socket.socket(fileno=3).recv(1)
    sys.exit(0)
os.execv("{real}", ["{program}"] + sys.argv[1:])
"""


@pytest.mark.parametrize("program, key, where", [
    ("smtpd", "smtp", "127.0.0.1:{smtp}"), ("cleanup", "", "public/cleanup")])
def test_listener_that_a_program_shut_down_is_opened_again(
        suite, program, key, where):
    """A program with no filter: those with one cannot do this."""
    s = suite(start=False)
    where = where.format(**s.ports)
    replace(own_programs(s), program, KILLS_LISTENER.format(
        program=program, done=s.root / "done",
        real=ROOT / "libexec/posthaste" / program))
    s.start()
    if key:
        socket.create_connection(("127.0.0.1", s.ports[key])).close()
    else:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(s.root / "spool" / where))
    s.wait_log(rf"error: .*: a process of {program} has shut down the "
               rf"listener on {re.escape(where)}: opened again")
    s.wait_log("error: log: a process has changed the flags of the pipe")
    s.wait_log(rf"changed the flags of {re.escape(where)}: set right")
    s.send()
    s.wait_messages("bob")


def touch(s, program):
    """Something for which master starts the program."""
    if program in ("smtpd", "pop3d", "imapd"):
        return socket.create_connection(
            ("127.0.0.1", s.ports[program.replace("d", "")]))
    client = socket.socket(socket.AF_UNIX)
    for folder in ("private", "public"):
        path = s.root / "spool" / folder / program
        if path.exists():
            client.connect(str(path))
            with contextlib.suppress(BrokenPipeError):  # it has ended
                client.send(b"W")
    return client


SUBMITS = SPEAKS_TO_MASTER + """
def number(n): return struct.pack(">Q", n)
master.sendall(connect(b"cleanup", 1))
fds = []
while not fds:
    data, fds, _, _ = socket.recv_fds(master, 4096, 4)
cleanup = socket.socket(fileno=fds[0])
cleanup.setblocking(True)
texts = dict(queue_id="", origin="smtpd", sender="a@b.test", full_name="",
             envid="", client="x", trace="", header_domain="",
             login="", login_owners="")
flags = dict(smtputf8=0, trusted=0, dot_lf=0, extract=0, verify=0,
             trace_deliveries=0, report=0, hold=0, unmapped=0, unchecked=0,
             redirected=0)
{change}
to = b"".join([field("address", 0, b"bob@example.test"),
               *[field(n, 0, b"") for n in
                 ("original", "orcpt", "transport", "nexthop")],
               field("notify", 1, number(0)), field("final", 2, bytes([0]))])
cleanup.sendall({introduction} frame("hello", field("protocol", 0, b"cleanup"),
    field("version", 1, number(1))) + frame("submit",
    *[field(n, 0, t.encode()) for n, t in texts.items()],
    *[field(n, 2, bytes([f])) for n, f in flags.items()],
    *[field(n, 1, number(0)) for n in
      ("ret", "body", "extract_notify", "arrival", "author_match")],
    field("recipients", 5, struct.pack(">I", 1)
          + struct.pack(">I", len(to)) + to))
    + struct.pack(">I", 4) + b"\\r\\nxy" + struct.pack(">I", 0)
    + frame("submit_end", field("size", 1, number(4))))
answer = b""
while b"submit_result" not in answer:
    try:
        more = cleanup.recv(65536)
    except OSError:
        break
    if not more:
        break
    answer += more
with open("{out}.new", "w") as f:
    f.write("queued" if b"submit_result" in answer else "refused")
os.rename("{out}.new", "{out}")
master.recv(1)
"""


@pytest.mark.parametrize("change, introduction, result", [
    ("", "", "queued"),
    ("texts['origin'] = 'pickup'", "", "refused"),
    ("flags['report'] = 1", "", "refused"),
    ("flags['verify'] = 1", "", "refused"),
    # one of its own, behind master's
    ("texts['origin'] = 'bounce'",
     "frame('introduction', field('program', 0, b'bounce'), "
     "field('service', 0, b'bounce')) +", "refused"),
])
def test_captured_smtpd_submits_as_smtpd(suite, change, introduction, result):
    s = suite(start=False)
    out = s.root / "result"
    replace(own_programs(s), "smtpd", SUBMITS.format(
        change=change, introduction=introduction, out=out))
    s.start()
    with touch(s, "smtpd"):
        wait_for("an answer", out.exists)
    assert out.read_text() == result
    if result == "queued":
        assert len(s.wait_messages("bob")) == 1
    else:
        s.wait_log(r"cleanup.* protocol error: "
                   r"(submit: smtpd may not set|an introduction)")
        assert not s.queue()


SIGNS = SPEAKS_TO_MASTER + """
master.sendall(connect(b"keyd", 1))
fds = []
while not fds:
    data, fds, _, _ = socket.recv_fds(master, 4096, 4)
keyd = socket.socket(fileno=fds[0])
keyd.setblocking(True)
keyd.sendall(frame("hello", field("protocol", 0, b"keyd"),
                   field("version", 1, struct.pack(">Q", {version}))) +
             frame("key_sign", field("key", 0, b"{key}"),
                   field("operation", 1, struct.pack(">Q", 0)),
                   field("padding", 1, struct.pack(">Q", 1)),
                   field("data", 3, bytes.fromhex("{digest}"))))
answer = b""
while b"data" not in answer:
    answer += keyd.recv(65536)
with open("{out}.new", "w") as f:
    f.write("signed" if b"done\\2\\0\\0\\0\\1\\1" in answer else "refused")
os.rename("{out}.new", "{out}")
master.recv(1)
"""


def key_id(certificate):
    """How keyd is asked for the key of it."""
    der = subprocess.run(
        f"openssl x509 -in {certificate} -noout -pubkey | "
        "openssl pkey -pubin -outform DER", shell=True, check=True,
        capture_output=True).stdout
    return "sha256:" + hashlib.sha256(der).hexdigest()


@pytest.mark.parametrize("program, result", [
    ("smtpd", "signed"), ("pop3d", "signed"), ("imapd", "signed"),
    ("smtp", "refused")])
def test_who_has_the_servers_key_sign(suite, program, result):
    """The client, which talks to any server, cannot be this server."""
    s = suite(start=False)
    out = s.root / "result"
    digest_info = "3031300d060960864801650304020105000420" + 32 * "ab"
    replace(own_programs(s), program, SIGNS.format(
        version=version_of("keyd"), out=out, digest=digest_info,
        key=key_id(s.root / "etc/cert.pem")))
    s.start()
    with touch(s, program):
        wait_for("an answer", out.exists)
    assert out.read_text() == result
    if result == "refused":
        s.wait_log("keyd.* refused for smtp: a key of other programs")


def hand_over(s, stage, what, user="bob"):
    """Who logs in, and the login stage hands this over as the connection."""
    auth = Ipc(s, "auth", "auth")
    name, answer = auth.ask(
        "authenticate", service="pop3", mechanism="PLAIN", client="127.0.0.1",
        server="mx.example.test", tls=True, has_initial=True, binding=b"",
        initial=f"\0{user}\0{PASSWORD}".encode())
    assert (name, answer["verdict"]) == ("authenticated", 0)
    stage.send("open_session", ticket=answer["ticket"], id="id",
               client="127.0.0.1", method="PLAIN", tls="", tag="", early=b"",
               socket=what)
    return auth  # to be kept


def handed_over(s, what):
    stage = Ipc(s, "pop3d-session", "session")
    return hand_over(s, stage, what), stage  # to be kept


def test_captured_login_stage_hands_over_connections_alone(suite):
    """Its listener, or the log, would be in other hands under a number that
    their filter does not know."""
    s = suite()
    there, here = socket.socketpair()
    with there, here, socket.create_server(("127.0.0.1", 0)) as listener, \
            open(os.devnull, "w") as file:
        kept = [handed_over(s, there)]
        assert here.recv(100).startswith(b"+OK")
        for what in (listener, file):
            before = s.log().count("is no connection")
            kept.append(handed_over(s, what))
            wait_for("a refusal", lambda: s.log().count(
                "handed over is no connection") == before + 1)
        assert len(s.processes("pop3d-session")) == 2  # bob's first alone
    for c in sum(kept, ()):
        c.close()


def test_clients_of_a_login_stage_that_left_get_their_sessions(suite):
    """They were handed over before its end, or before it closed a connection
    that it had too many of; nobody else has them any more."""
    s = suite()
    s.pop3().quit()
    parent = min(s.processes("pop3d-session"))
    os.kill(parent, signal.SIGSTOP)
    with contextlib.ExitStack() as kept:
        try:
            stage = Ipc(s, "pop3d-session", "session")
            clients = []
            for user in ("bob", "alice"):
                there, here = socket.socketpair()
                clients.append(kept.enter_context(here))
                with there:
                    kept.callback(hand_over(s, stage, there, user).close)
            stage.close()
        finally:
            os.kill(parent, signal.SIGCONT)
        for here in clients:
            here.settimeout(DEADLINE)
            assert here.recv(100).startswith(b"+OK")
