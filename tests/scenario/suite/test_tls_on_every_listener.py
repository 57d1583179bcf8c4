# SPDX-License-Identifier: ISC
"""TLS as an attacker would have it, on each listener of the suite: sessions
negotiated anew (CVE-2009-3555) or taken up at another port, other protocols
(CVE-2021-3618), names without end (CVE-2017-15130), handshakes that nobody
ends (CVE-2014-3430)."""
import contextlib
import re
import socket
import ssl
import subprocess

import pytest

from posthaste import DEADLINE, PASSWORD, careless_tls, does_not_grow, quick

MAIN = ("disable_plaintext_auth = no\nauth_failure_delay_max = 0\n"
        "smtpd_sasl_auth_enable = yes\n")
# what is said before TLS; nothing: it is there from the start
START = {
    "smtp": (b"EHLO client.test\r\n", b"STARTTLS\r\n"),
    "submission": (b"EHLO client.test\r\n", b"STARTTLS\r\n"),
    "smtps": (),
    "pop3": (b"STLS\r\n",),
    "pop3s": (),
    "imap": (b"a STARTTLS\r\n",),
    "imaps": (),
}
PROGRAMS = ("smtpd", "pop3d", "imapd", "keyd")


def answer(f):
    """The last line of an answer, of any of the protocols."""
    while True:
        line = f.readline()
        if not re.match(rb"\d\d\d-|\* ", line):
            return line


def before_tls(s, port):
    """A connection on which the server waits for a handshake."""
    c = socket.create_connection(("127.0.0.1", s.ports[port]), DEADLINE)
    if START[port]:
        f = c.makefile("rb", buffering=0)
        f.readline()
        for line in START[port]:
            c.sendall(line)
            assert answer(f)[:3] in (b"250", b"220", b"+OK", b"a O")
    return c


QUIT = {"p": b"QUIT\r\n", "s": b"QUIT\r\n", "i": b"q LOGOUT\r\n"}


def farewell(tls, port):
    """All that the server says until it has closed."""
    tls.sendall(QUIT[port[0]])
    heard = b""
    while more := tls.recv(4096):
        heard += more
    assert re.search(rb"^(221|\+OK|q OK)", heard, re.M), heard
    return heard


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_a_session_is_taken_up_by_its_own_service_alone(suite, version):
    """Others ask for more, or for less: HISTORY 20260805 of Postfix."""
    s = suite(main=MAIN)
    c = careless_tls(version)
    for first in START:
        with c.wrap_socket(before_tls(s, first)) as tls:
            farewell(tls, first)  # a ticket has come by then, if any comes
            session = tls.session
        for second in START:
            with c.wrap_socket(before_tls(s, second), session=session) as tls:
                assert not tls.session_reused or first == second, second
                farewell(tls, second)


@pytest.mark.parametrize("port", START)
def test_nobody_negotiates_anew(suite, port):
    """s_client does so for a line with an R, and ends when it is refused."""
    s = suite(main=MAIN)
    start = ["-starttls", port.replace("submission", "smtp")] \
        if START[port] else []
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{s.ports[port]}",
             "-tls1_2", *start], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        # a greeting that came amid a handshake would end it by itself
        while not START[port] and not re.match(
                r"220 |\+OK|\* OK", client.stdout.readline()):
            assert client.poll() is None
        client.stdin.write("R\n")
        client.stdin.flush()
        try:
            client.wait(20)  # at the end of its input it would not wait
        finally:
            client.kill()
        said = client.stderr.read()
    assert "RENEGOTIATING" in said and "no renegotiation" in said, said


REQUEST = (b"POST /%s HTTP/1.1\r\nHost: mx.example.test\r\n"
           b"Content-Type: text/plain\r\nContent-Length: 200\r\n\r\n"
           b"EHLO x\r\nMAIL FROM:<evil@b.test>\r\n"
           b"RCPT TO:<bob@example.test>\r\nDATA\r\nSubject: evil\r\n\r\n.\r\n"
           b"USER bob\r\nPASS %s\r\n"
           b"a LOGIN bob %s\r\nb CREATE evil\r\nb SELECT INBOX\r\n")


def request(c, path):
    """All that is heard, up to the end."""
    heard, word = b"", PASSWORD.encode()
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        c.sendall(REQUEST % (path, word, word))
        while more := c.recv(4096):
            heard += more
    return heard


@pytest.mark.parametrize("length", [0, 70000])
@pytest.mark.parametrize("tls", [False, True])
def test_a_browser_is_shown_the_door(suite, tls, length):
    """What is behind its request would be commands."""
    s = suite(main=MAIN)
    for port in START:
        c = before_tls(s, port) if tls or not START[port] else \
            socket.create_connection(("127.0.0.1", s.ports[port]), DEADLINE)
        if tls or not START[port]:
            c = careless_tls().wrap_socket(c)
        with c:
            if port.startswith("smtp") and not (tls and START[port]):
                c.recv(4096)  # who speaks first is sent away in any case
            heard = request(c, b"x" * length)
        assert not re.search(rb"^(250|354|235|[ab] OK|\+OK Logged)", heard,
                             re.M), (port, heard)
    s.send()
    assert len(s.wait_messages("bob")) == 1
    assert "login user=" not in s.log()


@pytest.mark.parametrize("offered, good", [
    (["http/1.1"], ()), (["smtp"], ("smtp", "submission", "smtps")),
    (["imap"], ("imap", "imaps")), (["pop3"], ("pop3", "pop3s")),
    (["http/1.1", "smtp", "imap", "pop3"], START)])
def test_a_client_of_another_protocol_gets_no_tls(suite, offered, good):
    s = suite(main=MAIN)
    for port in START:
        c = careless_tls()
        c.set_alpn_protocols(offered)
        try:
            with c.wrap_socket(before_tls(s, port)) as tls:
                assert port in good, (port, tls.selected_alpn_protocol())
                farewell(tls, port)
        except ssl.SSLError as e:
            assert port not in good, e
            assert "no application protocol" in str(e)


@pytest.mark.unsanitized
def test_names_without_end_cost_no_memory(suite):
    s = suite(start=False, main=MAIN)
    s.write("names", f"one.test {s.root}/etc/key.pem {s.root}/etc/cert.pem\n")
    s.set(tls_server_sni_maps=f"texthash:{s.root}/etc/names")
    s.start()
    asked = iter(range(1000000))

    def ask():
        for _ in range(150):
            for port in ("smtps", "pop3s", "imaps"):
                name = f"n{next(asked)}.{'x' * 40}.test"
                with careless_tls().wrap_socket(before_tls(s, port),
                                                server_hostname=name):
                    pass

    ask()
    # of 450 that left 2 kB each it would be more
    does_not_grow("kB", lambda: s.resident(*PROGRAMS), ask, 600)


def test_handshakes_that_nobody_ends_hold_up_nobody(suite):
    s = suite(main=MAIN + "".join(
        f"{p}_client_connection_count_limit = 0\n" for p in PROGRAMS[:3]))
    stuck = []
    for port in START:
        for i in range(60):
            c = before_tls(s, port)
            # a record that promises 512 bytes, and some of them
            c.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[:1 + i % 9])
            stuck.append(c)
    for port in START:
        def once():
            with careless_tls().wrap_socket(before_tls(s, port)) as tls:
                farewell(tls, port)
        quick(port, 1, once)
    for c in stuck:
        c.close()


def test_one_listener_that_is_full_holds_up_no_other(suite):
    """More of them than it has places; there is room when they are gone."""
    s = suite(start=False, main=MAIN + "imapd_client_connection_count_limit = 0"
              "\npop3d_client_connection_count_limit = 0\n")
    full = ("smtps", "pop3s", "imaps")
    master = s.root / "etc/master.cf"
    text = master.read_text()
    for port in full:
        text = re.sub(rf"(127.0.0.1:{s.ports[port]} inet n - n -) 200",
                      r"\1 20", text)
    master.write_text(text)
    s.start()
    stuck = []
    for port in full:
        for _ in range(40):
            c = socket.create_connection(("127.0.0.1", s.ports[port]))
            c.sendall(b"\x16\x03\x01\x02\x00")
            stuck.append(c)
        s.wait_log(rf"service \S*{s.ports[port]} has reached its limit of 20 ")
    for port in set(START) - set(full):
        def once():
            with careless_tls().wrap_socket(before_tls(s, port)) as tls:
                farewell(tls, port)
        quick(port, 1, once)
    for c in stuck:
        c.close()
    for port in full:
        with careless_tls().wrap_socket(before_tls(s, port)) as tls:
            farewell(tls, port)
