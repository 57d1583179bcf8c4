# SPDX-License-Identifier: ISC
"""Mail that several people see, for tests."""
from test_list import PLAIN

MAIN = PLAIN + "mail_special_folders =\nmail_shared_prefix = shared\n"
BOB = "shared/bob@example.test"
ALL = "lrswipkxtea"


def message(n=1):
    return f"Subject: {n}\r\nFrom: a@b.c\r\n\r\ntext {n}\r\n".encode()


def shared(suite, rights, main="", folder="Work", messages=3):
    """bob's folder with messages, of which alice has these rights.

    (suite, bob, alice): alice has connected after the rights were given.
    """
    s = suite(main=MAIN + main)
    bob = s.imap("bob")
    bob.ok(f"CREATE {folder}")
    for n in range(messages):
        bob.append(folder, message(n + 1))
    bob.ok(f'SETACL {folder} alice@example.test "{rights}"')
    return s, bob, alice(s)


def alice(s, user="alice"):
    """A connection that has been given all that is shared."""
    return s.imap(user)


def entries(s):
    """{(grantee, owner)} of the directory of shares."""
    top = s.root / "data/imap-shares"
    return {(g.name, o.name) for g in top.iterdir() for o in g.iterdir()}
