# SPDX-License-Identifier: ISC
"""A suite with one user of this machine, whose files are all in the test's
own folder: nothing in anybody's real home is touched."""
import os
import pwd
import types

import pytest

from posthaste import AS_ROOT, owner_ids


@pytest.fixture
def local(suite):
    """local(aliases="...", master="...", name="value", ...) -> Instance, with
    .user, .home and .spool_file of the user."""

    def make(aliases="", master="", start=True, **settings):
        s = suite(start=False, master=master)
        uid, gid = owner_ids()
        s.user = pwd.getpwuid(uid).pw_name
        s.home = s.root / "home"
        s.var_mail = s.root / "var-mail"
        s.home.mkdir()
        os.chown(s.home, uid, gid)
        s.var_mail.mkdir()
        # as /var/mail: everybody may make files, none may remove others'
        os.chmod(s.var_mail, 0o1777)
        s.spool_file = s.var_mail / s.user
        s.write("aliases", aliases.format(root=s.root, user=s.user))
        s.set(alias_maps=f"hash:{s.root}/etc/aliases",
              myorigin="local.test",
              local_recipient_maps="",
              mail_spool_directory=s.var_mail,
              forward_path=f"{s.home}/.forward${{recipient_delimiter}}"
                           f"${{extension}}, {s.home}/.forward",
              default_privs="nobody" if AS_ROOT else s.user,
              deliver_lock_attempts="2", deliver_lock_delay="1s")
        s.set(**{k: v.format(root=s.root, user=s.user)
                 for k, v in settings.items()})

        def own(name, text, mode=0o644):
            path = s.home / name
            path.write_text(text)
            os.chown(path, uid, gid)
            path.chmod(mode)
            return path

        s.own = own
        return s.start() if start else s

    return make


@pytest.fixture
def outcome():
    """The log line that says what became of a message for an address."""

    def find(s, to, queue_id=None):
        m = s.wait_log(rf"{queue_id or '[0-9A-Za-z]+'}: to=<{to}>, (?:orig_to="
                       r"<[^>]*>, )?relay=([^,]*), .*dsn=([0-9.]+), "
                       r"status=(\w+) \((.*)\)$")
        return types.SimpleNamespace(relay=m[1], dsn=m[2], status=m[3],
                                     text=m[4])

    return find
