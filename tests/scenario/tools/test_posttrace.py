# SPDX-License-Identifier: ISC
"""posttrace tells the story of one message and of no other."""
import gzip
import re


def test_story_from_connect_to_mailbox(suite):
    s = suite()
    other = s.send(to="carol@example.test")
    s.wait_messages("carol")
    mine = s.send(to="bob@example.test")
    s.wait_messages("bob")
    s.wait_log(mine + r": to=.*status=sent")
    s.wait_log(mine + r": removed")
    story = s.command("posttrace", "-f", s.root / "log/mail.log", mine).out
    for part in (r"connect from", r"client=", r"message-id=",
                 r"from=<alice@example.test>", r"to=<bob@example.test>",
                 r"status=sent", r"removed"):
        assert re.search(part, story), (part, story)
    assert other not in story
    assert story.count("disconnect from") <= 1


def test_unknown_id_is_said_so(suite):
    s = suite()
    done = s.command("posttrace", "4bNOSUCHz1", check=False)
    assert done.returncode == 1
    assert "nothing about 4bNOSUCHz1 in " in done.err
    done = s.command("posttrace", "bob@example.test", check=False)
    assert done.returncode == 1
    assert ("nothing about a message with the id bob@example.test in "
            ) in done.err


def test_rotated_and_packed_logs_are_read(suite):
    s = suite(main="relayhost = [127.0.0.1]:9\n")
    mine = s.send(to="x@remote.test")
    s.wait_log(mine + r": to=<x@remote.test>.*status=deferred")
    s.posthaste("logrotate")
    packed, = (s.root / "log").glob("mail.log.*.gz")
    s.command("postsuper", "-d", mine)
    s.wait_log(mine + ": removed")
    # the log of today knows only the end of it
    assert "client=" not in s.command("posttrace", mine).out
    whole = s.command("posttrace", "-a", mine).out
    assert re.search(r"(?s)client=.*status=deferred.*: removed", whole)
    named = s.command("posttrace", "-f", packed, "-f",
                      s.root / "log/mail.log", mine).out
    assert named == whole
    # through a pipe, which cannot be read twice
    piped = s.command("posttrace", "-f", "-", mine,
                      stdin=gzip.decompress(packed.read_bytes())).out
    assert "client=" in piped and whole.startswith(piped)


def test_broken_packed_log_is_said_so(suite):
    s = suite(start=False)
    (s.root / "log/mail.log.1.gz").write_bytes(gzip.compress(b"x" * 999)[:-9])
    done = s.command("posttrace", "-f", s.root / "log/mail.log.1.gz", "4bX",
                     check=False)
    assert done.returncode == 66
    assert "gzip failed" in done.err
