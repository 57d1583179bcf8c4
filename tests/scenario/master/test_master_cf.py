# SPDX-License-Identifier: ISC
"""master.cf in all its forms, and what status says of it."""
import os
import re
import socket
import time

import pytest

from peers import Dialogue
from posthaste import AS_ROOT, MASTER_CF, free_port, wait_for
from programs import alive, one, own_programs, replace, status_of

FORMS = """\
# a comment
127.0.0.1:{first} inet n - n - 10 smtpd
   # a comment amid a service

  -o smtpd_banner=$myhostname\t
  -o {{ smtpd_reject_footer = two words }}
  -o {{ smtpd_helo_restrictions = permit_mynetworks, reject }}
  -o
  smtpd_noop_commands=XNOOP
[127.0.0.1]:{second} inet n - n - - smtpd -o syslog_name=odd -o smtpd_banner=second
localhost:{third} inet n - - - 0 smtpd
\t-o smtpd_banner=third
"""


def greeting(port):
    with Dialogue(port) as d:
        return d.reply()


def test_every_form_of_a_service(suite):
    ports = {n: free_port() for n in ("first", "second", "third")}
    s = suite(master=FORMS.format(**ports))
    with Dialogue(ports["first"]) as d:
        assert d.reply() == "220 mx.example.test"
        assert d.ask("XNOOP") == "250 2.0.0 Ok"
        assert d.ask("FOO") == ("500-5.5.2 Error: command not recognized\n"
                                "500 5.5.2 two words")
        assert d.ask("HELO client.test").startswith("250")
        assert d.ask("MAIL FROM:<a@b.test>").startswith("250")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
    assert greeting(ports["second"]) == "220 second"
    assert greeting(ports["third"]) == "220 third"
    s.wait_log(r" odd/smtpd\[\d+\]: connect from")
    assert greeting(s.ports["smtp"]) == "220 mx.example.test ESMTP Posthaste"


def low_port():
    """A free port that only root may bind."""
    for port in range(1023, 600, -1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    pytest.skip("no free port below 1024")


@pytest.mark.skipif(not AS_ROOT, reason="rights differ only for root")
def test_a_privileged_port_is_served_without_privileges(suite):
    """master binds; the program that listens could not have."""
    port = low_port()
    s = suite(master=f"127.0.0.1:{port} inet n - n - - smtpd\n"
              "  -o smtpd_banner=low\n")
    assert greeting(port) == "220 low"
    pids = [row.split()[2] for row in s.posthaste("status").out.splitlines()
            if row.startswith(f"127.0.0.1:{port}/inet")]
    assert pids
    for pid in pids:
        assert status_of(pid)["Uid"].split()[0] != "0"
        assert int(status_of(pid)["CapPrm"], 16) == 0
    s.posthaste("reload")  # it stays bound
    assert greeting(port) == "220 low"


def test_services_of_type_fifo(suite):
    """As pickup and qmgr were in the master.cf of older Postfix."""
    s = suite(master_cf=MASTER_CF.replace("pickup unix", "pickup fifo").replace(
        "qmgr unix", "qmgr fifo"))
    s.command("sendmail", "bob@example.test", stdin="Subject: x\n\nx\n")
    s.wait_messages("bob")
    s.send()
    s.wait_messages("bob", 2)
    s.posthaste("flush")


def test_what_postscreen_needs_is_no_mistake(suite):
    """Debian's commented lines, in use: postscreen, and smtpd behind it."""
    s = suite(master_cf=MASTER_CF.replace(
        "{smtp} inet n - n - 200 smtpd", "{smtp} inet n - n - 1 postscreen")
        + "smtpd pass - - n - - smtpd\ndnsblog unix - - n - 0 dnsblog\n"
        "tlsproxy unix - - n - 0 tlsproxy\n")
    assert "smtpd/pass" not in s.posthaste("check").err
    with s.smtp(), s.smtp():  # maxproc 1 is none of two sessions
        s.send()
    s.wait_messages("bob")


def test_who_comes_through_postscreen_gets_its_smtpds_options(suite):
    """A site keeps logins and relaying off the port of strangers there."""
    s = suite(start=False, master_cf=MASTER_CF.replace(
        "{smtp} inet n - n - 200 smtpd",
        "{smtp} inet n - n - 1 postscreen -o smtpd_service_name=strangers")
        + "strangers pass - - n - 20 smtpd\n"
        " -o smtpd_sasl_auth_enable=no -o smtpd_banner=$myhostname strangers\n"
        " -o {{ smtpd_relay_restrictions = reject_unauth_destination }}\n"
        "smtpd pass - - n - - smtpd -o smtpd_helo_required=yes\n",
        main="smtpd_sasl_auth_enable = yes\n")
    told = s.posthaste("check", check=False).err
    assert 'strangers/pass: "strangers" belongs to no option' in told
    s.write("master.cf", (s.root / "etc/master.cf").read_text().replace(
        "smtpd_banner=$myhostname strangers",
        "{ smtpd_banner = $myhostname strangers }"))
    told = s.posthaste("check").err
    assert "strangers/pass" not in told
    assert "smtpd/pass: services of type pass are not needed" in told
    s.start()
    with Dialogue(s.ports["smtp"]) as d:
        assert d.reply().startswith("220 mx.example.test strangers")
        assert "AUTH" not in d.ask("EHLO client.test")
        d.ask("MAIL FROM:<a@b.test>")
        assert d.ask("RCPT TO:<x@elsewhere.test>").startswith("554")
    # what reads logs of Postfix looks for smtpd there
    s.wait_log(r"posthaste/smtpd\[\d+\]: NOQUEUE: reject: RCPT from ")
    report = s.posthaste("check", "--report", check=False).out
    assert ("mapped: strangers/pass smtpd: its options count for the line of "
            "postscreen") in report
    assert "harmless: smtpd/pass smtpd: no program hands" in report


@pytest.mark.parametrize("line", [
    "odd stream n - n - - smtpd", "odd unix n - n - -", "odd unix n",
    "odd unix x - n - - smtp", "odd unix - - n many - smtp",
    "odd unix - - n - lots smtp", "odd unix - - n - - smtp -o",
    "odd unix - - n - - smtp -o {{ smtp_helo_timeout = 5s",
    "  -o smtp_helo_timeout=5s", "127.0.0.1:99999 inet n - n - - smtpd",
])
def test_what_is_no_service_is_refused_with_its_line(suite, line):
    first = line.startswith(" ")
    s = suite(start=False, master_cf=line + "\n" + MASTER_CF if first
              else MASTER_CF + line + "\n")
    number = 1 if first else MASTER_CF.count("\n") + 1
    for action in ("check", "start"):
        done = s.posthaste(action, check=False)
        assert done.returncode != 0
        assert re.search(rf"master\.cf: line {number}: ", done.err), done.err


def test_a_second_service_of_the_same_name_replaces_the_first(suite):
    s = suite(start=False)
    with open(s.root / "etc/master.cf", "a") as f:
        f.write(f"127.0.0.1:{s.ports['smtp']} inet n - n - 9 smtpd\n"
                "  -o smtpd_banner=replaced\n")
    assert re.search(r"master\.cf: line \d+: replaces the service .* of line 1",
                     s.posthaste("check").err)
    s.start()
    assert greeting(s.ports["smtp"]) == "220 replaced"


@pytest.mark.parametrize("wakeup, starts", [("1", True), ("1?", False)])
def test_a_service_is_woken_in_time(suite, wakeup, starts):
    """ "1?" only once somebody has asked for it."""
    s = suite(master_cf=MASTER_CF.replace("pickup unix n - n 60",
                                          f"pickup unix n - n {wakeup}"),
              main="max_idle = 100s\n")
    if starts:
        one(s, "pickup")
        return
    end = time.monotonic() + 2.5  # nothing is awaited but its absence
    while time.monotonic() < end:
        assert not s.processes("pickup")
        time.sleep(0.1)
    s.command("sendmail", "bob@example.test", stdin="Subject: x\n\nx\n")
    one(s, "pickup")


def rows(s):
    """status: (program, pid, generation, state, sessions) of each process."""
    out = s.posthaste("status").out.splitlines()
    assert out[1].split() == ["service", "program", "pid", "gen", "state",
                              "sessions", "served"]
    return [(f[1], int(f[2]), int(f[3]), f[4], int(f[5]))
            for f in map(str.split, out[2:])]


def test_status_shows_each_program(suite):
    s = suite()
    s.send()
    s.wait_messages("bob")

    def told_right():
        """One may begin or end between two looks."""
        shown = rows(s)
        pids = set(s.processes()) - set(s.processes("master"))
        return {pid for _, pid, *_ in shown} == pids and all(
            pid in s.processes(program) and generation == 1
            and state in ("idle", "busy")
            for program, pid, generation, state, _ in shown)

    wait_for("a status that is right", told_right)
    s.posthaste("reload")
    service = f"127.0.0.1:{s.ports['smtp']}/inet"
    with s.smtp() as first, s.smtp() as second:
        first.noop(), second.noop()
        wait_for("two sessions", lambda: sum(int(row[5]) for row in map(
            str.split, s.posthaste("status").out.splitlines())
            if row[0] == service and row[3] == "2") == 2)


def test_a_suite_that_does_not_serve_is_not_said_to(suite):
    s = suite(start=False)
    folder = own_programs(s)
    s.start()
    pid = one(s, "qmgr")
    replace(folder, "qmgr", "#!/bin/sh\nexit 1\n")
    os.kill(pid, 9)
    wait_for("a status that is not good", lambda: s.posthaste(
        "status", check=False).returncode != 0)
    assert "is not serving" in s.posthaste("status", check=False).out
    assert not alive(pid)
