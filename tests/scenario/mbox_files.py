# SPDX-License-Identifier: ISC
"""Mailboxes that are one file, made by hand."""
import os
import re

FROM = b"From alice@example.test  Sat Nov 21 13:25:01 2026\n"


def message(i, size=100):
    return (FROM + b"Subject: number %d\nMessage-ID: <%d@x>\n\n" % (i, i) +
            b"x" * size + b"\n\n")


def write_mbox(s, path, content):
    path.write_bytes(content)
    os.chown(path, s.uid, s.gid)
    path.chmod(0o600)


def box(s, user="bob"):
    return s.root / "mail/spool" / user


def put(s, content, user="bob"):
    write_mbox(s, box(s, user), content)


def mbox_suite(suite, main="", content=b"", start=True):
    """bob's and carol's mail are files in one directory."""
    s = suite(main="disable_plaintext_auth = no\n" + main, start=False)
    spool = s.root / "mail/spool"
    spool.mkdir()
    os.chown(spool, s.uid, s.gid)
    lines = [s.account("alice")]
    for user in ("bob", "carol"):
        lines.append(s.account(user).replace(
            "userdb_mail=maildir:" + str(s.maildir(user)),
            f"userdb_mail=mbox:{box(s, user)}"))
    (s.root / "etc/accounts").write_text("".join(lines))
    put(s, content)
    return s.start() if start else s


def subjects(s, user="bob"):
    return re.findall(rb"^Subject: (.*)$", box(s, user).read_bytes(), re.M)
