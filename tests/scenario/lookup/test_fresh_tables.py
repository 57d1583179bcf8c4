# SPDX-License-Identifier: ISC
"""A second after a table has changed, the next question is answered by the new
one: each kind of table, each way to change it. Every table is asked once."""
import os
import shutil
import time

import pytest

from lookup_client import AGAIN, FOUND, Lookup

SECOND = 1.1  # and a little for those who are woken late

# how it is written in main.cf, its form, made by postmap as
KINDS = {
    "texthash": ("texthash:{}", "k.test {}\n", None),
    "hash": ("hash:{}", "k.test {}\n", None),
    "hash-built": ("hash:{}", "k.test {}\n", "hash"),
    "btree": ("btree:{}", "k.test {}\n", "btree"),
    "cdb": ("cdb:{}", "k.test {}\n", "cdb"),
    "lmdb": ("lmdb:{}", "k.test {}\n", "lmdb"),
    "pcre": ("pcre:{}", "/^k\\.test$/ {}\n", None),
    "regexp": ("regexp:{}", "/^k\\.test$/ {}\n", None),
    "cidr": ("cidr:{}", "192.0.2.0/24 {}\n", None),
    "union": ("unionmap:{{{{texthash:{}}}}}", "k.test {}\n", None),
    "pipe": ("pipemap:{{{{texthash:{}}}}}", "k.test {}\n", None),
    "nested": ("unionmap:{{{{pipemap:{{{{texthash:{}}}}}}}}}", "k.test {}\n",
               None),
    "built-member": ("unionmap:{{{{cdb:{}}}}}", "k.test {}\n", "cdb"),
}
KEYS = {"cidr": "192.0.2.9"}


def written_in_place(new, old):
    for file in new.iterdir():
        with open(old / file.name, "r+b") as f:
            f.truncate()
            f.write(file.read_bytes())


def renamed_over(new, old):
    for file in new.iterdir():
        file.rename(old / file.name)


def folder_replaced(new, old):
    old.rename(old.with_name(old.name + "-gone"))
    new.rename(old)
    shutil.rmtree(old.with_name(old.name + "-gone"))


def link_of_the_folder_switched(new, old):
    link = old.with_name(old.name + "-link")
    link.symlink_to(new)
    os.rename(link, old)


def links_of_the_files_switched(new, old):
    for file in new.iterdir():
        link = new / "link"
        link.symlink_to(file)
        os.rename(link, old / file.name)


def was_not_there(new, old):
    for file in new.iterdir():
        shutil.copy2(file, old / file.name)


WAYS = [written_in_place, renamed_over, folder_replaced,
        link_of_the_folder_switched, links_of_the_files_switched,
        was_not_there]


def fill(s, folder, value):
    folder.mkdir()
    folder.chmod(0o755)
    for kind, (_, form, built) in KINDS.items():
        path = folder / kind
        path.write_text(form.format(value))
        if built:
            s.command("postmap", f"{built}:{path}")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_next_question_after_a_second(suite, way):
    s = suite(start=False)
    old, new = s.root / "etc/tables", s.root / "etc/new"
    fill(s, new, "new")
    if way is was_not_there:
        old.mkdir()
        old.chmod(0o755)
    elif way is link_of_the_folder_switched:
        fill(s, s.root / "etc/first", "old")
        old.symlink_to(s.root / "etc/first")
    else:
        fill(s, old, "old")
    specs = {kind: row[0].format(old / kind) for kind, row in KINDS.items()}
    specs = {k: v.replace("{{", "{").replace("}}", "}")
             for k, v in specs.items()}
    # in one setting that everybody asks about, in one that smtp does
    s.set(transport_maps=", ".join(specs.values()),
          smtp_sasl_password_maps=", ".join(specs.values()))
    s.start()
    for service in ("lookup", "lookup-smtp"):
        client = Lookup(s, service)

        def ask():
            return {k: client.query(t, KEYS.get(k, "k.test"))
                    for k, t in specs.items()}
        got = ask()
        if service == "lookup":
            wanted = ([AGAIN] if way is was_not_there else [FOUND, "old"])
            assert {k: list(v[::2])[:len(wanted)] for k, v in got.items()} == {
                k: wanted for k in KINDS}
            # lookup-smtp has opened its own when it is asked below
            other = Lookup(s, "lookup-smtp")
            for k, t in specs.items():
                other.query(t, KEYS.get(k, "k.test"))
            other.close()
            way(new, old)
            time.sleep(SECOND)
            got = ask()
        client.close()
        assert {k: v[::2] for k, v in got.items()} == {
            k: (FOUND, "new") for k in KINDS}, service


def test_aliases_and_included_files(suite):
    """local reads its tables itself, included files for each message."""
    s = suite(start=False)
    for name in ("text", "built"):
        s.write(name, f"{name}: bob@example.test\n")
    s.write("plain", "plain bob@example.test\n")
    s.write("patterns", "/^pattern$/ bob@example.test\n")
    s.write("lists", f"list: :include:{s.root}/etc/members\n")
    s.write("members", "bob@example.test\n")
    s.command("postalias", f"cdb:{s.root}/etc/built")
    s.set(mydestination="local.test", local_recipient_maps="", alias_maps=(
        "hash:{0}/text cdb:{0}/built texthash:{0}/plain regexp:{0}/patterns "
        "hash:{0}/lists unionmap:{{{{texthash:{0}/member}}}}"
        .format(s.root / "etc").replace("{{", "{").replace("}}", "}")))
    s.write("member", "member bob@example.test\n")
    s.start()
    names = ["text", "built", "plain", "pattern", "list", "member"]
    everybody = [f"{n}@local.test" for n in names]
    s.send(to=everybody)
    s.wait_messages("bob", len(names))
    for name in ("text", "built"):
        s.write(name, f"{name}: carol@example.test\n")
    s.write("plain", "plain carol@example.test\n")
    s.write("patterns", "/^pattern$/ carol@example.test\n")
    s.write("members", "carol@example.test\n")
    s.write("member", "member carol@example.test\n")
    s.command("postalias", f"cdb:{s.root}/etc/built")
    time.sleep(SECOND)
    s.send(to=everybody)
    s.wait_empty()
    assert len(s.messages("bob")) == len(names)
    assert len(s.messages("carol")) == len(names)
