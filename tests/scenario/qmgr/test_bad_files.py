# SPDX-License-Identifier: ISC
"""What does not belong in the queue harms nobody."""
import os
import shutil
import time

from posthaste import AS_ROOT, wait_for

NO_ID = "4bNOTANID"


def put(s, name, content, age=0):
    path = s.root / "spool/incoming" / name
    path.write_bytes(content)
    if AS_ROOT:
        shutil.chown(path, "posthaste")
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def test_poison_does_not_delay_others(suite):
    s = suite(main="relayhost = [127.0.0.1]:9\n"
                   "minimal_backoff_time = 1000s\n")
    queue_id = s.send(to="x@relay.test")
    wait_for("deferral", lambda: s.queue("deferred") == [queue_id])
    s.stop()
    (folder, _, (name,)), = [w for w in os.walk(s.root / "spool/deferred")
                             if w[2]]
    whole = open(os.path.join(folder, name), "rb").read()
    damaged = bytearray(whole)
    damaged[whole.rindex(b"x@relay.test")] ^= 1
    with open(os.path.join(folder, name), "wb") as f:
        f.write(damaged)
    half = queue_id[:-1] + ("B" if queue_id[-1] != "B" else "C")
    put(s, half, whole[:100], age=3600)
    young = queue_id[:-1] + ("D" if queue_id[-1] != "D" else "F")
    put(s, young, whole[:100])
    put(s, NO_ID, b"nonsense", age=3600)
    s.start()
    s.wait_log(rf'saving corrupt file "{queue_id}" from queue "deferred" to '
               r'queue "corrupt"')
    wait_for("it there", lambda: s.queue("corrupt") == [queue_id])
    wait_for("the unfinished file's removal",
             lambda: half not in s.queue("incoming"))
    assert young in s.queue("incoming")
    s.send(to="bob@example.test")
    s.wait_messages("bob")


def test_held_mail_stays(suite):
    s = suite(main="relayhost = [127.0.0.1]:9\n"
                   "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n")
    queue_id = s.send(to="x@relay.test")
    wait_for("deferral", lambda: s.queue("deferred") == [queue_id])
    s.command("postsuper", "-h", queue_id)
    s.command("postqueue", "-f")
    s.send(to="bob@example.test")
    s.wait_messages("bob")
    time.sleep(2.5)
    assert s.queue("hold") == [queue_id]


def test_what_is_unfinished_is_not_held(suite):
    """Released, it would lie in the queue as a message that never goes."""
    s = suite(main="relayhost = [127.0.0.1]:9\n")
    queue_id = s.send(to="x@relay.test")
    wait_for("deferral", lambda: s.queue("deferred") == [queue_id])
    s.stop()
    young = queue_id[:-1] + ("D" if queue_id[-1] != "D" else "F")
    put(s, young, b"half")
    assert "Placed on hold: 1 message\n" in s.command(
        "postsuper", "-h", "ALL").err
    assert s.queue("hold") == [queue_id]
    assert s.queue("incoming") == [young]


# what addresses were made of that stopped Postfix (CVE-2003-0540), and their kin
ODD = [".!", "!", "!.", "a!", "!a", ".!x", "a!.!b", ".", "..", "@", "%", "a%", "%b",
       "@@", "@:", "@.:a", "@a:", "a!b%c", ".!@[127.0.0.1]", "!@[]", "\"\"",
       "<>", "<", ">", ",", ";", ":", "\\", "[127.0.0.1]", "a@[", "a@]"]


def test_no_odd_address_stops_others(suite):
    """As sender of what must come back, and as recipient, at home and away."""
    s = suite(main="relayhost = [127.0.0.1]:9\nminimal_backoff_time = 1000s\n"
              "smtpd_soft_error_limit = 10000\nsmtpd_hard_error_limit = 10000\n"
              "smtpd_junk_command_limit = 10000\n")
    taken = 0
    with s.smtp() as session:
        session.ehlo()
        for local in ODD:
            for domain in ("", "@example.test", "@mx.example.test", "@away.test"):
                for sender, to in ((f"<{local}{domain}>", "<x@away.test>"),
                                   ("<alice@example.test>",
                                    f"<{local}{domain}>")):
                    session.docmd("MAIL", "FROM:" + sender)
                    code, _ = session.docmd("RCPT", "TO:" + to)
                    if code == 250:
                        assert session.data("Subject: odd\r\n\r\nx\r\n")[0] \
                            in (250, 554)
                        taken += 1
                    session.rset()
    assert taken > 10
    for local in ODD:
        s.command("sendmail", "-f", local, "none@example.test", "--", local,
                  stdin="Subject: odd\n\nx\n", check=False)
    s.send(to="bob@example.test", subject="good")
    wait_for("what is good", lambda: any(
        b"Subject: good" in m for m in s.messages("bob")))
    wait_for("an attempt of each", lambda: not s.queue("incoming") and
             not s.queue("active"))
