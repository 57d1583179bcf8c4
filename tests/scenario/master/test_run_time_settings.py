# SPDX-License-Identifier: ISC
"""Syntax that acts only where programs run: their environment, services that
are not offered, settings under stress, -o, and levels of compatibility."""
import os
import pathlib
import pwd
import re
import socket
import subprocess

import pytest

from posthaste import (AS_ROOT, DEADLINE, MASTER_CF, ROOT, free_port,
                       wait_for)


class Greeted:
    """An SMTP session, from its banner on."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.file = self.socket.makefile("rb")
        self.banner = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def reply(self):
        lines = [self.file.readline().decode()]
        while lines[-1][3:4] == "-":
            lines.append(self.file.readline().decode())
        return "".join(lines)

    def ask(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()


def banner(port):
    with Greeted(port) as s:
        return s.banner


def refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


def start_with(s, **env):
    """posthaste start, from an environment like a person's."""
    s.started = True
    done = subprocess.run(
        [ROOT / "sbin/posthaste", "-c", s.root / "etc", "start"],
        env={"PATH": "/usr/bin:/bin", "HOME": "/root", **env},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def environment(pid):
    text = pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode()
    return dict(v.split("=", 1) for v in text.split("\0") if v)


def of_programs(s):
    """Those of all but master itself."""
    master = int((s.root / "spool/pid/master.pid").read_text().split()[0])
    return {pid: environment(pid) for pid in s.processes() if pid != master}


@pytest.mark.skipif(not AS_ROOT, reason="looks into other users' processes")
def test_programs_have_the_imported_environment_alone(suite):
    s = suite(start=False, main="""
import_environment = MAIL_CONFIG, TZ NOT_THERE LANG=C
  { SPACED=one, two } {INNER={}} XAUTHORITY { WIDE = w  w } { = none }
""")
    start_with(s, TZ="Asia/Tokyo", SECRET="x", LANG="de_DE", DISPLAY=":0",
               XAUTHORITY="/root/.x", LD_PRELOAD="/nonexistent")
    s.smtp().quit()
    seen = of_programs(s)
    assert len(seen) >= 4
    for env in seen.values():
        assert env.pop("PATH") and env == {
            "MAIL_CONFIG": str(s.root / "etc"), "TZ": "Asia/Tokyo",
            "LANG": "C", "SPACED": "one, two", "INNER": "{}",
            "WIDE": "w  w", "XAUTHORITY": "/root/.x"}
    # the time in the log is that of TZ
    s.send()
    mail, = s.wait_messages("bob")
    assert b"+0900" in mail


@pytest.mark.skipif(not AS_ROOT, reason="looks into other users' processes")
def test_many_are_imported(suite):
    names = [f"V{i}" for i in range(100)]
    s = suite(start=False,
              main=f"import_environment = {' '.join(names)} PATH=/bin\n")
    start_with(s, **dict.fromkeys(names, "x"))
    for env in of_programs(s).values():
        assert env == {**dict.fromkeys(names, "x"), "PATH": "/bin"}


def test_commands_have_the_exported_environment_alone(suite):
    """Of what was imported, the names that export_environment has."""
    s = suite(start=False)
    home = s.root / "home"
    home.mkdir()
    os.chown(home, s.uid, s.gid)
    script = home / "script"
    script.write_text(f"#!/bin/sh\n/usr/bin/env > {home}/env\ncat >/dev/null\n")
    script.chmod(0o755)
    s.write("transport", "pipe.test filter:\n")
    s.set(transport_maps=f"texthash:{s.root}/etc/transport",
          relay_domains="pipe.test",
          import_environment="MAIL_CONFIG TZ HIDDEN SHOWN LANG=C",
          export_environment="TZ SHOWN NEVER {WORDS=a, b} LANG=fr")
    user = pwd.getpwuid(s.uid).pw_name
    with open(s.root / "etc/master.cf", "a") as f:
        f.write(f"filter unix - n n - - pipe user={user} argv={script}\n")
    start_with(s, TZ="Asia/Tokyo", HIDDEN="1", SHOWN="2", NEVER="")
    s.send(to="joe@pipe.test")
    s.wait_empty()
    lines = (home / "env").read_text().splitlines()
    env = dict(line.split("=", 1) for line in lines)
    for own in ("PATH", "PWD", "SHLVL", "_", "OLDPWD"):
        env.pop(own, None)
    assert env == {"TZ": "Asia/Tokyo", "SHOWN": "2", "WORDS": "a, b",
                   "LANG": "fr"}, env


@pytest.mark.parametrize("value, closed", [
    ("inet", {"smtp", "submission", "pop3"}),
    ("127.0.0.1:{smtp}/inet", {"smtp"}),
    ("127.0.0.1:{smtp}.inet, unix.unix", {"smtp"}),
    ("!127.0.0.1:{smtp}/inet inet", {"submission", "pop3"}),
    ("smtp.unix", set()),
    ("", set()),
])
def test_disabled_services(suite, value, closed):
    s = suite(start=False)
    s.set(master_service_disable=value.format(**s.ports))
    s.start()
    for name in ("smtp", "submission", "pop3"):
        assert refused(s.ports[name]) == (name in closed), name
    # what runs inside goes on, without the client where that is disabled
    s.command("sendmail", "-i", "bob@example.test", stdin="Subject: x\n\nx\n")
    s.wait_messages("bob")
    # and all of them come back
    s.set(master_service_disable="")
    s.posthaste("reload")
    for name in ("smtp", "submission", "pop3"):
        assert not refused(s.ports[name]), name


@pytest.mark.parametrize("value", ["all", "*", "smtp", "/etc/services",
                                   "static:all", "smtp/tcp", "!"])
def test_what_disables_nothing_is_refused(suite, value):
    """An administrator who wrote it believes that something is closed."""
    s = suite(start=False, main=f"master_service_disable = inet {value}\n")
    for action in ("check", "start"):
        done = s.posthaste(action, check=False)
        assert done.returncode != 0
        assert f'master_service_disable: "{value}"' in done.err, done.err
    assert not s.processes()


def test_a_disabled_name_that_no_service_has_is_mentioned(suite):
    s = suite(start=False, main="master_service_disable = smpt/inet\n")
    done = s.posthaste("check", check=False)
    assert 'no service "smpt/inet"' in done.err


def few(n, more=""):
    return MASTER_CF.replace("{smtp} inet n - n - 200 smtpd",
                             "{smtp} inet n - n - %d smtpd%s" % (n, more))


def test_settings_under_stress(suite):
    """Limits, texts and restrictions of the session that fills the service."""
    s = suite(master_cf=few(2), main="""
smtpd_banner = $myhostname ESMTP ${stress?{full}:{welcome}}
smtpd_delay_reject = no
smtpd_hard_error_limit = ${stress?{1}:{20}}
smtpd_helo_restrictions =
  ${stress?{check_helo_access texthash:$config_directory/helo}:{permit}}
""")
    s.write("helo", "slow.test 554 5.7.1 not now\n")
    s.posthaste("reload")
    with Greeted(s.ports["smtp"]) as calm:
        assert "welcome" in calm.banner
        assert calm.ask("HELO slow.test").startswith("250")
        with Greeted(s.ports["smtp"]) as stressed:
            assert "full" in stressed.banner
            assert "not now" in stressed.ask("HELO slow.test")
        # the first one goes on as it began
        assert calm.ask("HELO slow.test").startswith("250")
    # and it is over when there is room
    assert "welcome" in wait_for("room", lambda: (
        lambda text: text if "full" not in text else None)(
            banner(s.ports["smtp"])))


def test_lists_keywords_and_tls_under_stress(suite):
    """Who may relay, what is offered, and TLS, of the session that fills the
    service."""
    s = suite(master_cf=few(2), main="""
mynetworks = ${stress?{127.0.0.2/32}:{127.0.0.0/8}}
smtpd_hard_error_limit = 20
smtpd_discard_ehlo_keywords = ${stress?{dsn}:{chunking}}
smtpd_tls_security_level = ${stress?{none}:{may}}
smtpd_client_restrictions = permit_mynetworks, reject
smtpd_delay_reject = yes
""")

    def offered(d):
        return {w.split()[0] for w in d.ask("EHLO x").upper().replace(
            "250-", "").replace("250 ", "").splitlines()[1:]}
    with Greeted(s.ports["smtp"]) as calm:
        words = offered(calm)
        assert {"DSN", "STARTTLS"} <= words and "CHUNKING" not in words
        calm.ask("MAIL FROM:<a@b.test>")
        assert calm.ask("RCPT TO:<bob@example.test>").startswith("250")
        with Greeted(s.ports["smtp"]) as stressed:
            words = offered(stressed)
            assert "CHUNKING" in words
            assert not {"DSN", "STARTTLS"} & words, words
            assert stressed.ask("STARTTLS")[0] == "5"
            stressed.ask("MAIL FROM:<a@b.test>")
            assert stressed.ask("RCPT TO:<bob@example.test>").startswith("554")
        assert calm.ask("RCPT TO:<bob@example.test>").startswith("250")


def test_a_table_that_only_an_option_names(suite):
    """$mine in main.cf, through another name and a class, is what -o mine=
    of this service says."""
    port = free_port()
    s = suite(start=False, main="""
mine =
also = $mine
checks = ${mine?{check_sender_access $also}}
smtpd_restriction_classes = checks
smtpd_recipient_restrictions = ${mine?{check_recipient_access $also, checks}},
  reject_unauth_destination
""", master=f"""\
127.0.0.1:{port} inet n - n - 20 smtpd
  -o mine=texthash:$config_directory/mine
""")
    s.write("mine", "bob@example.test 550 5.7.1 not you\n"
            "mallory@else.test 550 5.7.1 nor from you\n")
    s.start()
    for to, answers in ((s.ports["smtp"], ("250", "250")),
                        (port, ("550 5.7.1", "550 5.7.1"))):
        with Greeted(to) as d:
            d.ask("EHLO x")
            d.ask("MAIL FROM:<a@else.test>")
            assert d.ask("RCPT TO:<bob@example.test>").startswith(answers[0])
            assert d.ask("RCPT TO:<carol@example.test>").startswith("250")
            d.ask("RSET")
            d.ask("MAIL FROM:<mallory@else.test>")
            assert d.ask("RCPT TO:<carol@example.test>").startswith(answers[1])


@pytest.mark.parametrize("stress, word, helo", [
    ("yes", "full", "not now"), ("", "welcome", "250 ")])
@pytest.mark.parametrize("where", ["-o", "main.cf"])
def test_stress_that_the_site_sets_holds(suite, stress, word, helo, where):
    """Whether the service is full or not."""
    option = f"\n  -o stress={stress}" if where == "-o" else ""
    s = suite(master_cf=few(2, option), main="""
smtpd_banner = $myhostname ESMTP ${stress?{full}:{welcome}}
smtpd_delay_reject = no
smtpd_helo_restrictions =
  ${stress?{check_helo_access inline:{ {slow.test = 554 5.7.1 not now} }}:
  {permit}}
""")
    if where != "-o":
        s.set(stress=stress)
        s.posthaste("reload")
    with Greeted(s.ports["smtp"]) as first:
        with Greeted(s.ports["smtp"]) as filling:
            for d in first, filling:
                assert word in d.banner
                assert helo in d.ask("HELO slow.test")


def test_one_service_may_do_without_what_stress_asks(suite):
    """-o stress= where main.cf says yes: what is asked then can be asked."""
    s = suite(master_cf=few(2, "\n  -o stress="), main="""
stress = yes
smtpd_delay_reject = no
smtpd_helo_restrictions = ${stress?{permit}:{check_helo_access
  inline:{ {slow.test = 554 5.7.1 not now} }}}
""")
    with Greeted(s.ports["smtp"]) as d:
        assert "not now" in d.ask("HELO slow.test")


def test_stress_in_an_option_of_one_service(suite):
    s = suite(master_cf=few(
        1, "\n  -o {{ smtpd_banner = $myhostname "
        "${{stress?{{a b}}:{{c d}}}} }}"))
    assert banner(s.ports["smtp"]).endswith("mx.example.test a b\r\n")


def test_options_with_blanks(suite):
    """-o name=value, and { name = value } with blanks and commas."""
    port = free_port()
    s = suite(master=f"""\
127.0.0.1:{port} inet n - n - 20 smtpd
  -o {{ smtpd_banner = $myhostname ESMTP ready, $tail at last }}
  -o {{tail=who knows}}
  -o smtpd_recipient_restrictions=$mine -o
  {{ mine = check_recipient_access inline:{{ {{ bob@example.test =
     550 5.7.1 not $$you, or others }} }}, permit }}
""")
    with Greeted(port) as d:
        assert d.banner == ("220 mx.example.test ESMTP ready, who knows at "
                            "last\r\n")
        d.ask("EHLO x")
        assert d.ask("MAIL FROM:<a@b.test>").startswith("250")
        assert "not $you, or others" in d.ask("RCPT TO:<bob@example.test>")
        assert d.ask("RCPT TO:<alice@example.test>").startswith("250")
    assert "ready" not in banner(s.ports["smtp"])


@pytest.mark.parametrize("level, answers", [
    ("3.6", "lt=no le=yes eq=yes ge=yes gt=no ten=no"),
    ("3.5", "lt=yes le=yes eq=no ge=no gt=no ten=no"),
    ("3.10", "lt=no le=no eq=no ge=yes gt=yes ten=yes"),
    ("4", "lt=no le=no eq=no ge=yes gt=yes ten=yes"),
    ("2", "lt=yes le=yes eq=no ge=no gt=no ten=no"),
])
def test_levels_are_compared_where_programs_run(suite, level, answers):
    text = " ".join(
        f"{name}=${{{{$compatibility_level}} {sign}level {{{to}}} ? "
        "{yes} : {no}}" for name, sign, to in [
            ("lt", "<", "3.6"), ("le", "<=", "3.6"), ("eq", "==", "3.6"),
            ("ge", ">=", "3.6"), ("gt", ">", "3.6"), ("ten", ">=", "3.10")])
    s = suite(main=f"compatibility_level = {level}\n"
              f"smtpd_banner = $myhostname {text}\n")
    assert banner(s.ports["smtp"]) == f"220 mx.example.test {answers}\r\n"


def test_defaults_go_by_the_level(suite):
    """A default that the level decides, where it acts."""
    port = free_port()
    s = suite(main="mynetworks =\nsmtpd_recipient_restrictions =\n",
              master=f"127.0.0.1:{port} inet n - n - 20 smtpd\n"
              "  -o compatibility_level=0\n")
    value = s.command("postconf", "-d", "smtpd_relay_restrictions").out
    assert "level" in value
    with Greeted(s.ports["smtp"]) as d:
        d.ask("EHLO x")
        d.ask("MAIL FROM:<a@b.test>")
        assert re.match("[45]54", d.ask("RCPT TO:<x@elsewhere.test>"))
