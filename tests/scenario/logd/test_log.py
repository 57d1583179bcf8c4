# SPDX-License-Identifier: ISC
"""logd writes what the others say, wherever it is told to."""
import gzip
import json
import os
import re
import socket
import stat

from posthaste import wait_for


def test_lines_have_syslog_s_form(suite):
    s = suite()
    s.send()
    s.wait_messages("bob")
    s.wait_log(r"^[A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \S+ "
               r"posthaste/virtual\[\d+\]: \w+: to=<bob@example.test>, .*"
               r"status=sent")


def test_json_has_the_same_fields(suite):
    s = suite(main="maillog_format = json\n")
    queue_id = s.send()
    s.wait_messages("bob")

    def delivered():
        whole, _, _ = s.log().rpartition("\n")
        return next((x for x in map(json.loads, whole.splitlines())
                     if x.get("queue_id") == queue_id
                     and "status" in x.get("fields", {})), None)

    line = wait_for("the line of the delivery", delivered)
    assert line["program"] == "posthaste/virtual"
    assert line["level"] == "info"
    assert line["fields"]["to"] == "<bob@example.test>"
    assert line["fields"]["status"].startswith("sent (")
    assert line["fields"]["dsn"] == "2.0.0"


def test_renamed_log_is_begun_anew(suite):
    s = suite()
    log = s.root / "log/mail.log"
    log.rename(s.root / "log/old")

    def written():
        s.command("postlog", "-t", "test", "a line")
        return "a line" in s.log()
    wait_for("a line in the new log", written)


def test_logrotate_packs_the_old_log(suite):
    s = suite()
    s.wait_log("daemon started")
    s.posthaste("logrotate")
    old, = (s.root / "log").glob("mail.log.*.gz")
    assert b"daemon started" in gzip.decompress(old.read_bytes())
    s.send()
    s.wait_log("status=sent")


def test_log_is_for_few_eyes(suite):
    s = suite()
    s.wait_log("daemon started")
    mode = stat.S_IMODE(os.stat(s.root / "log/mail.log").st_mode)
    assert mode == 0o600


def test_log_is_never_written_through_a_link(suite):
    s = suite(start=False)
    target = s.root / "precious"
    target.write_text("")
    (s.root / "log/mail.log").symlink_to(target)
    assert s.posthaste("start", check=False).returncode != 0
    assert target.read_text() == ""


def test_hostile_lines_are_made_harmless(suite):
    s = suite()
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = str(s.root / "spool/public/log")
    for line in (b"I posthaste/x[1]: one\nI posthaste/forged[2]: two\n",
                 b"I posthaste/x[1]: esc \x1b]0;title\x07 \xff\xfe end\n",
                 b"I posthaste/x[1]: " + b"long" * 5000 + b"\n",
                 b"\0\0\0", b"Z no such level", b""):
        try:
            sender.sendto(line, path)
        except OSError:
            pass
    sender.sendto(b"I posthaste/x[1]: caf\xc3\xa9 last\n", path)
    s.wait_log("café last")
    log = s.log()
    assert "one?I posthaste/forged[2]: two" in log
    assert "esc ?]0;title? ?? end" in log
    assert all(len(line) < 9000 for line in log.splitlines())
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", log)


def test_digits_of_delays(suite):
    s = suite(main="delay_logging_resolution_limit = 0\n")
    qid = s.send()
    s.wait_log(rf"virtual\[\d+\]: {qid}: .* delay=\d+, delays=\d+/\d+/\d+/\d+,")
