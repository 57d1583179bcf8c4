# SPDX-License-Identifier: ISC
"""The client's tables, for Posthaste and for a real Postfix: who logs in where
(smtp_sasl_password_maps), where TLS is a must (smtp_tls_policy_maps), which
addresses leave (smtp_generic_maps). What servers hear is compared."""
import base64
import contextlib
import pathlib
import re
import smtplib
import tempfile

import pytest

import postfix_peer
from peers import FakeServer
from posthaste import AS_ROOT, free_port, wait_for

pytestmark = pytest.mark.skipif(
    not AS_ROOT or postfix_peer.why_not() is not None,
    reason=postfix_peer.why_not() or "Postfix needs root")

MAIN = """\
myorigin = origin.test
mydestination =
virtual_alias_domains =
virtual_alias_maps =
virtual_mailbox_domains =
mynetworks = 127.0.0.0/8
recipient_delimiter = +
notify_classes =
disable_dns_lookups = yes
inet_protocols = ipv4
local_header_rewrite_clients = static:all
default_transport = smtp
relayhost = [127.0.0.9]:{port}
transport_maps = texthash:{tables}/transport
smtp_sasl_auth_enable = yes
smtp_sasl_security_options =
smtp_sasl_mechanism_filter = plain
smtp_sender_dependent_authentication = yes
smtp_sasl_password_maps = texthash:{tables}/passwords
smtp_tls_security_level = may
smtp_tls_policy_maps = texthash:{tables}/policy
smtp_generic_maps = texthash:{tables}/generic
"""
HOSTS = ["127.0.0.1"] + [f"127.0.0.{i}" for i in range(2, 10)]
TABLES = {
    "transport":
        "a1.test smtp:[127.0.0.1]:{port}\na2.test smtp:[127.0.0.2]:{port}\n"
        "a3.test smtp:[127.0.0.3]:{port}\na4.test smtp:[localhost]:{port}\n"
        "a5.test smtp:127.0.0.5:{port}\n"
        "p1.test smtp:[127.0.0.6]:{port}\np2.test smtp:[127.0.0.7]:{port}\n"
        "p3.test smtp:[127.0.0.8]:{port}\np4.test smtp:127.0.0.8:{port}\n",
    "passwords":
        "s1@auth.test of-sender:x\n@auth.test of-senders:x\n"
        "s2@auth.test of-s2:x\ns3 of-local-part:x\n"
        "[127.0.0.1]:{port} of-place:x\n[127.0.0.1] of-brackets:x\n"
        "127.0.0.1 of-address:x\n"
        "[127.0.0.2] of-brackets:x\n127.0.0.2:{port} of-port:x\n"
        "127.0.0.3 of-address:x\nlocalhost of-name:x\n"
        "127.0.0.5:{port} of-bare-place:x\n127.0.0.5 of-bare:x\n",
    "policy":
        "[127.0.0.6]:{port} encrypt\n[127.0.0.6] none\n"
        "127.0.0.7 encrypt\n[127.0.0.8] encrypt\n"
        "127.0.0.8:{port} encrypt\n",
    "generic":
        "g1@gen.test one@out.test\ng1+e@gen.test two@out.test\n"
        "@gdom.test @out.test\nu@gdom.test three@out.test\n"
        "plain four@out.test\nalone@origin.test five\n"
        "r@far.test mapped@far.test\n@star.test all@out.test\n",
}
MAIL = [
    ("x@y.test", f"r@a{i}.test") for i in range(1, 6)
] + [
    (sender, "s@a3.test") for sender in
    ("s1@auth.test", "s1+e@auth.test", "s2+e@auth.test", "s3@auth.test",
     "s3@other.test", "")
] + [("x@y.test", f"r@p{i}.test") for i in range(1, 5)] + [
    (sender, "g@a3.test") for sender in
    ("g1@gen.test", "g1+e@gen.test", "g1+f@gen.test", "G1@GEN.test",
     "u@gdom.test", "v@gdom.test", "v+e@gdom.test", "plain@origin.test",
     "plain+e@origin.test", "plain@elsewhere.test", "alone@origin.test",
     "any@star.test")
] + [("x@y.test", "r@far.test"), ("x@y.test", "r+e@far.test"),
     ("x@y.test", "u@gdom.test")]
CONTENT = ("From: G <g1+e@gen.test>\r\nSender: v@gdom.test\r\n"
           "Reply-To: plain@origin.test\r\nTo: <r+e@far.test>, g1@gen.test\r\n"
           "Cc: any+e@star.test\r\nResent-From: u@gdom.test\r\n"
           "Subject: {number}\r\n\r\ng1@gen.test\r\n")


def send_all(port):
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as s:
        s.ehlo("client.test")
        for number, (sender, recipient) in enumerate(MAIL):
            s.sendmail(sender, [recipient], CONTENT.format(number=number))


def heard(servers):
    """Number of the message to who spoke, where, and what left."""
    found = {}
    for server in servers:
        for spoken in server.sessions:
            user, envelope = "", []
            for line in spoken:
                if line.startswith("AUTH PLAIN "):
                    user = base64.b64decode(
                        line.split()[2]).split(b"\0")[1].decode()
                elif line.startswith("MAIL"):
                    envelope = [re.sub(r"> .*", ">", line)]
                elif line.startswith("RCPT"):
                    envelope.append(re.sub(r"> .*", ">", line))
                elif line == "DATA":
                    found.setdefault(tuple(envelope), []).append(
                        (server.host, user))
    letters = {}
    for server in servers:
        for sender, recipients, content in server.messages:
            text = re.sub(r"\r\n[ \t]+", " ", content.decode())
            fields = re.findall(r"(?m)^(?:From|Sender|Reply-To|To|Cc|"
                                r"Resent-From): .*$", text)
            number = int(re.search(r"(?m)^Subject: (\d+)", text)[1])
            letters[number] = (re.sub(r"> .*", ">", sender),
                               [re.sub(r"> .*", ">", r) for r in recipients],
                               [f.strip() for f in fields])
    return {k: sorted(v) for k, v in found.items()}, letters


@contextlib.contextmanager
def sinks(port):
    servers = []
    for host in HOSTS:
        servers.append(FakeServer(
            extensions=("8BITMIME", "AUTH PLAIN"), port=port, host=host,
            replies={"AUTH": "235 2.7.0 Welcome"}))
        servers[-1].host = host
    try:
        yield servers
    finally:
        for server in servers:
            server.close()


REASON = re.compile(r" to=<([^>]*)>,.* status=deferred \((.*)\)$", re.M)


def deferred(log):
    return sorted(set(REASON.findall(log)))


def test_what_servers_hear(suite):
    tables = pathlib.Path(tempfile.mkdtemp(prefix="ph-client-", dir="/tmp"))
    tables.chmod(0o755)
    port = free_port()
    for name, text in TABLES.items():
        (tables / name).write_text(text.format(port=port))
    main = MAIN.format(tables=tables, port=port)
    s = suite(start=False)
    with open(s.root / "etc/main.cf", "a") as f:
        f.write(main)
    total = len(MAIL)

    def settled(servers, log):
        return lambda: sum(len(x.messages) for x in servers) + \
            len(deferred(log())) >= total
    with sinks(port) as servers:
        s.start()
        send_all(s.ports["smtp"])
        wait_for("the mail", settled(servers, s.log))
        ours = heard(servers)
        ours_deferred = deferred(s.log())
        s.stop()
    with sinks(port) as servers, postfix_peer.beside(
            tables / "peer", peer_port := free_port(), main) as peer:
        send_all(peer_port)
        wait_for("Postfix's mail", settled(servers, peer.log), 60)
        theirs = heard(servers)
        theirs_deferred = deferred(peer.log())
    for a, b in zip(ours, theirs):
        apart = [f"{k}: ours {a.get(k)}, Postfix's {b.get(k)}"
                 for k in sorted({*a, *b}, key=str) if a.get(k) != b.get(k)]
        assert not apart, "\n".join(apart)
    assert ours_deferred == theirs_deferred
    assert len(ours_deferred) >= 2 and len(ours[1]) > 20
