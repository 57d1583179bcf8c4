# SPDX-License-Identifier: ISC
"""What tests with real clients share: messages, and a look at what is there
by a client of our own, over TLS."""
import re

from mail_caches import fetched

# A name that is not ASCII, and on the wire (RFC 3501 section 5.1.3).
FOLDER = "Entwürfe/日本"
WIRE = "Entw&APw-rfe/&ZeVnLA-"


def message(subject, body="Hello\r\n", ident=None):
    ident = ident or subject.replace(" ", "-")
    return (f"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\n"
            f"Subject: {subject}\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
            f"Message-ID: <{ident}@example.test>\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{body}").encode()


def look(s, folder="INBOX"):
    """{subject: flags} of a folder, without \\Recent; a list for doubles."""
    c = s.imap(tls="implicit")
    try:
        lines = c.ok(f'EXAMINE "{folder}"')
        if b"* 0 EXISTS" in lines:
            return {}
        found = {}
        for line in c.ok("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS "
                         "(Subject)])"):
            if row := fetched(line):
                subject = re.search(rb"Subject: ([^\r]*)", line)[1].decode()
                assert subject not in found, f"twice: {subject}"
                found[subject] = set(row[1]["flags"])
        return found
    finally:
        c.close()


def folders(s):
    """Names of all folders, as on the wire."""
    c = s.imap(tls="implicit")
    try:
        return {re.search(rb' "?([^" ]+)"?$', line)[1].decode()
                for line in c.ok('LIST "" *') if line.startswith(b"* LIST")}
    finally:
        c.close()
