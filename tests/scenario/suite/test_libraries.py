# SPDX-License-Identifier: ISC
"""What the programs are linked with. A library costs each process that starts
some hundred kilobytes of its own, used or not (libcrypto 0.4 MB), and is code
within reach of whoever takes the process over."""
import re
import subprocess

from posthaste import ROOT

PROGRAMS = ROOT / "libexec/posthaste"
# TLS
SSL = {"smtpd", "smtp", "imapd", "pop3d",
       "master"}  # reads certificates, to say what is wrong with them
# digests: of passwords and tokens (auth), of messages (session stages);
# signatures (keyd)
CRYPTO = SSL | {"keyd", "auth", "auth-session", "imapd-session",
                "pop3d-session"}
MAY = {"libssl": SSL, "libcrypto": CRYPTO,
       "libpam": {"auth-pam"}, "libsasl2": {"auth", "master"},
       "libcares": {"resolver"}}


def needed(path):
    told = subprocess.run(["readelf", "-d", path], check=True, text=True,
                          capture_output=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[([a-z0-9]+)", told))


def test_programs_have_the_libraries_that_they_use():
    with_libc = 0
    for path in PROGRAMS.iterdir():
        if path.suffix or not path.is_file():
            continue
        libraries = needed(path)
        with_libc += "libc" in libraries
        for library, programs in MAY.items():
            assert library not in libraries or path.name in programs, path
    assert with_libc > 20  # or the words of readelf have changed


def test_who_may_have_a_library_has_it():
    for library, programs in MAY.items():
        for name in programs:
            if (PROGRAMS / name).exists():
                assert library in needed(PROGRAMS / name), (library, name)
