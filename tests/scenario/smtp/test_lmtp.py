# SPDX-License-Identifier: ISC
"""LMTP: an answer for each recipient."""
import socket
import threading

from peers import FakeServer
from posthaste import wait_for


def test_each_recipient_has_its_answer(suite):
    with FakeServer(lmtp=True, replies={
            ".": ["250 2.1.5 first", "452 4.2.2 full", "550 5.2.0 gone"]}) \
            as store:
        s = suite(main="relay_domains = store.test\n"
                  f"relay_transport = lmtp:inet:127.0.0.1:{store.port}\n")
        qid = s.send(to=[f"{u}@store.test" for u in "abc"])
        s.wait_log(rf"lmtp\[\d+\]: {qid}: to=<a@store.test>, .*"
                   "status=sent .250 2.1.5 first")
        s.wait_log(rf"{qid}: to=<b@store.test>, .*dsn=4.2.2, "
                   "status=deferred .*said: 452 4.2.2 full .in reply to end "
                   "of DATA command")
        s.wait_log(rf"{qid}: to=<c@store.test>, .*dsn=5.2.0, status=bounced")
        assert store.commands[0] == "LHLO mx.example.test"
        assert len(store.messages) == 1


def test_mail_waits_for_a_store_that_is_down(suite):
    s = suite(main="relay_domains = store.test\n"
              "relay_transport = lmtp:inet:127.0.0.1:9\n")
    s.send(to="a@store.test")
    s.wait_log("dsn=4.4.1, status=deferred .connect to 127.0.0.1"
               r"\[127.0.0.1\]:9: Connection refused")


class UnixServer(FakeServer):
    """A fake store on a UNIX socket."""

    def __init__(self, path, **options):
        self.path = path
        super().__init__(lmtp=True, **options)
        self.local = socket.socket(socket.AF_UNIX)
        self.local.bind(str(path))
        path.chmod(0o600)
        self.local.listen(20)
        threading.Thread(target=self.accept_local, daemon=True).start()

    def accept_local(self):
        while True:
            try:
                connection, _ = self.local.accept()
            except OSError:
                return
            threading.Thread(target=self.run, args=(connection,),
                             daemon=True).start()

    def close(self):
        self.local.shutdown(socket.SHUT_RDWR)
        self.local.close()
        super().close()


def test_unix_socket_of_another_program(suite):
    s = suite(start=False)
    path = s.root / "spool/store"
    s.set(relay_domains="store.test",
          relay_transport="lmtp:unix:store")
    with UnixServer(path) as store:
        s.start()
        s.send(to="a@store.test")
        store.wait()
        s.wait_log(r"relay=mx.example.test\[store\], .*status=sent")


def test_socket_that_is_not_there(suite):
    """The queue listing says why, as for a host that cannot be reached."""
    s = suite(main="relay_domains = store.test\n"
                   "relay_transport = lmtp:unix:private/store\n")
    s.send(to="a@store.test")
    s.wait_log(r"status=deferred \(connect to mx.example.test"
               r"\[private/store\]: No such file or directory\)")
    wait_for("the reason in the list", lambda:
             "[private/store]: No such file" in s.command("mailq").out)


def test_socket_that_no_setting_names(suite):
    s = suite(start=False)
    path = s.root / "store"
    table = s.write("transport", f"store.test lmtp:unix:{path}\n")
    s.set(relay_domains="store.test", transport_maps=f"texthash:{table}")
    with UnixServer(path) as store:
        s.start()
        qid = s.send(to="a@store.test")
        s.wait_log("no setting names this socket")
        s.wait_log(rf"{qid}: .*dsn=4.4.1, status=deferred .*\]: no setting "
                   "names this socket")
        assert not store.commands
        s.set(lmtp_unix_sockets=f"unix:{path}", minimal_backoff_time="1s",
              queue_run_delay="1s")
        s.posthaste("reload")
        s.send(to="b@store.test")
        store.wait()
