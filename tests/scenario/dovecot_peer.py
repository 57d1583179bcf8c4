# SPDX-License-Identifier: ISC
"""A real Dovecot, on a Maildir of the test's: one process of it at a time that
speaks through a pipe, already logged in. It is the one installed, or one that
was unpacked below DOVECOT_ROOT (dpkg -x of dovecot-core, -imapd and -pop3d;
for one test -lmtpd); the latter needs the right to mount over /usr in a
namespace of its own."""
import base64
import grp
import imaplib
import os
import pathlib
import pwd
import re
import shlex
import subprocess
import time

UNPACKED = os.environ.get("DOVECOT_ROOT", "")
PROGRAMS = pathlib.Path(UNPACKED + "/usr/lib/dovecot")
# it refuses to serve root's mail
OWNER = 65534 if os.geteuid() == 0 else os.geteuid()
OVERLAY = ("mount -t overlay overlay -o lowerdir={0}/usr:/usr /usr"
           " && exec \"$@\"")


def why_not():
    """A reason to skip, or None."""
    if not (PROGRAMS / "imap").exists():
        return "no Dovecot: install it, or unpack it and set DOVECOT_ROOT"
    if UNPACKED and subprocess.run(
            ["unshare", "-m", "bash", "-c", OVERLAY.format(UNPACKED), "--",
             "true"], capture_output=True).returncode != 0:
        return "an unpacked Dovecot needs the right to mount"
    return None


def started(program, *arguments):
    """How to start one of its programs."""
    inside = ["unshare", "-m", "bash", "-c", OVERLAY.format(UNPACKED), "--"]
    return [*(inside if UNPACKED else []), program, *arguments]


def from_utf7(name):
    """Modified UTF-7 (RFC 3501 section 5.1.3)."""
    def run(m):
        if m[1] == "":
            return "&"
        text = m[1].replace(",", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode(
            "utf-16-be")
    return re.sub(r"&([^-]*)-", run, name)


def to_utf7(name):
    def run(m):
        if m[0] == "&":
            return "&-"
        text = base64.b64encode(m[0].encode("utf-16-be")).decode()
        return "&" + text.rstrip("=").replace("/", ",") + "-"
    return re.sub(r"&|[^ -~]+", run, name)


def quoted(name):
    text = to_utf7(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def unquoted(text):
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return from_utf7(text)


class Dovecot:
    def __init__(self, folder, location, separator="/"):
        self.folder = pathlib.Path(folder)
        self.conf = self.folder / "dovecot.conf"
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        os.chown(state, OWNER, -1)
        self.conf.write_text(f"""
base_dir = {state}
state_dir = {state}
log_path = {state}/log
protocols = imap pop3
ssl = no
mail_location = {location}
mail_uid = {OWNER}
mail_gid = {OWNER if os.geteuid() == 0 else os.getegid()}
first_valid_uid = 0
namespace inbox {{
  inbox = yes
  separator = {separator}
}}
""")

    def command(self, program):
        return ["env", f"HOME={self.folder}", "USER=tester"] + started(
            f"/usr/lib/dovecot/{program}", "-c", str(self.conf))

    def imap(self):
        return imaplib.IMAP4_stream(
            " ".join(map(shlex.quote, self.command("imap"))) + " 2>/dev/null")

    def uidls(self):
        done = subprocess.run(self.command("pop3"), input="UIDL\r\nQUIT\r\n",
                              capture_output=True, text=True)
        return re.findall(r"^\d+ (\S+)$", done.stdout, re.M)


class Proxy:
    """A whole Dovecot that hands each connection on, as it is after LOGIN, to
    an IMAP server on another port of this machine."""

    def __init__(self, folder, port, there):
        self.port = port
        conf = pathlib.Path(folder) / "proxy.conf"
        run = pathlib.Path(folder) / "run"
        run.mkdir()
        run.chmod(0o755)
        user = pwd.getpwuid(OWNER)
        group = grp.getgrgid(user.pw_gid).gr_name
        self.log = run / "log"
        conf.write_text(f"""
base_dir = {run}
state_dir = {run}
log_path = {self.log}
protocols = imap
ssl = no
disable_plaintext_auth = no
default_internal_user = {user.pw_name}
default_internal_group = {group}
default_login_user = {user.pw_name}
login_trusted_networks = 127.0.0.1
mail_max_userip_connections = 100
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = static
  args = nopassword=y proxy=y host=127.0.0.1 port={there}
}}
""")
        self.process = subprocess.Popen(
            started("/usr/sbin/dovecot", "-F", "-c", str(conf)))

    def close(self):
        self.process.terminate()
        self.process.wait()


def names(client, verb):
    """Of LIST or LSUB: those that can be selected (all, for LSUB)."""
    _, rows = getattr(client, verb)()
    found = []
    for row in rows:
        if row is None:
            continue
        m = re.fullmatch(rb'\(([^)]*)\) \S+ (.*)', row)
        if verb == "lsub" or rb"\Noselect" not in m[1]:
            found.append(unquoted(m[2].decode()))
    return found


def dump_folder(client, name):
    assert client.select(quoted(name), readonly=True)[0] == "OK"
    codes = {key: client.response(key)[1][-1] for key in
             ("UIDVALIDITY", "UIDNEXT", "EXISTS")}
    lines = ["folder\t%s\t%s\t%s\t%s" % (
        name, *[codes[k].decode() for k in ("UIDVALIDITY", "UIDNEXT",
                                            "EXISTS")])]
    if codes["EXISTS"] == b"0":
        return lines
    _, rows = client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE RFC822.SIZE)")
    for row in rows:
        uid = re.search(rb"UID (\d+)", row)[1].decode()
        size = re.search(rb"RFC822.SIZE (\d+)", row)[1].decode()
        date = int(time.mktime(imaplib.Internaldate2tuple(row)))
        flags = sorted(f for f in
                       re.search(rb"FLAGS \(([^)]*)\)", row)[1].decode().split()
                       if f != "\\Recent")
        lines.append(f"message\t{name}\t{uid}\t{size}\t{date}\t"
                     f"{' '.join(flags)}")
    return lines


def dump(server):
    """The lines of tests/probe/mailbox_probe, sorted."""
    client = server.imap()
    lines = [f"subscribed\t{n}" for n in names(client, "lsub")]
    for name in names(client, "list"):
        lines += dump_folder(client, name)
    client.logout()
    lines += [f"uidl\t{u}" for u in server.uidls()]
    return sorted(lines)
