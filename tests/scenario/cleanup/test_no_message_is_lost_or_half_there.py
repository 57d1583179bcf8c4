# SPDX-License-Identifier: ISC
"""Full disks, killed processes, senders that go away."""
import os
import pathlib
import shutil
import socket

from posthaste import AS_ROOT, DEADLINE, kill_all, wait_for

BOB = "bob@example.test"


def test_full_disk_is_452_and_recovers(small_disk):
    s = small_disk.start()
    with s.smtp() as session:
        session.ehlo()
        session.mail("alice@example.test")
        assert session.rcpt(BOB)[0] == 250
        code, reply = session.data("A: b\r\n\r\n" + ("x" * 78 + "\r\n") * 50000)
        assert code == 452, reply
        assert b"4.3.1" in reply and b"nsufficient system storage" in reply
        assert s.queue() == []
        session.mail("alice@example.test")
        session.rcpt(BOB)
        assert session.data("A: b\r\n\r\nsmall\r\n")[0] == 250
    assert s.wait_messages("bob")[0].endswith(b"\r\n\r\nsmall\r\n")


def test_full_disk_and_sendmail(small_disk):
    s = small_disk.start()
    filler = s.root / "spool/filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        os.close(fd)
    done = s.command("sendmail", BOB, stdin="Subject: x\n\n" + "y" * 9000,
                     check=False)
    assert done.returncode == 75, done.err
    assert s.queue() == []
    filler.unlink()
    s.command("sendmail", BOB, stdin="Subject: x\n\ny\n")
    s.wait_messages("bob")


def test_too_little_free_space(suite):
    s = suite(main="queue_minfree = 1000000000000000\n")
    with s.smtp() as session:
        session.ehlo()
        session.mail("alice@example.test")
        session.rcpt(BOB)
        code, reply = session.data("A: b\r\n\r\nx\r\n")
    assert code == 452 and b"4.3.1" in reply
    assert s.queue() == []
    s.wait_log("queue_minfree")


def half_a_message(s):
    """A connection with more content sent than smtpd keeps in memory."""
    c = socket.create_connection(("127.0.0.1", s.ports["smtp"]), DEADLINE)
    f = c.makefile("rwb")
    f.readline()
    for line in (b"EHLO x", b"MAIL FROM:<alice@example.test>",
                 b"RCPT TO:<bob@example.test>", b"DATA"):
        f.write(line + b"\r\n")
        f.flush()
        while f.readline()[3:4] == b"-":
            pass
    f.write(b"Subject: half\r\n\r\n" + (b"x" * 78 + b"\r\n") * 4000)
    f.flush()
    wait_for("cleanup to have given it a file", lambda: s.processes("cleanup"))
    return c, f


def test_a_sender_that_goes_away_leaves_nothing(suite):
    s = suite()
    c, f = half_a_message(s)
    f.close()
    c.close()
    s.wait_log("lost connection after DATA")
    s.send()
    assert len(s.wait_messages("bob")) == 1
    s.wait_empty()


def test_suite_killed_in_the_middle(suite):
    """What was half written is not taken for a message at the next start."""
    s = suite()
    s.send()
    s.wait_messages("bob")
    kill_all(s.processes())
    # as cleanup leaves it when it dies in the middle of a file
    path = s.root / "spool/incoming/4bTnXJ1234z000000000"
    path.write_bytes(b"Received: by x\r\n" + b"x" * 65536)
    if AS_ROOT:
        shutil.chown(path, "posthaste", "posthaste")
    os.utime(path, (1, 1))  # as if a while had passed
    s.started = False
    s.start()
    s.send()
    s.wait_messages("bob", 2)
    wait_for("the half file to be removed", lambda: not path.exists())
    assert len(s.messages("bob")) == 2


def test_forged_commit_record_in_content(suite):
    """Content that ends in a trailer and footer of its own, cut off there by
    a crash, must not become a message with an envelope of the sender's."""
    s = suite(main="virtual_transport = smtp:[127.0.0.1]:1\n")
    s.send(to="carol@example.test", body="x\r\n")
    real, = wait_for("a deferred message", lambda: s.queue("deferred"))
    for base, _, names in os.walk(s.root / "spool/deferred"):
        if real in names:
            good = (pathlib.Path(base) / real).read_bytes()
    s.stop()
    # the same bytes under the name of another message that was cut off
    forged = "4bTnXJ1234z000000000"
    path = s.root / "spool/incoming" / forged
    path.write_bytes(good)
    if AS_ROOT:
        shutil.chown(path, "posthaste", "posthaste")
    s.start()
    wait_for("it to be put aside", lambda: s.queue("corrupt") == [forged])
    s.wait_log(forged)
    assert f"{forged}: from=" not in s.log()
