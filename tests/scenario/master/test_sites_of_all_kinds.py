# SPDX-License-Identifier: ISC
"""main.cf and master.cf of the kinds that are found in the world, as people,
packages and panels write them: each line has its verdict, nothing is unknown,
what is refused says what to do, and postconf shows the files as Postfix's does.

What a report is to hold, but for what is honoured, harmless or of no concern,
stands in "expected" beside the files; with POSTHASTE_REWRITE=1 it is written
anew, for the eyes of whoever changed a verdict."""
import os
import re

import pytest

import postfix_peer
from postconf_peer import results
from test_report import SITES, WORDS

KINDS = sorted(p.parent.name for p in SITES.glob("*/expected"))
# of this machine, not of the site
MACHINE = re.compile(r"No such file or directory|there is no (user|group) |"
                     r"cannot be had now|its module is not installed|"
                     r"no Berkeley DB")
WAY_OUT = re.compile(r'"missing_protection = warn" in main\.cf '
                     r"(starts without it|leaves it out)|"
                     r"in main.cf for all|take the line out|without this line|in its stead|"
                     r"use the same setting that ends in _tls_policy_maps")
# of the installation, not of the site
PLACES = b"""
data_directory = /var/lib/site
daemon_directory = /usr/libexec/site
command_directory = /usr/sbin
mail_name = Site
"""


def unpack(s, kind):
    """With certificates and a mailname that are there."""
    etc = s.root / "site"
    etc.mkdir()
    s.write("mailname", "site.example\n")
    s.write("both.pem", "".join((s.root / "etc" / name).read_text()
                                for name in ("key.pem", "cert.pem")))
    (s.root / "etc/both.pem").chmod(0o600)
    for name in ("main.cf", "master.cf"):
        text = (SITES / kind / name).read_text()
        text = re.sub(r"/\S+\.(key|pem|crt|cert)\b",
                      f"{s.root}/etc/both.pem", text)
        text = text.replace("/etc/mailname", f"{s.root}/etc/mailname")
        (etc / name).write_text(text)
    return etc


def expected(kind, rows):
    path = SITES / kind / "expected"
    if os.environ.get("POSTHASTE_REWRITE"):
        path.write_text("".join(f"{row}\n" for row in rows))
    return path.read_text().splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_report(suite, kind):
    s = suite(start=False)
    etc = unpack(s, kind)
    done = s.posthaste("check", "--report", etc, check=False)
    *rows, counts = done.out.splitlines()
    rows = [row.replace(str(s.root), "") for row in rows
            if not MACHINE.search(row)]
    # the reason of a verdict is test_report's; that of a note is its all
    told = [f"exit {done.returncode}"] + [
        row if " note: " in row else ": ".join(row.split(": ")[:3])
        for row in rows
        if not re.match(r"\S+ (honoured|harmless|own): ", row)]
    assert told == expected(kind, told), done.out
    assert counts.endswith(", 0 unknown"), done.out
    for row in rows:
        if " refused: " in row:
            assert WAY_OUT.search(row), row
        assert re.match(rf"\S+ ({'|'.join(WORDS)}|note): ", row), row
    # what reads worse than it is would be taken for an error
    assert done.err == ""
    assert done.returncode == any(" refused: " in row for row in rows)


@pytest.mark.skipif(postfix_peer.why_not() is not None,
                    reason=str(postfix_peer.why_not()))
@pytest.mark.parametrize("kind", KINDS)
def test_postconf_shows_what_postfix_shows(tmp_path, kind):
    main, master = ((SITES / kind / name).read_bytes()
                    for name in ("main.cf", "master.cf"))
    for option in ("-n", "-nx", "-M"):
        peer, own = (without_old_names(r) for r in results(
            tmp_path / "etc", main + PLACES, master, [option]))
        assert own == peer, option


OLD = re.compile(r"(?m)^(virtual_(mailbox_limit_(maps|override)|"
                 "maildir_limit_message|overquota_bounce|create_maildirsize)|"
                 "tls_dane_trust_anchor_digest_enable) = .*\n")


def without_old_names(result):
    """Names of patches and of former releases are known to us alone."""
    out = OLD.sub("", result["out"].decode())
    # the number of a process
    out = re.sub(r"postconf \d+ &", "postconf PID &", out)
    complaints = {line for line in result["complaints"]
                  if b"unused parameter" not in line and
                  b"No such file" not in line}
    return result["status"], out, complaints
