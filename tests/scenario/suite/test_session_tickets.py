# SPDX-License-Identifier: ISC
"""A TLS session ticket is taken by each process of its service, and goes on
being taken when processes end; and by no other service."""
import os
import signal
import socket
import ssl

import pytest

from ipc_client import Ipc
from posthaste import careless_tls, wait_for

PORTS = ["smtps", "imaps", "pop3s"]
PROGRAM = {"smtps": "smtpd", "imaps": "imapd", "pop3s": "pop3d"}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def connect(s, port, context, session=None):
    """Was it resumed, and its session, which has a ticket."""
    with socket.create_connection(("127.0.0.1", s.ports[port]), 20) as plain:
        with context.wrap_socket(plain, session=session) as tls:
            # the greeting; TLS 1.3's ticket is in front of it
            assert tls.recv(1000)[:1] in b"2*+"
            return tls.session_reused, tls.session


def kill(s, program):
    """All processes of it, until others do their work."""
    old = set(s.processes(program))
    assert old
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_for(f"the end of {program}",
             lambda: not old & set(s.processes(program)))


def reload(s, program):
    old = set(s.processes(program))
    s.posthaste("reload")
    wait_for(f"another {program}", lambda: set(s.processes(program)) - old)
    wait_for(f"the end of {program}",
             lambda: not old & set(s.processes(program)))


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("port", PORTS)
def test_tickets_outlive_processes(suite, port, version):
    s, context = suite(), careless_tls(version)
    again, session = connect(s, port, context)
    assert not again
    for end in (lambda: kill(s, PROGRAM[port]), lambda: kill(s, "keyd"),
                lambda: reload(s, PROGRAM[port])):
        end()
        again, session = connect(s, port, context, session)
        assert again
    # which are no tickets of the other services
    for other in PORTS:
        assert connect(s, other, context, session)[0] == (other == port)


def test_a_cipher_that_was_excluded_is_not_resumed(suite):
    s, context = suite(), careless_tls(ssl.TLSVersion.TLSv1_2)

    def connect_for_cipher(session):
        with socket.create_connection(("127.0.0.1", s.ports["smtps"]),
                                      20) as plain:
            with context.wrap_socket(plain, session=session) as tls:
                assert tls.recv(1000)[:3] == b"220"
                return tls.session_reused, tls.cipher()[0], tls.session
    _, cipher, session = connect_for_cipher(None)
    reload(s, "smtpd")
    assert connect_for_cipher(session)[:2] == (True, cipher)
    s.set(smtpd_tls_exclude_ciphers=cipher)
    reload(s, "smtpd")
    again, other, _ = connect_for_cipher(session)
    assert not again and other != cipher


def test_who_asks_for_certificates_keeps_tickets_to_a_process(suite):
    s = suite(main="smtpd_tls_ask_ccert = yes\n")
    context = careless_tls(ssl.TLSVersion.TLSv1_2)
    _, session = connect(s, "smtps", context)
    assert connect(s, "smtps", context, session)[0]
    kill(s, "smtpd")
    assert not connect(s, "smtps", context, session)[0]


def test_who_is_no_service_gets_no_keys(suite):
    """As root comes to it, without an introduction of master's."""
    s = suite()
    keyd = Ipc(s, "keyd", "keyd")
    name, answer = keyd.ask("key_tickets", context=b"")
    assert name == "key_tickets_reply"
    assert (answer["now"], answer["former"]) == (b"", b"")
    keyd.close()
    s.wait_log("asks for session tickets, and is no service")
