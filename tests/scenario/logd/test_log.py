# SPDX-License-Identifier: ISC
"""logd writes what the others say, wherever it is told to."""
import contextlib
import gzip
import json
import os
import re
import socket
import stat
import subprocess

import pytest
from posthaste import AS_ROOT, DEADLINE, ROOT, wait_for


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


DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}


@pytest.mark.skipif(not AS_ROOT, reason="needs a /dev of its own")
def test_log_goes_to_syslog(suite, tmp_path):
    """And finds its socket again, confined as logd is by then."""
    s = suite(start=False, main="maillog_file =\n")
    dev = tmp_path / "dev"
    dev.mkdir()
    dev.chmod(0o755)
    for name, numbers in DEVICES.items():
        os.mknod(dev / name, 0o20666, os.makedev(*numbers))
        os.chmod(dev / name, 0o666)

    def syslog():
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.settimeout(DEADLINE)
        server.bind(str(dev / "log"))
        os.chmod(dev / "log", 0o666)
        return server

    def told(server, what):
        while what not in server.recv(65536):
            pass

    server = syslog()
    s.started = True
    subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /dev && shift && '
         'exec "$@"', "sh", dev, ROOT / "sbin/posthaste", "-c", s.root / "etc",
         "start"], check=True, stdin=subprocess.DEVNULL)
    told(server, b"daemon started")
    server.close()
    (dev / "log").unlink()
    server = syslog()

    def heard():  # at most one line in a second looks for it
        s.send()
        with contextlib.suppress(BlockingIOError):
            return b"posthaste/" in server.recv(65536)
        return False

    server.setblocking(False)
    wait_for("syslog's new socket", heard)
    server.close()
