# SPDX-License-Identifier: ISC
"""A changed table is used within a second, without a reload: each type, for
who asks lookup and who reads tables itself, however the change came about."""
import os
import shutil

import pytest

from posthaste import quick, wait_for

# what is promised, and what a machine may take to ask for all of them; one
# that is loaded takes longer now and then, but not for each change
PROMISED, SLACK, LOADED = 1.0, 4.0, 30.0

# type: is it built, how an entry is written
TYPES = {
    "texthash": (False, "{key} {value}\n"),
    "hash": (False, "{key} {value}\n"),  # its text serves as it is
    "btree": (True, "{key} {value}\n"),
    "cdb": (True, "{key} {value}\n"),
    "lmdb": (True, "{key} {value}\n"),
    "pcre": (False, "/^{key}$/ {value}\n"),
    "regexp": (False, "/^{key}$/ {value}\n"),
    "union": (False, "{key} {value}\n"),
    "pipe": (False, "{key} {value}\n"),
}
SPECS = {"union": "unionmap:{{texthash:{0}}}",
         "pipe": "pipemap:{{texthash:{0}}}"}


def fill(s, kind, path, key, value):
    built, form = TYPES[kind]
    path.write_text(form.format(key=key, value=value))
    if built:
        s.command("postmap", f"{kind}:{path}")


def tables(folder, name):
    return " ".join(SPECS.get(kind, kind + ":{0}").format(
        folder / f"{name}-{kind}") for kind in TYPES)


@pytest.fixture
def s(suite):
    s = suite(start=False)
    s.folder = s.root / "etc/tables"
    s.folder.mkdir()
    s.folder.chmod(0o755)
    s.set(virtual_alias_domains="",
          virtual_alias_maps=tables(s.folder, "alias"),
          smtpd_recipient_restrictions=", ".join(
              [*(f"check_recipient_access {t}"
                 for t in tables(s.folder, "access").split()),
               "reject_unauth_destination"]))
    return s


def fill_all(s, folder, suffix, kinds=TYPES):
    for kind in kinds:
        fill(s, kind, folder / f"alias-{kind}",
             f"{kind}-{suffix}@example.test", "bob@example.test")
        fill(s, kind, folder / f"access-{kind}",
             f"refused-{kind}-{suffix}@example.test", f"REJECT by {kind}")


def reply(s, address):
    with s.smtp() as session:
        session.ehlo()
        session.mail("alice@example.test")
        code, text = session.rcpt(address)
    return code, text.decode()


def expect(s, suffix):
    for kind in TYPES:
        wait_for(f"the new alias in {kind}", lambda: reply(
            s, f"{kind}-{suffix}@example.test")[0] == 250, LOADED)
        wait_for(f"the new refusal in {kind}", lambda: f"by {kind}" in reply(
            s, f"refused-{kind}-{suffix}@example.test")[1], LOADED)


def test_changed_content(s):
    fill_all(s, s.folder, "old0")
    s.start()
    expect(s, "old0")
    suffixes = iter(f"new{n}" for n in range(100))

    def change():
        fill_all(s, s.folder, last := next(suffixes))
        expect(s, last)
        return last

    last = quick("new tables", PROMISED + SLACK, change)
    for kind in TYPES:
        assert reply(s, f"{kind}-old0@example.test")[0] == 550, kind
        assert reply(s, f"{kind}-{last}@example.test")[0] == 250, kind


def test_renamed_over(s):
    fill_all(s, s.folder, "old")
    s.start()
    expect(s, "old")
    other = s.root / "etc/other"
    other.mkdir()
    fill_all(s, other, "new")
    for file in other.iterdir():
        file.rename(s.folder / file.name)
    expect(s, "new")


def test_no_file_at_the_start(s):
    s.start()
    assert reply(s, "texthash-new@example.test")[0] in (450, 451)
    fill_all(s, s.folder, "new")
    expect(s, "new")


def test_replaced_folder(s):
    fill_all(s, s.folder, "old")
    s.start()
    expect(s, "old")
    other = s.root / "etc/other"
    other.mkdir()
    other.chmod(0o755)
    fill_all(s, other, "new")
    s.folder.rename(s.root / "etc/gone")
    other.rename(s.folder)
    shutil.rmtree(s.root / "etc/gone")
    expect(s, "new")


def test_switched_link(s):
    one, two = s.root / "etc/one", s.root / "etc/two"
    for folder, suffix in ((one, "old"), (two, "new")):
        folder.mkdir()
        folder.chmod(0o755)
        fill_all(s, folder, suffix)
    s.folder.rmdir()
    s.folder.symlink_to(one)
    s.start()
    expect(s, "old")
    link = s.root / "etc/link"
    link.symlink_to(two)
    os.rename(link, s.folder)
    expect(s, "new")


def test_vanished_is_try_again_and_comes_back(s):
    fill_all(s, s.folder, "old")
    s.start()
    expect(s, "old")
    path = s.folder / "alias-texthash"
    text = path.read_text()
    path.unlink()
    wait_for("the loss", lambda: reply(
        s, "texthash-old@example.test")[0] in (450, 451), LOADED)
    path.write_text(text)
    wait_for("its return", lambda: reply(
        s, "texthash-old@example.test")[0] == 250, LOADED)
