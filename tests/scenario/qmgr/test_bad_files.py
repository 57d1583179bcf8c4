# SPDX-License-Identifier: ISC
"""What does not belong in the queue harms nobody."""
import os
import random
import re
import shutil
import struct
import time

import drops
from posthaste import AS_ROOT, DEADLINE, wait_for

NO_ID = "4bNOTANID"


def put(s, name, content, age=0, queue="incoming"):
    path = s.root / "spool" / queue / name
    path.write_bytes(content)
    own(path, age)
    return path


def own(path, age):
    """It is qmgr's, and so old."""
    if AS_ROOT:
        shutil.chown(path, "posthaste")
    then = time.time() - age
    os.utime(path, (then, then))


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def queue_file(queue_id, sender, recipient):
    """A sound one, whatever is in it: lib/queue/queue_file.h."""
    content = b"Subject: x\r\n\r\nx\r\n"
    trailer = b""
    summed = b""  # where what changes is zeros
    for name, value in (
            ("queue_id", queue_id), ("sender", sender), ("envid", ""),
            ("ret", "0"), ("flags", "00000000"),
            ("arrival", str(int(time.time() * 1e6))), ("client", ""),
            ("recipient", recipient), ("status", "P")):
        head = bytes([len(name)]) + name.encode() + struct.pack(
            ">H", len(value))
        trailer += head + value.encode()
        summed += head + (bytes(len(value)) if name in ("flags", "status")
                          else value.encode())
    footer = b"POSTHASTE-QUEUE\n" + struct.pack(
        ">IIQQQ12x", 1, 1, 0, len(content), len(trailer))
    return content + trailer + footer + struct.pack(
        ">I", crc32c(summed + footer))


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


def damaged(whole, noise):
    """It, but for something that was done to it."""
    at = noise.randrange(20, len(whole))
    return noise.choice([
        whole[:at] + bytes([whole[at] ^ 1 << noise.randrange(8)]) +
        whole[at + 1:],
        whole[:at], whole + b"x", whole[at:], whole[:at] + whole,
        noise.randbytes(at), b"", whole[-64:]])


def strange(path, noise):
    """What is no file, or cannot be opened; it stays where it is."""
    make = noise.randrange(5)
    if make == 0:
        os.mkfifo(path)
    elif make == 1:
        path.mkdir()
    elif make == 2:
        path.symlink_to(path)
    elif make == 3:
        path.symlink_to("/etc/passwd")
    else:
        path.write_bytes(b"x")
        path.chmod(0)


def test_a_queue_full_of_poison_does_not_delay_others(suite):
    """CVE-2003-0540: hundreds of each kind, and good mail all the while."""
    noise = random.Random(88)
    s = suite(main="relayhost = [127.0.0.1]:9\nminimal_backoff_time = 1000s\n")
    s.stop()
    bad, sound = set(), set()
    for n in range(800):
        queue_id, queue = drops.mint(n), ("incoming", "deferred")[n % 2]
        odd = noise.choice(ODD) + noise.choice(
            ["", "@", "@example.test", "@mx.example.test", "@away.test", "@.",
             "@[", "@" + "a." * 200])
        if n % 4 == 0:
            sound.add(queue_id)
            put(s, queue_id, queue_file(queue_id, *noise.sample(
                [odd, "alice@example.test"], 2)), 3600, queue)
        elif n % 40 == 1:
            strange(s.root / "spool" / queue / queue_id, noise)
        else:
            bad.add(queue_id)
            put(s, queue_id, damaged(queue_file(
                queue_id, odd, "x@away.test"), noise), 3600, queue)
    s.start()
    sent, told, until = 0, set(), time.monotonic() + DEADLINE
    while not bad | sound <= told:
        assert time.monotonic() < until, sorted((bad | sound) - told)
        told = set(re.findall(r'[ "](\w{20})[:"]', s.log()))
        s.send(to="bob@example.test", subject="good")
        sent += 1
        wait_for("a good message", lambda: sum(
            b"Subject: good" in m for m in s.messages("bob")) == sent, 20)
    assert len(bad & set(s.queue("corrupt"))) > len(bad) / 4
    # those that are sound went their way, or wait with a reason
    wait_for("an attempt of each", lambda: not
             sound & set(s.queue("incoming", "corrupt")))


def test_held_mail_stays(suite):
    s = suite(main="relayhost = [127.0.0.1]:9\n"
                   "minimal_backoff_time = 1s\nqueue_run_delay = 1s\n")
    queue_id = s.send(to="x@relay.test")
    wait_for("deferral", lambda: s.queue("deferred") == [queue_id])
    s.command("postsuper", "-h", queue_id)
    s.command("postqueue", "-f")
    s.send(to="bob@example.test")
    s.wait_messages("bob")
    time.sleep(2.5)  # two runs of the queue
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
