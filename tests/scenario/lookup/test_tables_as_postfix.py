# SPDX-License-Identifier: ISC
"""The same settings and tables, the same mail, for Posthaste and for a real
Postfix: what each replies, where each sends it, from whom, with which headers.
Of tables whose keys are special: the empty sender, patterns of addresses,
transport's "*", owner- aliases, classes of canonical addresses, copies."""
import contextlib
import pathlib
import re
import smtplib
import tempfile

import pytest

import postfix_peer
from posthaste import AS_ROOT, free_port, wait_for
from test_search_order import listens

pytestmark = pytest.mark.skipif(
    not AS_ROOT or postfix_peer.why_not() is not None,
    reason=postfix_peer.why_not() or "Postfix needs root")

MAIN = """\
myorigin = origin.test
mydestination = local.test
local_recipient_maps =
virtual_alias_domains =
virtual_alias_maps =
virtual_mailbox_domains = box.test
virtual_mailbox_base = {root}/boxes
virtual_mailbox_maps = inline:{{box@box.test=box/}}
virtual_uid_maps = static:60001
virtual_gid_maps = static:60001
virtual_minimum_uid = 1
mynetworks = 127.0.0.0/8
recipient_delimiter = +
default_transport = discard
relay_transport = discard
local_transport = local
relayhost = [relay.test]
notify_classes =
biff = no
alias_maps = texthash:{tables}/aliases
transport_maps = texthash:{tables}/transport
sender_dependent_relayhost_maps = texthash:{tables}/relayhost
sender_dependent_default_transport_maps = texthash:{tables}/default
empty_address_relayhost_maps_lookup_key = nobody
relocated_maps = texthash:{tables}/relocated
recipient_bcc_maps = texthash:{tables}/recipient_bcc
sender_bcc_maps = texthash:{tables}/sender_bcc
canonical_maps = texthash:{tables}/canonical
canonical_classes = header_recipient, envelope_recipient
sender_canonical_maps = texthash:{tables}/sender_canonical
sender_canonical_classes = envelope_sender
recipient_canonical_maps = texthash:{tables}/recipient_canonical
recipient_canonical_classes = header_recipient
local_header_rewrite_clients = static:all
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_restriction_classes = by_sender, by_cidr, by_other_cidr, by_null_key
by_sender = check_sender_access texthash:{tables}/senders
by_cidr = check_client_access cidr:{tables}/clients
by_other_cidr = check_client_access cidr:{tables}/other_clients
by_null_key = check_sender_access inline:{{{{<>=REJECT the null key}}}}
smtpd_recipient_restrictions = check_recipient_access texthash:{tables}/ask
"""
TABLES = {
    "aliases": "list a@far.test, b@far.test\nowner-list boss@far.test\n"
               "list-request req@far.test\nplain p@far.test\n"
               "two t1@far.test, plain\nowner-two list-keeper\n"
               "list-keeper keeper@far.test\nall list, plain\n",
    "transport": "* discard:star\nsub.test discard:sub\n"
                 ".sub.test discard:dotsub\nu@sub.test discard:user\n"
                 "r.test :\nnext.test :[gateway.test]\nbare.test discard:\n"
                 "box.test :\nlocal.test :\n",
    "relayhost": "s1@src.test [s1.test]\n@src.test [src.test]:26\n"
                 "dunno@src.test DUNNO\nnobody [null.test]\n",
    "default": "d1@dflt.test discard:d1\n@dflt.test discard:dflt\n"
               "dunno@dflt.test DUNNO\n<> discard:\n",
    "relocated": "gone@x.test new@y.test\n@moved.test\tthe moon\n"
                 "u@gone.test u@here.test\n",
    "recipient_bcc": "two@bcc.test c1@far.test, c2@far.test\n"
                     "@one.test keep+copy@far.test\n"
                     "bare@bcc.test archive\n",
    "sender_bcc": "@sbcc.test sent@far.test\n",
    "canonical": "c@can.test can@rewritten.test\n@whole.test @new.test\n",
    "sender_canonical": "@can.test from@rewritten.test\n"
                        "u@ext.test user@rewritten.test\n",
    "recipient_canonical": "box@box.test shown@rewritten.test\n",
    "senders": "<> REJECT the null sender\nbad@x.test REJECT bad\n"
               "bad+e@x.test DEFER later\nx.test 450 4.1.0 domain\n"
               "us@ REJECT user\n",
    "clients": "10.0.0.0/8 REJECT ten\n!127.0.0.0/8 REJECT not ours\n"
               "127.0.0.1 REJECT the host\n127.0.0.0/8 REJECT the net\n",
    "other_clients": "if 127.0.0.0/9\n127.0.0.0/24 REJECT inside\nendif\n"
                     "127.0.0.1 REJECT outside\n",
    "ask": "sender@ask.test by_sender\ncidr@ask.test by_cidr\n"
           "cidr2@ask.test by_other_cidr\nnull@ask.test by_null_key\n",
}
# sender, recipients
MAIL = [
    ("x@y.test", ["a@any.test", "u@sub.test", "u+e@sub.test", "v@sub.test",
                  "v@a.sub.test", "v@a.b.sub.test", "v@bare.test"]),
    ("x@y.test", ["a@r.test", "a@next.test"]),
    ("s1@src.test", ["s1@r.test"]), ("s1+e@src.test", ["s1e@r.test"]),
    ("s2@src.test", ["s2@r.test"]), ("dunno@src.test", ["dunno@r.test"]),
    ("", ["null@r.test"]), ("d1@dflt.test", ["d1@r.test"]),
    ("d1+e@dflt.test", ["d1e@r.test"]), ("d2@dflt.test", ["d2@r.test"]),
    ("dunno@dflt.test", ["d3@r.test"]),
    ("x@y.test", ["list@local.test"]), ("x@y.test", ["list+e@local.test"]),
    ("x@y.test", ["owner-list@local.test"]),
    ("x@y.test", ["owner-list+e@local.test"]),
    ("x@y.test", ["list-request+e@local.test"]),
    ("x@y.test", ["plain+e@local.test"]), ("x@y.test", ["two@local.test"]),
    ("x@y.test", ["all@local.test"]), ("", ["list@local.test"]),
    ("x@y.test", ["gone@x.test"]), ("x@y.test", ["gone+e@x.test"]),
    ("x@y.test", ["u@moved.test"]), ("x@y.test", ["u+e@gone.test"]),
    ("x@y.test", ["two@bcc.test"]),
    ("x@y.test", ["a@one.test"]), ("x@y.test", ["bare@bcc.test"]),
    ("s@sbcc.test", ["s@far.test"]),
    ("c@can.test", ["c@can.test"]), ("c@can.test", ["box@box.test"]),
    ("u+e@ext.test", ["ext@r.test"]), ("x@y.test", ["w+e@whole.test"]),
    ("", ["sender@ask.test"]), ("bad@x.test", ["sender@ask.test"]),
    ("bad+e@x.test", ["sender@ask.test"]),
    ("bad+f@x.test", ["sender@ask.test"]), ("y@x.test", ["sender@ask.test"]),
    ("us@z.test", ["sender@ask.test"]), ("us+e@z.test", ["sender@ask.test"]),
    ("x@y.test", ["cidr@ask.test"]), ("x@y.test", ["cidr2@ask.test"]),
    ("", ["null@ask.test"]),
    ('"a>, status=sent"@q.test', ['"b>, orig_to=<c"@q.test',
                                  '"d e"@q.test', '"f.g"@q.test']),
]
HEADERS = ("From: C <c@can.test>\r\nReply-To: <c@can.test>\r\n"
           "To: <c@can.test>, <box@box.test>\r\nCc: w+e@whole.test\r\n"
           "Subject: x\r\n\r\nx\r\n")


def send_all(port):
    """Of each message, what was replied."""
    replies = []
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
        s.ehlo("client.test")
        for sender, recipients in MAIL:
            assert s.mail(sender)[0] == 250
            said = [s.rcpt(r) for r in recipients]
            if any(code == 250 for code, _ in said):
                said.append((s.data(HEADERS)[0], b""))
            s.rset()
            replies.append((sender, recipients, said))
    return replies


TO = re.compile(r": (\w+): to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=([^,]*),"
                r".* status=(\w+) \((.*)\)$", re.M)


def deliveries(log):
    """From, to, as written, how: sorted, whichever went first."""
    senders = dict(re.findall(r": (\w+): from=<(.*?)>, size", log))
    return sorted((senders.get(i, "?"), to, first, status,
                   re.sub(r"\b[0-9A-F]{8,}\b|\b[0-9A-Za-z]{12,}$", "ID", how))
                  for i, to, first, relay, status, how in TO.findall(log))


def headers(boxes):
    (path,) = (boxes / "box/new").iterdir()
    text = path.read_text().replace("\r\n", "\n").split("\n\n")[0]
    return re.findall(r"(?m)^(?:Return-Path|Delivered-To|X-Original-To|From|"
                      r"Reply-To|To|Cc): .*$", re.sub(r"\n[ \t]+", " ", text))


def boxes_of(root):
    (root / "boxes").mkdir()
    (root / "boxes").chmod(0o777)
    return root / "boxes"


def test_special_keys(suite):
    tables = pathlib.Path(tempfile.mkdtemp(prefix="ph-keys-", dir="/tmp"))
    tables.chmod(0o755)
    for name, text in TABLES.items():
        (tables / name).write_text(text)
    s = suite(start=False)
    boxes = boxes_of(s.root)
    with open(s.root / "etc/main.cf", "a") as f:
        f.write(MAIN.format(root=s.root, tables=tables))
    s.start()
    ours = send_all(s.ports["smtp"])
    s.wait_empty("incoming", "maildrop")
    ours_shown = headers(boxes)
    s.stop()
    a = deliveries(s.log())
    folder = tables / "peer"
    port = free_port()
    folder.mkdir()
    boxes = boxes_of(folder)
    main = ("alias_database =\ninet_interfaces = loopback-only\n" +
            MAIN.format(root=folder, tables=tables))
    peer = postfix_peer.PostfixServer(folder, port, main).start()
    try:
        wait_for("Postfix", lambda: listens(port))
        theirs = send_all(port)
        wait_for("their mail", lambda: not any(
            p.is_file() for q in ("incoming", "active", "maildrop")
            for p in (folder / "queue" / q).rglob("*")))
        with contextlib.suppress(AssertionError):  # shown below
            wait_for("its log", lambda: len(deliveries(peer.log())) >= len(a),
                     20)
    finally:
        peer.stop()
    assert ours == theirs
    assert ours_shown == headers(boxes)
    b = deliveries(peer.log())
    apart = [f"ours: {d}" for d in a if d not in b] + [
        f"Postfix's: {d}" for d in b if d not in a]
    assert not apart, "\n".join(apart)
    assert a == b and len(a) > len(MAIL) / 2
