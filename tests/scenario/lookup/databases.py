# SPDX-License-Identifier: ISC
"""Real servers of tables, each in a folder of its own, on a port of its own,
as a user who is nobody, for as long as a test file runs. They can be killed,
stopped (they accept and say nothing) and started again."""
import glob
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from posthaste import (DEADLINE, free_port, freeze, kill_all, signal_all,
                       wait_for)

NOBODY = 65534
SLOW_START_S = 180


def program(*names):
    """The first of these that is installed, or the test is skipped."""
    for name in names:
        found = sorted(glob.glob(name)) if "/" in name else [
            p for p in [shutil.which(name, path=os.environ["PATH"] +
                                     ":/usr/sbin:/sbin")] if p]
        if found:
            return found[-1]
    pytest.skip(f"not installed: {names[0]}")
    return None


class Server:
    """A program that listens on self.port and self.socket."""

    def __init__(self, port=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="db-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.port = port or free_port()
        self.process = None
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)

    def run(self, *arguments, **options):
        """A command as the user who is nobody."""
        as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
                     "--clear-groups"] if os.geteuid() == 0 else []
        return subprocess.run(
            as_nobody + [str(a) for a in arguments], check=True,
            capture_output=True, cwd=self.folder,
            env=dict(os.environ, HOME=str(self.folder), LC_ALL="C.UTF-8"),
            **{"stdin": subprocess.DEVNULL, **options})

    def take_certificate(self, tls):
        """Copies of cert.pem and key.pem that are its own."""
        for name in ("cert.pem", "key.pem"):
            shutil.copy2(tls / name, self.folder / name)
            if os.geteuid() == 0:
                os.chown(self.folder / name, NOBODY, NOBODY)
        return self.folder / "cert.pem", self.folder / "key.pem"

    def command(self):
        raise NotImplementedError

    def ready(self):
        """Does it answer?"""
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        extra = {"user": NOBODY, "group": NOBODY, "extra_groups": []} \
            if os.geteuid() == 0 else {}
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [str(a) for a in self.command()], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            env=dict(os.environ, HOME=str(self.folder), LC_ALL="C.UTF-8"),
            **extra)
        log.close()
        try:
            wait_for("the server", self.is_up, SLOW_START_S)
        except AssertionError as e:
            raise AssertionError(
                f"{e}\n{(self.folder / 'log').read_text()[-3000:]}") from None
        return self

    def is_up(self):
        assert self.process.poll() is None, (
            self.folder / "log").read_text()[-3000:]
        return self.ready()

    def kill(self):
        """As a power cut would."""
        if self.process is not None:
            # its children, too: they hold what the next one wants
            kill_all(self.family())
            self.process.wait()
            self.process = None

    def family(self):
        """The server and its children, which may lead groups of their own."""
        found = [self.process.pid]
        for pid in found:
            path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
            try:
                found += [int(child) for child in path.read_text().split()]
            except (FileNotFoundError, ProcessLookupError):
                pass  # it ended meanwhile
        return found

    def freeze(self):
        """It goes on to accept, in the kernel, and says nothing."""
        freeze(self.family)

    def thaw(self):
        signal_all(self.family(), signal.SIGCONT)

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Server):
    USER, PASSWORD, NAME = "mail", "it's s$cret", "mail"

    def __init__(self, tls=None):
        super().__init__()
        self.tls = tls and self.take_certificate(tls)
        binary = pathlib.Path(program("/usr/lib/postgresql/*/bin/initdb"))
        self.bin = binary.parent
        data = self.folder / "data"
        self.run(binary, "-D", data, "-U", "admin", "-A", "trust", "-N",
                 "--no-instructions", "-E", "UTF8", "--locale=C.UTF-8")
        (data / "pg_hba.conf").write_text(
            "local all admin trust\n"
            "host all mail 127.0.0.1/32 scram-sha-256\n"
            "local all mail scram-sha-256\n")
        self.start()
        self.sql(f"create role mail login password $${self.PASSWORD}$$")
        self.sql("create database mail owner mail")

    def command(self):
        return [self.bin / "postgres", "-D", self.folder / "data", "-p",
                self.port, "-k", self.folder, "-c", "fsync=off", "-c",
                "listen_addresses=127.0.0.1", "-c", "max_connections=40",
                "-c", "shared_buffers=2MB"] + (
                    ["-c", "ssl=on", "-c", f"ssl_cert_file={self.tls[0]}",
                     "-c", f"ssl_key_file={self.tls[1]}"] if self.tls else [])

    def start(self):
        # what a power cut leaves
        (self.folder / "data/postmaster.pid").unlink(missing_ok=True)
        return super().start()

    def ready(self):
        return subprocess.run(
            [self.bin / "pg_isready", "-q", "-h", self.folder, "-p",
             str(self.port)], check=False).returncode == 0

    def sql(self, text, database=None):
        return subprocess.run(
            [self.bin / "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h",
             self.folder, "-p", str(self.port), "-U", "admin", "-d",
             database or ("postgres" if " role " in text or
                          "create database" in text else "mail"),
             "-c", text], check=True, capture_output=True, text=True,
            timeout=60).stdout

    def settings(self, **more):
        return settings(dict(hosts=f"inet:127.0.0.1:{self.port}",
                             user=self.USER, password=self.PASSWORD,
                             dbname=self.NAME), more)


class MariaDB(Server):
    USER, PASSWORD, NAME = "mail", "it's s$cret", "mail"

    def __init__(self, tls=None):
        super().__init__()
        self.tls = tls and self.take_certificate(tls)
        self.socket = self.folder / "sock"
        self.daemon = program("mariadbd")
        (self.folder / "data").mkdir()
        (self.folder / "boot").write_text(
            "create database mysql;\nuse mysql;\n" + "".join(
                pathlib.Path(f"/usr/share/mysql/{name}.sql").read_text()
                for name in ("mysql_system_tables",
                             "mysql_performance_tables",
                             "mysql_system_tables_data")))
        if os.geteuid() == 0:
            os.chown(self.folder / "data", NOBODY, NOBODY)
        with open(self.folder / "boot", encoding="utf-8") as boot:
            self.run(self.daemon, "--no-defaults", "--bootstrap",
                     f"--datadir={self.folder / 'data'}", "--skip-grant-tables",
                     f"--tmpdir={self.folder}",
                     "--innodb-flush-log-at-trx-commit=0",
                     "--innodb-buffer-pool-size=8M", stdin=boot)
        self.first = self.folder / "first.sql"
        self.first.write_text("")
        self.first.chmod(0o644)

    def begin(self, text):
        """Starts with these statements; there is no client to send them."""
        quoted = self.PASSWORD.replace("'", "''")
        self.first.write_text(
            "set names utf8mb4;\ncreate database if not exists mail;\n"
            f"create user if not exists mail@'%' identified by '{quoted}';\n"
            "grant all on mail.* to mail@'%';\nuse mail;\n" + text)
        return self.start()

    def command(self):
        return [self.daemon, "--no-defaults",
                f"--datadir={self.folder / 'data'}", f"--port={self.port}",
                # one that starts removes what others have there
                f"--tmpdir={self.folder}",
                f"--socket={self.socket}", "--bind-address=127.0.0.1",
                f"--init-file={self.first}", "--skip-name-resolve",
                f"--pid-file={self.folder / 'pid'}",
                "--innodb-buffer-pool-size=8M",
                "--innodb-flush-log-at-trx-commit=0",
                "--key-buffer-size=1M", "--performance-schema=OFF"] + (
                    [f"--ssl-cert={self.tls[0]}", f"--ssl-key={self.tls[1]}"]
                    if self.tls else [])

    def ready(self):
        with socket.socket() as s:
            s.settimeout(5)
            try:  # it listens long before it answers
                return (s.connect_ex(("127.0.0.1", self.port)) == 0 and
                        len(s.recv(4)) == 4)
            except OSError:
                return False

    def settings(self, **more):
        return settings(dict(hosts=f"inet:127.0.0.1:{self.port}",
                             user=self.USER, password=self.PASSWORD,
                             dbname=self.NAME), more)


class Slapd(Server):
    BASE = "dc=example,dc=test"
    ADMIN, PASSWORD = "cn=admin,dc=example,dc=test", "s3cret"

    def __init__(self, entries, tls=None):
        super().__init__()
        self.daemon = program("slapd")
        self.socket = self.folder / "ldapi"
        schema = "/etc/ldap/schema"
        (self.folder / "data").mkdir()
        if os.geteuid() == 0:
            os.chown(self.folder / "data", NOBODY, NOBODY)
        lines = [f"include {schema}/{name}.schema" for name in
                 ("core", "cosine", "inetorgperson", "nis")]
        if tls:
            self.take_certificate(tls)
            lines += [f"TLSCertificateFile {self.folder}/cert.pem",
                      f"TLSCertificateKeyFile {self.folder}/key.pem"]
        self.tls_port = free_port() if tls else None
        # who proves to be u0 or the peer of the socket becomes an entry
        lines += ["sasl-host localhost", "password-hash {CLEARTEXT}",
                  "authz-regexp uid=([^,]*),.*cn=auth "
                  f"uid=$1,{self.BASE}",
                  "authz-regexp gidNumber=.*,cn=external,cn=auth "
                  f"uid=u1,{self.BASE}"]
        lines += ["modulepath /usr/lib/ldap", "moduleload back_mdb",
                  f"pidfile {self.folder}/pid", "database mdb",
                  "maxsize 10485760", f"suffix {self.BASE}",
                  f"rootdn {self.ADMIN}", f"rootpw {self.PASSWORD}",
                  f"directory {self.folder}/data", "dbnosync",
                  # what only who has proven it may search for
                  "access to attrs=employeeNumber "
                  f'by dn.exact="uid=u0,{self.BASE}" read by * none',
                  "access to attrs=carLicense "
                  f'by dn.exact="uid=u1,{self.BASE}" read by * none',
                  "access to * by anonymous read by * read"]
        self.conf = self.folder / "slapd.conf"
        self.conf.write_text("\n".join(lines) + "\n")
        ldif = self.folder / "data.ldif"
        ldif.write_text(entries)
        self.run("/usr/sbin/slapadd", "-q", "-f", self.conf, "-l", ldif)
        self.start()

    def command(self):
        ldapi = str(self.socket).replace("/", "%2F")
        ldaps = f" ldaps://127.0.0.1:{self.tls_port}/" if self.tls_port else ""
        return [self.daemon, "-d", "0", "-f", self.conf, "-h",
                f"ldap://127.0.0.1:{self.port}/ ldapi://{ldapi}/{ldaps}"]

    def settings(self, **more):
        return settings(dict(server_host=f"ldap://127.0.0.1:{self.port}",
                             version=3, search_base=self.BASE, bind="no"),
                        more)


class Redis(Server):
    PASSWORD = "s3cret"

    def __init__(self):
        super().__init__()
        self.daemon = program("redis-server")
        self.socket = self.folder / "sock"
        self.start()

    def command(self):
        return [self.daemon, "--port", self.port, "--bind", "127.0.0.1",
                "--unixsocket", self.socket, "--unixsocketperm", "777",
                "--save", "", "--appendonly", "no", "--dir", self.folder,
                "--requirepass", self.PASSWORD]

    def tell(self, *words):
        """One command; the raw answer's first line."""
        text = f"*{len(words)}\r\n" + "".join(
            f"${len(w.encode())}\r\n{w}\r\n" for w in words)
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as s:
            f = s.makefile("rwb")
            f.write(f"*2\r\n$4\r\nAUTH\r\n${len(self.PASSWORD)}\r\n"
                    f"{self.PASSWORD}\r\n{text}".encode())
            f.flush()
            assert f.readline() == b"+OK\r\n"
            return f.readline().strip().decode()

    def settings(self, **more):
        return settings(dict(hosts=f"inet:127.0.0.1:{self.port}",
                             password=self.PASSWORD), more)


class Memcached(Server):
    def __init__(self):
        super().__init__()
        self.daemon = program("memcached")
        self.start()

    def command(self):
        return [self.daemon, "-l", "127.0.0.1", "-p", self.port, "-U", "0",
                "-m", "8", "-t", "1"]

    def tell(self, text):
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as s:
            s.sendall(text.encode())
            answer = b""
            while not answer.endswith((b"END\r\n", b"STORED\r\n", b"OK\r\n",
                                       b"ERROR\r\n")):
                more = s.recv(4096)
                assert more, answer
                answer += more
            return answer.decode()


def settings(base, more):
    """The text of a table's file."""
    return "".join(f"{name} = {value}\n"
                   for name, value in {**base, **more}.items()
                   if value is not None)


def peak(s):
    """kB of memory that its largest asker of servers has had."""
    return max(int(re.search(r"VmPeak:\s+(\d+)", pathlib.Path(
        f"/proc/{pid}/status").read_text())[1])
        for pid in s.processes("lookup-server"))


class Silent:
    """Accepts connections and says nothing; counts them."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", free_port()))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()


class Swallowing(Silent):
    """Its queue of connections is full: whoever connects hears nothing."""

    def __init__(self):
        super().__init__()
        self.listener.listen(0)
        self.waiting = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.waiting.append(s)

    def close(self):
        for s in self.waiting:
            s.close()
        super().close()


class Dribbling:
    """Stands before a server and passes on what it says, a byte at a time."""

    def __init__(self, server, pause):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.place, self.pause = ("127.0.0.1", server.port), pause
        self.done = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            behind = socket.create_connection(self.place)
            for way in ((client, behind, 65536, 0),
                        (behind, client, 1, self.pause)):
                threading.Thread(target=self.pass_on, args=way,
                                 daemon=True).start()

    def pass_on(self, read, write, most, pause):
        try:
            while data := read.recv(most):
                write.sendall(data)
                self.done.wait(pause)
        except OSError:
            pass
        for s in (read, write):
            s.close()

    def close(self):
        self.done.set()
        self.listener.close()


def clock():
    return time.monotonic()
