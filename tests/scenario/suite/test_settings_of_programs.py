# SPDX-License-Identifier: ISC
"""programs.def says which settings a program is told, its source which ones
it asks for: to ask for another ends it, perhaps only on a rare day."""
import re

from posthaste import SOURCE

GROUPS = {"common": "lib/conf", "tls": "lib/tls", "store": "lib/store",
          "login": "lib/login", "postmulti": "tools"}
FOLDERS = {"auth-session": "auth", "auth-pam": "auth",
           "auth-token": "auth",
           "pop3d-session": "pop3d", "imapd-session": "imapd",
           "lookup-smtp": "lookup", "lookup-server": "lookup",
           "lookup-smtp-server": "lookup",
           "lookup-auth-server": "lookup"}


def group_of_settings():
    registry = (SOURCE / "lib/conf/registry.c").read_text()
    return {name: group
            for group in re.findall(r"&(\w+)_param_group", registry)
            for name in re.findall(
                r"^PARAM\((\w+),", (SOURCE / GROUPS.get(group, group) /
                                    "params.def").read_text(), re.M)}


def told():
    """What the programs of each folder are told."""
    rows = (SOURCE / "lib/service/programs.def").read_text()
    found = {}
    for name, settings in re.findall(
            r'^PROGRAM\(([\w-]+), \w+, \w+, \w+, "[^"]*", "[^"]*", "([^"]*)"',
            rows, re.M):
        found.setdefault(FOLDERS.get(name, name), {"common"}).update(
            settings.split())
    return found


def test_who_knows_tokens_is_told_nothing_of_accounts():
    """Its folder is auth's, whose settings say where accounts are."""
    row = re.search(r'^PROGRAM\(auth-token, .*"([^"]*)", "[^"]*"\)$',
                    (SOURCE / "lib/service/programs.def").read_text(), re.M)
    text = (SOURCE / "auth/auth_token.c").read_text()
    asked = {n for n in re.findall(r'"(\w+)"', text)
             if n in group_of_settings()}
    assert asked == set(row[1].split())
    assert set(re.findall(r"&(\w+)_param_group", text)) == {"common"}


def test_programs_are_told_all_that_they_ask_for():
    groups, missing = group_of_settings(), []
    folders = told()
    assert len(groups) > 300 and len(folders) > 10
    for folder, has in folders.items():
        assert (SOURCE / folder).is_dir()
        for source in sorted((SOURCE / folder).glob("*.c")):
            text = source.read_text()
            asked = {(n, groups[n]) for n in re.findall(r'"(\w+)"', text)
                     if n in groups}
            asked |= {(g, g) for g in re.findall(r"&(\w+)_param_group", text)}
            missing += [(source.name, name) for name, group in asked
                        if not {"*", name, group} & has]
    assert not missing
