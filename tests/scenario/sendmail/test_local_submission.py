# SPDX-License-Identifier: ISC
"""From sendmail to the mailbox, with the whole suite."""
import os
import pwd
import re
import signal
import subprocess
import time

import pytest

import drops
from posthaste import AS_ROOT, ROOT, freeze, wait_for

BOB = "bob@example.test"


def put(s, record, queue_id, mode=0o644):
    """A file in maildrop, as postdrop would leave it."""
    path = s.root / "spool/maildrop" / queue_id
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    os.write(fd, record)
    if AS_ROOT:
        os.fchown(fd, pwd.getpwnam("nobody").pw_uid, -1)
    os.fchmod(fd, mode)  # the last step: pickup may take it from now on
    os.close(fd)
    return path


def to_bob(content=b"Subject: x\n\nhello\n"):
    return drops.record([("sender", "alice@example.test"),
                         ("recipient", BOB)], [content])


def test_message_arrives(suite):
    s = suite()
    s.command("sendmail", "-F", "A Person", "-f", "alice@example.test", BOB,
              stdin="Subject: hi\nTo: bob@example.test\n\nline\n\xe9\n.\n"
              .encode("latin-1"))
    message, = s.wait_messages("bob")
    assert message.startswith(b"Return-Path: <alice@example.test>\r\n"
                              b"X-Original-To: bob@example.test\r\n"
                              b"Delivered-To: bob@example.test\r\n"
                              b"Received: by mx.example.test (Posthaste, "
                              b"from userid %d)" % os.getuid())
    assert b"\r\nFrom: A Person <alice@example.test>\r\n" in message
    assert re.search(rb"\r\nMessage-Id: <\S+@mx.example.test>\r\n", message)
    assert message.endswith(b"\r\n\r\nline\r\n\xe9\r\n")
    assert b"\n" not in message.replace(b"\r\n", b"")
    s.wait_log(rf"pickup\[\d+\]: \w+: uid={os.getuid()} "
               r"from=<alice@example.test>")


def test_sent_while_the_suite_is_down(suite):
    s = suite()
    s.stop()
    s.command("sendmail", BOB, stdin="Subject: later\n\nx\n")
    assert len(s.queue("maildrop")) == 1
    s.start()
    assert b"Subject: later" in s.wait_messages("bob")[0]
    s.wait_empty()


def test_recipients_from_headers_and_bcc(suite):
    s = suite()
    s.command("sendmail", "-t", stdin=(
        "From: alice@example.test\nTo: Bob <bob@example.test>\n"
        "Bcc: carol@example.test\nSubject: s\n\nx\n"))
    for user in ("bob", "carol"):
        message, = s.wait_messages(user)
        assert b"carol" not in message.replace(
            b"Delivered-To: carol@example.test", b"").replace(
            b"X-Original-To: carol@example.test", b"").replace(
            b"for <carol@example.test>", b"")
        assert b"Bcc" not in message


def test_reports_to_recipients_from_headers(suite):
    """-N, -R and -V hold for those that the header names as well."""
    s = suite()
    s.command("sendmail", "-t", "-f", "alice@example.test", "-N", "success",
              "-R", "hdrs", "-V", "an-id", stdin=(
                  "To: bob@example.test\nBcc: carol@example.test\n"
                  "Subject: s\n\nsecret\n"))
    s.wait_messages("bob")
    s.wait_messages("carol")
    reports = b"".join(s.wait_messages("alice"))
    for name in (b"bob", b"carol"):
        assert b"Final-Recipient: rfc822; " + name in reports
    assert reports.count(b"Action: delivered") == 2
    assert b"Original-Envelope-Id: an-id" in reports
    assert b"Subject: s" in reports and b"secret" not in reports


def test_line_ends_are_made_even(suite):
    s = suite()
    s.command("sendmail", "-i", BOB,
              stdin=b"Subject: s\n\na\nb\r\nc\rd\n\r\n.\nlast")
    message, = s.wait_messages("bob")
    assert message.endswith(b"\r\n\r\na\r\nb\r\nc d\r\n\r\n.\r\nlast\r\n")


def test_local_names_get_our_domain(suite):
    s = suite(main="myorigin = example.test\n")
    s.command("sendmail", "-f", "alice", "bob",
              stdin="To: bob, Carol <carol>\n\nx\n")
    message, = s.wait_messages("bob")
    assert b"Return-Path: <alice@example.test>" in message
    assert (b"\r\nTo: bob@example.test, Carol <carol@example.test>\r\n"
            in message)


def test_a_loop_goes_back_to_the_sender(suite):
    s = suite()
    s.command("sendmail", "-f", "alice@example.test", BOB,
              stdin="Received: x\n" * 60 + "Subject: loop\n\nround\n")
    report, = s.wait_messages("alice")
    assert b"Undelivered Mail Returned to Sender" in report
    assert b"too many hops" in report
    assert b"multipart/report" in report
    assert b"Status: 5.4.0" in report
    assert b"Subject: loop" in report
    wait_for("maildrop to be empty", lambda: not s.queue("maildrop"))
    assert s.messages("bob") == []


def test_a_loop_of_a_report_is_kept_for_a_person(suite):
    s = suite()
    s.command("sendmail", "-f", "<>", BOB,
              stdin="Received: x\n" * 60 + "\nround\n")
    wait_for("it in corrupt", lambda: len(s.queue("corrupt")) == 1)
    s.wait_log("moved to corrupt")


def test_broken_files_do_not_stop_the_others(suite):
    s = suite()
    s.stop()
    broken = {
        drops.mint(1): b"",
        drops.mint(2): b"garbage",
        drops.mint(3): to_bob()[:-5],
        drops.mint(4): to_bob()[:40],
        drops.mint(5): to_bob() + b"x",
    }
    for queue_id, content in broken.items():
        put(s, content, queue_id)
    put(s, to_bob(), drops.mint(6))
    s.start()
    assert len(s.wait_messages("bob")) == 1
    wait_for("them in corrupt",
             lambda: s.queue("corrupt") == sorted(broken))
    s.wait_empty()
    assert len(s.messages("bob")) == 1


def test_links_and_pipes_in_maildrop(suite, tmp_path):
    """Nothing but a plain file with one name is read, and nothing hangs."""
    s = suite()
    s.stop()
    outside = tmp_path / "outside"
    outside.write_bytes(to_bob(b"Subject: stolen\n\nx\n"))
    folder = s.root / "spool/maildrop"
    ids = [drops.mint(n) for n in range(5)]
    os.symlink(outside, folder / ids[0])
    os.mkfifo(folder / ids[1])
    (folder / ids[2]).mkdir()
    os.link(put(s, to_bob(b"Subject: twice\n\nx\n"), ids[3]),
            s.root / "other-name")
    put(s, to_bob(b"Subject: good\n\nx\n"), ids[4])
    s.start()
    message, = s.wait_messages("bob")
    assert b"Subject: good" in message
    wait_for("the others to be put aside",
             lambda: all(queue_id not in os.listdir(folder)
                         for queue_id in ids[:2] + ids[3:]))
    assert len(s.messages("bob")) == 1


def test_file_that_is_not_ready_is_left_alone(suite):
    s = suite()
    path = put(s, to_bob(), drops.mint(1), mode=0o600)
    s.command("sendmail", BOB, stdin="Subject: other\n\nx\n")
    assert b"Subject: other" in s.wait_messages("bob")[0]
    assert path.exists()
    # one that was abandoned a day ago goes
    os.utime(path, (time.time() - 100000,) * 2)
    s.command("sendmail", BOB, stdin="Subject: other\n\nx\n")
    wait_for("it to be removed", lambda: not path.exists())
    s.wait_messages("bob", 2)
    assert len(s.messages("bob")) == 2


def test_pickup_that_died_before_unlink_sends_nothing_twice(suite):
    s = suite(main="virtual_transport = smtp:[127.0.0.1]:1\n")
    queue_id = drops.mint(1)
    put(s, to_bob(), queue_id)
    s.command("sendmail", BOB, stdin="Subject: wake up\n\nx\n")
    wait_for("both deferred", lambda: len(s.queue("deferred")) == 2)
    wait_for("maildrop to be empty", lambda: not s.queue("maildrop"))
    put(s, to_bob(), queue_id)
    s.command("sendmail", "carol@example.test", stdin="\nwake up\n")
    s.wait_log(f"{queue_id}: already queued")
    wait_for("maildrop to be empty", lambda: not s.queue("maildrop"))
    assert s.queue().count(queue_id) == 1


def test_no_command_waits_for_the_log(suite):
    s = suite()
    logd = s.processes("logd")
    assert logd
    freeze(lambda: logd)
    try:
        for n in range(20):
            s.command("sendmail", BOB, stdin=f"Subject: {n}\n\nx\n",
                      timeout=60)
        s.command("sendmail", "-N", "bad", BOB, stdin="x", check=False,
                  timeout=60)  # warns, and sends
        assert len(s.wait_messages("bob", 21)) == 21
    finally:
        for pid in logd:
            os.kill(pid, signal.SIGCONT)


def test_queue_is_listed_by_both_names(suite):
    s = suite(main="virtual_transport = smtp:[127.0.0.1]:1\n")
    s.command("sendmail", BOB, stdin="\nx\n")
    queue_id, = wait_for("a deferred message", lambda: s.queue("deferred"))
    assert queue_id in s.command("mailq").out
    assert s.command("mailq").out == s.command("sendmail", "-bp").out


def test_a_hundred_at_once(suite):
    """Many users at a time; each message once."""
    s = suite()
    running = [subprocess.Popen(
        ["/bin/sh", "-c",
         f"for i in 1 2 3 4 5; do printf 'Subject: {n}-%s\\n\\nx\\n' $i | "
         f"'{ROOT}/sbin/sendmail' "
         f"{BOB} || exit 1; done"],
        env=dict(os.environ, MAIL_CONFIG=str(s.root / "etc")))
        for n in range(20)]
    assert all(p.wait(300) == 0 for p in running)
    messages = s.wait_messages("bob", 100)
    subjects = {re.search(rb"Subject: (\S+)", m).group(1) for m in messages}
    assert len(subjects) == len(messages) == 100


@pytest.mark.skipif(not AS_ROOT, reason="needs other users")
def test_an_ordinary_user(suite):
    s = suite(start=False)
    drops.prepare(s)
    s.start()
    done = drops.run(s, "sendmail", BOB, stdin="Subject: u\n\nx\n",
                     user="nobody")
    assert done.returncode == 0, done.stderr
    message, = s.wait_messages("bob")
    assert b"from userid 65534" in message


def test_what_would_become_of_a_message(suite):
    s = suite()
    s.command("sendmail", "-bv", "-f", "alice@example.test", BOB,
              "nosuch@example.test")
    report, = s.wait_messages("alice")
    assert b"<bob@example.test>: delivers to maildir" in report
    assert b"<nosuch@example.test>: unknown user" in report
    assert b"\r\nStatus: 5.1.1\r\n" in report
    s.wait_empty()
    assert s.messages("bob") == []


def test_what_became_of_a_message(suite):
    s = suite()
    s.command("sendmail", "-v", "-f", "alice@example.test", BOB,
              stdin="Subject: x\n\nx\n")
    report, = s.wait_messages("alice")
    assert b"<bob@example.test>: delivered to maildir" in report
    assert len(s.wait_messages("bob")) == 1


def test_who_may_submit(suite):
    """authorized_submit_users: names, tables, exceptions, and nobody else."""
    s = suite()
    me = pwd.getpwuid(os.getuid()).pw_name
    mail = "Subject: may I\n\nhello\n"
    for allowed, may in ((f"!{me}, static:anyone", False), ("", False),
                         ("somebodyelse", False), (me, True),
                         (f"inline:{{{{{me} = yes}}}}", True)):
        s.set(authorized_submit_users=allowed)
        done = s.command("sendmail", "-f", "alice@example.test", BOB,
                         stdin=mail, check=False)
        assert (done.returncode == 0) == may, (allowed, done.err)
        if not may:
            assert (f"User {me}({os.getuid()}) is not allowed to submit mail"
                    in done.err), done.err
    s.wait_messages("bob", 2)
    assert len(s.messages("bob")) == 2
