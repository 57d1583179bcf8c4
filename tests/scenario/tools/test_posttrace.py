# SPDX-License-Identifier: ISC
"""posttrace tells the story of one message and of no other."""
import re


def test_story_from_connect_to_mailbox(suite):
    s = suite()
    other = s.send(to="carol@example.test")
    s.wait_messages("carol")
    mine = s.send(to="bob@example.test")
    s.wait_messages("bob")
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
    assert "nothing about 4bNOSUCHz1" in done.err
