# SPDX-License-Identifier: ISC
"""The keys that each table is asked for, in which order, as the rows of
search_order.py say: by mail that is sent through, for Posthaste and for a
Postfix, which is the judge where there is one."""
import os
import pathlib
import re
import shutil
import smtplib
import socket
import tempfile

import pytest

import postfix_peer
import search_order
from peers import FakeDNS
from posthaste import AS_ROOT, free_port, wait_for
from search_order import DOTTED, FORMS, PARENT

MAPS = sorted({row.map for row in search_order.ROWS})
# what is not asked about lets things pass
MORE = {
    "transport_maps": ("texthash", "alias.test local:\n"),
    "local_recipient_maps": ("regexp", "/@(l[0-9]+|alias)\\.test$/ x\n"),
    "virtual_uid_maps": ("regexp", "/@v/ {uid}\n/^no-such/ 1\n"),
    "virtual_gid_maps": ("regexp", "/@v/ {gid}\n/^no-such/ 1\n"),
}
MAIN = """\
mydestination = alias.test, {tables}/local-domains
virtual_alias_domains =
virtual_mailbox_domains = {tables}/mailbox-domains
relay_domains = {tables}/relay-domains
virtual_mailbox_base = {root}/boxes
virtual_minimum_uid = 1
mynetworks = 127.0.0.0/8, {own}
inet_protocols = all
inet_interfaces = loopback-only
recipient_delimiter = +
local_transport = discard:here
relay_transport = discard:relayed
default_transport = discard
alias_database =
notify_classes =
biff = no
smtpd_recipient_limit = 2000
smtpd_soft_error_limit = 5000
smtpd_hard_error_limit = 5000
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = permit_mynetworks,
 check_client_access static:OK, reject_unauth_destination
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_recipient_restrictions =
"""


def write_tables(cases, tables):
    texts = {(m, f): MORE[m][1] if m in MORE and MORE[m][0] == f else ""
             for m in MAPS for f in FORMS}
    for case in cases:
        for key, value in case.entries():
            pattern = re.sub(r"([][.+*()^$|])", r"\\\1", key)
            texts[case.row.map, case.form] += (
                f"/^{pattern}$/ {value}\n"
                if case.form in search_order.PATTERNS else f"{key} {value}\n")
        n = case.number
        if "@w" in case.question:
            texts["virtual_mailbox_maps", "texthash"] += (
                f"@w{n}.test own-{n}/\n")
            # of whoever is not asked about; -1: where the row says nobody
            for m in ("virtual_uid_maps", "virtual_gid_maps"):
                if m != case.row.map:
                    texts[m, "texthash"] += f"@w{n}.test {{uid}}\n"
    ids = {"uid": 60001, "gid": 60002}
    for (m, form), text in texts.items():
        for name, number in ids.items():
            text = text.replace("{%s}" % name, str(number))
        (tables / f"{m}.{form}").write_text(text)
    for name, letters in (("local", "lk"), ("mailbox", "vw"), ("relay", "r")):
        (tables / f"{name}-domains").write_text("".join(
            f"{letter}{c.number}.test\n" for c in cases for letter in letters))


def settings(root, tables, mode, forms=FORMS):
    lists = {m: ", ".join(f"{f}:{tables}/{m}.{f}" for f in forms)
             for m in MAPS}
    text = MAIN.format(root=root, tables=tables, own=own_address() or "")
    for how in ("client", "helo", "sender", "recipient"):
        text += "".join(f" check_{how}_access {form}:{tables}/access_{how}."
                        f"{form}\n" for form in forms)
    if mode == DOTTED:
        text += "parent_domain_matches_subdomains = transport_maps\n"
    return text + "".join(f"{m} = {value}\n" for m, value in lists.items()
                          if not m.startswith("access"))


class Asker:
    """Puts the questions to one of the two; what it says is in heard."""

    def __init__(self, port, prepare):
        self.port, self.prepare, self.heard = port, prepare, []

    def hear(self, case, answer):
        code, text = answer
        if case.row.alone and code == 250:
            text = case.names("{won}", case.first).encode()
        self.heard.append(text.decode())

    def session(self, case=None, helo="client.test"):
        s = self.prepare(self.port, case)
        assert s.ehlo(helo)[0] == 250
        return s

    def one(self, case):
        """A question that a transaction has alone."""
        how = case.row.how
        with self.session(case if "client" in how else None,
                          case.question if how == "helo" else "a.test") as s:
            sender = case.question if how == "sender" else "from@else.test"
            assert s.mail(sender)[0] == 250
            answer = s.rcpt("sink@else.test")
            self.hear(case, answer)
            if answer[0] == 250:
                assert s.data(b"Subject: x\r\n\r\n")[0] == 250

    def recipients(self, cases):
        with self.session() as s:
            assert s.mail("from@else.test")[0] == 250
            for case in cases:
                self.hear(case, s.rcpt(case.question))
            assert s.data(b"Subject: x\r\n\r\n")[0] == 250

    def ask(self, cases):
        self.recipients([c for c in cases if c.row.how == "recipient"])
        for case in cases:
            if case.row.how != "recipient":
                self.one(case)


def connect(port, address="127.0.0.1", to="127.0.0.1"):
    return smtplib.SMTP(to, port, timeout=60, source_address=(address, 0))


def with_xclient(port, case):
    s = connect(port)
    if case:
        name = case.question if "name" in case.row.how else "[UNAVAILABLE]"
        s.ehlo("a.test")
        address = (f"IPV6:{case.question}" if case.row.how.endswith("6")
                   else case.names(search_order.NETS[0]))
        code, text = s.docmd("XCLIENT", f"NAME={name} ADDR={address}")
        assert code == 220, text
    return s


def own_address():
    """Of the machine, but not 127.0.0.1, which is always localhost."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]
        except OSError:
            return None


def winners(cases, heard, boxes):
    """Of each case, the keys that show."""
    for folder in boxes.iterdir():
        own = re.fullmatch(r"own-(\d+)", folder.name)
        st = folder.stat()
        if own:
            heard += [f"won-{own.group(1)}-{i - 70000}"
                      for i in (st.st_uid, st.st_gid) if i >= 70000]
        heard.append(folder.name)
    found = {}
    for n, i, extension in re.findall(
            r"won-(\d+)-(\d+)(\+e)?(?=[^\d+]|$)", "\n".join(heard), re.M):
        found.setdefault(int(n), set()).add(i + extension)
    return {c.number: found.get(c.number, set()) for c in cases}


def make_boxes(root):
    (root / "boxes").mkdir()
    (root / "boxes").chmod(0o777)
    return root / "boxes"


def ours(suite, tables, mode, cases):
    own = own_address()
    port = free_port()
    dns = FakeDNS()
    s = suite(dns=dns, start=False, master=(
        f"{own}:{port} inet n - n - - smtpd\n" if own else ""))
    with open(s.root / "etc/main.cf", "a") as f:
        f.write(settings(s.root, tables, mode))

    def prepare(_, case):
        if case is None:
            return connect(s.ports["smtp"])
        if case.row.how == "client6":
            return with_xclient(s.ports["smtp"], case)
        if "name" not in case.row.how:
            return connect(s.ports["smtp"], case.question)
        dns.records[".".join(reversed(own.split("."))) + ".in-addr.arpa",
                    "PTR"] = [case.question]
        dns.records[case.question, "A"] = [own]
        return connect(port, own, own)

    if own is None:
        cases[:] = [c for c in cases if "name" not in c.row.how]
    boxes = make_boxes(s.root)
    s.start()
    asker = Asker(s.ports["smtp"], prepare)
    asker.ask(cases)
    # a mailbox of nobody's stays
    s.wait_empty("incoming", "maildrop")
    s.stop()
    dns.close()
    return winners(cases, asker.heard + [s.log()], boxes)


def theirs(folder, tables, mode, cases, forms):
    folder.mkdir()
    boxes = make_boxes(folder)
    port = free_port()
    peer = postfix_peer.PostfixServer(
        folder, port, settings(folder, tables, mode, forms)).start()
    try:
        wait_for("Postfix", lambda: listens(port))
        asker = Asker(port, with_xclient)
        asker.ask(cases)
        wait_for("an empty queue", lambda: not any(
            files for q in ("incoming", "active", "maildrop")
            for _, _, files in os.walk(folder / "queue" / q)))
    finally:
        peer.stop()
    return winners(cases, asker.heard + [peer.log()], boxes)


def listens(port):
    try:
        smtplib.SMTP("127.0.0.1", port).quit()
        return True
    except OSError:
        return False


def compare(cases, got):
    wrong = []
    for case in cases:
        if got[case.number] != case.expected():
            wrong.append(f"{case.row.name}, {case.form}: {case.question} of "
                         f"{[k for k, _ in case.entries()]}: "
                         f"{sorted(got[case.number])} won, not "
                         f"{sorted(case.expected())}")
    return wrong


@pytest.fixture
def folder():
    """pytest keeps its own for its user alone."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="ph-order-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def tables(folder):
    (folder / "tables").mkdir(mode=0o755)
    return folder / "tables"


@pytest.mark.skipif(not AS_ROOT, reason="mailboxes of several users")
@pytest.mark.parametrize("mode", [PARENT, DOTTED])
def test_keys_in_their_order(suite, tables, mode):
    cases = search_order.cases(mode)
    write_tables(cases, tables)
    wrong = compare(cases, ours(suite, tables, mode, cases))
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not AS_ROOT or postfix_peer.why_not() is not None,
                    reason=postfix_peer.why_not() or "Postfix needs root")
@pytest.mark.parametrize("mode", [PARENT, DOTTED])
def test_the_rows_are_what_postfix_does(folder, tables, mode):
    forms = FORMS if postfix_peer.why_not("pcre") is None else FORMS[:2]
    cases = search_order.cases(mode, forms)
    write_tables(cases, tables)
    wrong = compare(cases, theirs(folder / "peer", tables, mode, cases,
                                 forms))
    assert not wrong, "\n".join(wrong)
