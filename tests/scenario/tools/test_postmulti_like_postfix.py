# SPDX-License-Identifier: ISC
"""The same commands, to Postfix's postmulti and to ours.

Postfix's believes /etc/postfix alone: it runs in a mount namespace where /etc
and the folders of its queue and data are the test's.
"""
import os
import shutil
import subprocess

import postfix_peer
import pytest

from posthaste import AS_ROOT, ROOT

PEER = postfix_peer.ROOT
INSIDE = ('for d in etc var/spool var/lib; do '
          'mount --bind "$0/$d" "/$d" || exit 99; done; ldconfig; exec "$@"')


def why_not():
    if postfix_peer.why_not() or not AS_ROOT:
        return postfix_peer.why_not() or "needs root"
    if not (PEER / "usr/sbin/postmulti").exists():
        return "no postmulti"
    done = subprocess.run(["unshare", "-m", "mount", "--bind", "/tmp", "/tmp"],
                          capture_output=True)
    return None if done.returncode == 0 else "no mount namespaces"


pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

SETTINGS = """\
compatibility_level = 3.6
myhostname = host.example.test
mail_owner = posthaste
setgid_group = posthaste-drop
"""
# {name}, {etc} and {queue} differ; what is printed and the exit status do not
SESSION = """\
-l
-e create -I {name}-a
-e init
-l
-e create -I wrong
-e create
-e create -I {name}-a -G grp
-e create -I {name}-b -G grp -i {name}-a
-e create -I {name}-c -a
-e create -I {name}-d -G grq -g grp
-l
-l -R
-l -g grp
-l -i {name}-b
-l -i {etc}/{name}-b
-l -i -
-l -i nobody
-e create -I {name}-a
-e create -I {name}-e queue_directory={queue}/{name}-a
-e create -I {name}-e foo=bar
-e create -I {name}-e queue_directory=relative
-e create -I {name}-e -g nosuch
-e create -I {name}-e -a -i -
-l -x true
-l extra
-R -p status
-x
-p
-e enable
-e enable -i nobody
-e enable -i {name}-b
-e destroy -i {name}-b
-e destroy -i -
-e assign -i {name}-a
-e assign -i {name}-a -I {name}-b
-e assign -i {name}-a -I {name}-z -G -
-e assign -i {name}-c -I - -G new
-l
-e deport -i {name}-d
-l
-e import -I {name}-d
-l
-e init -I {name}-x
-e import config_directory={etc}/nowhere
-x sh -c echo${{IFS}}$config_directory,$multi_instance_name,$multi_instance_enable
-R -x sh -c test${{IFS}}"$multi_instance_name"${{IFS}}!=${{IFS}}{name}-z
-e disable -i {name}-b
-e destroy -i {name}-b
-l
""".splitlines()


class Postfix:
    names = {"name": "postfix", "etc": "/etc", "queue": "/var/spool"}
    primary = "postfix"

    def __init__(self, folder):
        self.folder, etc = folder, folder / "etc"
        for d in ("etc/postfix", "var/spool/postfix", "var/lib/postfix"):
            (folder / d).mkdir(parents=True)
        for name in ("passwd", "group", "nsswitch.conf", "hosts"):
            shutil.copy(f"/etc/{name}", etc)
        libraries = PEER / "usr/lib/postfix"
        (etc / "ld.so.conf").write_text(
            f"include /etc/ld.so.conf.d/*.conf\n{libraries}\n")
        if os.path.isdir("/etc/ld.so.conf.d"):
            shutil.copytree("/etc/ld.so.conf.d", etc / "ld.so.conf.d")
        main = SETTINGS + (
            f"default_privs = nobody\nshlib_directory = {libraries}\n"
            f"command_directory = {PEER}/usr/sbin\n"
            f"daemon_directory = {libraries}/sbin\n"
            "meta_directory = /etc/postfix\n"
            "queue_directory = /var/spool/postfix\n"
            "data_directory = /var/lib/postfix\n")
        master = "smtp inet n - y - - smtpd\n"
        for name, text in [
                ("main.cf", main), ("master.cf", master),
                ("main.cf.proto", "compatibility_level = 3.6\n"),
                ("master.cf.proto", master),
                ("postfix-files", "$queue_directory:d:root:-:755:uc\n"
                 "$data_directory:d:$mail_owner:-:700:uc\n")]:
            (etc / "postfix" / name).write_text(text)

    def run(self, arguments):
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", INSIDE, self.folder,
             PEER / "usr/sbin/postmulti", *arguments],
            env={"PATH": f"{PEER}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120, cwd="/")


class Ours:
    primary = "etc"

    def __init__(self, folder):
        self.folder = folder
        self.names = {"name": "posthaste", "etc": str(folder),
                      "queue": f"{folder}/spool"}
        for d in ("etc", "spool/posthaste", "lib/posthaste"):
            (folder / d).mkdir(parents=True)
        shutil.copytree(ROOT / "sbin", folder / "sbin")
        (folder / "etc/main.cf").write_text(
            SETTINGS + f"command_directory = {folder}/sbin\n"
            f"daemon_directory = {ROOT}/libexec/posthaste\n"
            f"queue_directory = {folder}/spool/posthaste\n"
            f"data_directory = {folder}/lib/posthaste\n")
        shutil.copy(ROOT / "share/posthaste/master.cf", folder / "etc")

    def run(self, arguments):
        return subprocess.run(
            [self.folder / "sbin/postmulti", *arguments],
            env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, cwd="/")


def session(suite):
    """What each command says and returns, in words of neither."""
    said = []
    for line in SESSION:
        done = suite.run(line.format(**suite.names).split())
        out = done.stdout.replace(suite.names["etc"] + "/", "ETC/")
        out = out.replace(f"ETC/{suite.primary}\n", "PRIMARY\n").replace(
            f"ETC/{suite.primary},", "PRIMARY,")
        out = out.replace(suite.names["name"] + "-", "NAME-")
        rows = [" ".join(row.split()) for row in out.splitlines()]
        said.append((line, done.returncode, rows))
    return said


def test_a_session(tmp_path_factory):
    there, here = tmp_path_factory.mktemp("postfix"), \
        tmp_path_factory.mktemp("ours")
    for folder in (there, here):
        for above in (folder, *folder.parents[:2]):
            os.chmod(above, above.stat().st_mode | 0o055)
    theirs, ours = session(Postfix(there)), session(Ours(here))
    assert any(code for _, code, _ in theirs) and any(
        len(rows) == 5 for _, _, rows in theirs)
    different = [(a, b) for a, b in zip(theirs, ours) if a != b]
    assert not different, "\n".join(f"{a}\n{b}" for a, b in different)
