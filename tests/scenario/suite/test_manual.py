# SPDX-License-Identifier: ISC
"""Every program, service and file has a page, and pages refer to pages that
are there."""
import re

from posthaste import ROOT, SOURCE

MAN = SOURCE / "man"
PAGES = {(p.stem, p.suffix[1:]) for p in MAN.glob("*.[158]")}
# parts of a program, told of in its page
PART_OF = {"auth-pam": "auth", "auth-token": "auth", "auth-session": "auth",
           "pop3d-session": "pop3d", "imapd-session": "imapd",
           "lookup-smtp": "lookup", "lookup-server": "lookup",
           "lookup-smtp-server": "lookup",
           "lookup-auth-server": "lookup"}
# services of Postfix's names
SERVED_BY = {"relay": "smtp", "retry": "error", "defer": "bounce",
             "trace": "bounce"}


def test_programs_and_commands():
    for name in sorted(p.name for p in (ROOT / "sbin").iterdir()):
        assert (name, "1") in PAGES, name
    for name in sorted(p.name for p in (ROOT / "libexec/posthaste").iterdir()):
        if name.endswith(".so"):  # table_pgsql.so: a table type
            kind = name.removeprefix("table_").removesuffix(".so")
            assert (f"{kind}_table", "5") in PAGES, name
            continue
        page = PART_OF.get(name, name)
        assert (page, "8") in PAGES, name
        assert name in (MAN / f"{page}.8").read_text(), name


def test_services_of_master_cf():
    text = (SOURCE / "conf/master.cf").read_text()
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 8 and not line.startswith(("#", " ", "\t")):
            command = SERVED_BY.get(words[7], words[7])
            assert (command, "8") in PAGES, line


def test_files():
    for name in ("main.cf", "master.cf", "access", "accounts", "aliases",
                 "bounce", "canonical", "generic", "relocated", "transport",
                 "virtual", "cidr_table", "pcre_table", "regexp_table",
                 "postconf"):
        assert (name, "5") in PAGES, name


def test_installed_as_they_are():
    installed = {(p.stem, p.suffix[1:]) for p in
                 (ROOT / "share/man").rglob("*.[158]")}
    assert installed == PAGES


def test_references_lead_somewhere():
    ours = {name for name, _ in PAGES}
    # pages of the system, and Postfix's that are spoken of
    for page in MAN.glob("*.[158]"):
        for name, section in re.findall(r"^\.Xr (\S+) ([158])\b",
                                        page.read_text(), re.M):
            if name in ours:
                assert (name, section) in PAGES, (page.name, name, section)


def test_settings_of_tables_are_in_the_page_of_settings(suite):
    s = suite(start=False)
    known = {line.split(" =")[0] for line in
             s.command("postconf", "-d", "-C", "builtin").out.splitlines()}
    text = (MAN / "main.cf.5").read_text() + (MAN / "postconf.5").read_text()
    missing = {name for name in known if name not in text}
    assert not missing
