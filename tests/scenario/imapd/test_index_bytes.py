# SPDX-License-Identifier: ISC
"""What a session had in its memory is not in the index files that it writes:
neither the mail of others nor texts that are kept as files of their own."""
from sharing import BOB, MAIN, message, shared

BODY = b"of the body "


def read_and_change(client, folder):
    """Much is read, so that memory which is given back is full of it, and the
    index of that folder then written."""
    for n in range(5):
        client.ok("SELECT INBOX")
        client.ok("FETCH 1:* (ENVELOPE BODY.PEEK[])")
        client.ok(f"SELECT {folder}")
        for k in range(5):
            client.ok(f"STORE 1:* +FLAGS (\\Flagged w{n * 5 + k})")
            client.append(folder, message(4))
        client.ok("FETCH 1:* (ENVELOPE)")


def indexes(s, user):
    found = [p.read_bytes() for p in s.maildir(user).rglob("posthaste.index")]
    assert found
    return found


def test_of_another_users_mail(suite):
    s, bob, alice = shared(suite, "lrswite")
    bob.ok("LOGOUT")
    for n in range(10):
        alice.append("INBOX", b"From: a@b\r\nSubject: of alice %d\r\n\r\n" % n +
                     BODY * 200 + b"\r\n")
    read_and_change(alice, f"{BOB}/Work")
    alice.logout()
    s.stop()
    for index in indexes(s, "bob"):
        assert b"Subject" not in index and b"of alice" not in index
        assert BODY not in index


def test_of_the_users_own_mail(suite):
    s = suite(main=MAIN)
    alice = s.imap("alice")
    alice.ok("CREATE Work")
    alice.append("Work", message())
    for n in range(10):
        alice.append("INBOX", b"From: a@b\r\nSubject: %d\r\n\r\n" % n +
                     BODY * 200 + b"\r\n")
    read_and_change(alice, "Work")
    alice.logout()
    s.stop()
    for index in indexes(s, "alice"):
        assert BODY not in index
