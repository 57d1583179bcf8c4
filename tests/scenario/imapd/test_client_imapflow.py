# SPDX-License-Identifier: ISC
"""imapflow, the client of web mailers: folders, messages, IDLE, QRESYNC."""
import subprocess

from imap_people import IMAPFLOW, imapflow


def test_a_web_mailer(suite):
    modules = imapflow()
    s = suite()
    done = subprocess.run(
        ["node", IMAPFLOW / "session.js", modules, str(s.ports["imaps"]),
         s.root / "etc/cert.pem"], capture_output=True, text=True,
        timeout=300)
    assert done.stdout == "done\n", done.stdout + done.stderr
