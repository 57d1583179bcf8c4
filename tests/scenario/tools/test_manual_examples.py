# SPDX-License-Identifier: ISC
"""What the manual pages show is so: their tables are written as they stand
there, their commands run and answer what the page says they answer, and
posthaste check finds nothing wrong with their settings.

A block of an EXAMPLES section has lines of main.cf, then "# /path" before each
file, then "$ command" with what it prints; in pages about programs those with
neither are only read."""
import re
import shlex
import shutil
import subprocess

import pytest

from posthaste import ROOT, SOURCE

MAN = SOURCE / "man"
BLOCK = re.compile(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", re.M | re.S)
FILE = re.compile(r"^# (/\S+)$")

# Pages whose examples are hashes cut short, or not about files and commands.
OTHER = {"accounts.5"}
# Their servers are not there, or their module may not be: all else is true.
SERVERS = {"pgsql_table.5", "mysql_table.5", "ldap_table.5", "redis_table.5",
           "memcache_table.5", "socketmap_table.5", "tcp_table.5"}
FORGIVEN = re.compile(
    r"overriding earlier entry|postdrop: made set-gid|postqueue: made set-gid|"
    r"pipe: /usr/lib/dovecot/|cannot be had now, mail waits|its module is not installed")


def blocks(page):
    text = (MAN / page).read_text()
    found = re.search(r"^\.Sh EXAMPLES\n(.*?)^\.Sh ", text + ".Sh \n",
                      re.M | re.S)
    for block in BLOCK.findall(found[1]) if found else []:
        plain = block.replace(r"\&", "").replace(r"\e", "\0")
        assert "\\" not in plain, f"{page}: {plain}"
        yield plain.replace("\0", "\\")


class Example:
    """One block: settings, files, and commands with their output."""

    def __init__(self, text):
        self.settings, self.files, self.dialogue = "", {}, []
        path = None
        for line in text.splitlines():
            named = FILE.match(line)
            if named:
                path = named[1]
                self.files[path] = ""
            elif line.startswith("$ "):
                path = None
                self.dialogue.append((line[2:], ""))
            elif self.dialogue:
                command, output = self.dialogue[-1]
                self.dialogue[-1] = command, output + line + "\n"
            elif path:
                self.files[path] += line + "\n"
            else:
                self.settings += line + "\n"


PAGES = sorted(p.name for p in MAN.glob("*.[158]"))
EXAMPLES = [pytest.param(page, Example(text), id=f"{page}-{i}")
            for page in PAGES if page not in OTHER
            for i, text in enumerate(blocks(page))
            if page.endswith(".5") or re.search(r"(?m)^(\$|# /)", text)]


def run(s, command):
    """The output of a command of the suite, or of sqlite3."""
    words = shlex.split(command)
    if words[0] == "sqlite3":
        if not shutil.which("sqlite3"):
            pytest.skip("no sqlite3")
        return subprocess.run(words, check=True, capture_output=True,
                              text=True).stdout
    assert (ROOT / "sbin" / words[0]).exists(), command
    done = s.command(*words, check=False)
    said = [x for x in done.err.splitlines() if not FORGIVEN.search(x)]
    assert not said, (command, said)
    assert done.returncode == 0 or (done.returncode == 1 and not done.out), \
        command
    return done.out


@pytest.mark.parametrize("page,example", EXAMPLES)
def test_example(suite, page, example):
    s = suite(start=False)
    etc = str(s.root / "etc")

    def here(text):
        text = re.sub(r"/etc/posthaste\b|/etc(?=/aliases\b)", etc, text)
        return text.replace("vmail:vmail", "nobody:nogroup")

    for path, text in example.files.items():
        name = here(path)
        assert name.startswith(etc), f"{page}: {path}"
        mode = "a" if name.endswith("/master.cf") else "w"
        with open(name, mode) as f:
            f.write(here(text))
    with open(s.root / "etc/main.cf", "a") as f:
        f.write(here(example.settings))
    for command, output in example.dialogue:
        assert run(s, here(command)) == here(output), f"{page}: {command}"
    done = s.posthaste("check", check=False)
    said = [line for line in (done.out + done.err).splitlines()
            if line and not FORGIVEN.search(line)]
    assert not said and (done.returncode == 0 or page in SERVERS), \
        f"{page}: {done.out}{done.err}"


@pytest.mark.parametrize("page", sorted(p.name for p in MAN.glob("*.5")))
def test_a_format_is_shown_by_examples_that_are_tried(page):
    """A page about a format shows it; what is shown is checked above."""
    if page in OTHER | {"bounce.5", "main.cf.5", "master.5", "postconf.5"}:
        return
    shown = [Example(text) for text in blocks(page)]
    assert shown, page
    asked = any(example.dialogue for example in shown)
    assert asked or page in SERVERS, page


def names(page):
    text = page.read_text()
    return [tuple(words.split()[:2])
            for words in re.findall(r"^\.Xr (\S+ \d)", text, re.M)] + [
        tuple(found) for found in
        re.findall(r" Xr (\S+) (\d)", text)]


def test_references_lead_to_pages():
    """Of ours; those of the system are a few known ones."""
    system = {("pcre2pattern", "3"), ("regex", "7"), ("sysexits", "3"),
              ("syslog", "3"), ("syslogd", "8"), ("flock", "2"), ("crypt", "3"),
              ("crypt_gensalt", "3"), ("epoll", "7"), ("resolv.conf", "5")}
    ours = {tuple(p.name.rsplit(".", 1)) for p in MAN.glob("*.[158]")}
    lost = {(page.name, *name) for page in MAN.glob("*.[158]")
            for name in names(page) if name not in ours | system}
    assert not lost


def test_documents_name_pages_that_exist():
    ours = {p.name for p in MAN.glob("*.[158]")}
    for document in [SOURCE / "README.md", *(SOURCE / "doc").glob("*.md")]:
        text = document.read_text()
        for name, section in re.findall(r"\b([a-z][\w.]*)\(([158])\)", text):
            if section == "1" and not name.startswith("post"):
                continue  # a tool of the system's
            assert f"{name}.{section}" in ours, f"{document.name}: {name}"


def test_settings_in_the_migration_guide_are_taken(suite):
    """Blocks of "name = value" whose names are all settings of ours."""
    s = suite(start=False)
    known = set(s.command("postconf", "-dH").out.split())
    text = (SOURCE / "doc/MIGRATING.md").read_text()
    blocks = [re.findall(r"(?m)^\t(\w+) = (.*)$", block)
              for block in re.findall(r"(?:^\t\w+ = .*\n)+", text, re.M)]
    ours = [block for block in blocks
            if all(name in known for name, _ in block)]
    assert len(ours) >= 2
    for block in ours:
        main = s.main_cf + "".join(f"{n} = {v}\n" for n, v in block)
        s.write("main.cf", main)
        done = s.posthaste("check", check=False)
        assert done.returncode == 0, (block, done.err)


def test_every_page_is_installed_and_every_command_has_one():
    listed = set(re.findall(r"man/(\S+\.[158])\b",
                            (MAN / "local.mk").read_text()))
    assert listed == {p.name for p in MAN.glob("*.[158]")}
    for command in (ROOT / "sbin").iterdir():
        assert f"{command.name}.1" in listed, command.name


@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc")
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_well_formed(page):
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", MAN / page],
                          capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines()
            if "outdated mandoc.db" not in line
            and "referenced manual not found" not in line]
    assert not said, "\n".join(said)
