# SPDX-License-Identifier: ISC
"""Transports of mailboxes that lead to local again: by its own name, and by way
of another service of the same program."""
import re

LOCAL2 = "local2 unix - n n - - local -o mailbox_transport=local:"


def test_what_stands_before_it_is_not_done(local, outcome):
    """The alias's command would be repeated by each attempt."""
    s = local(aliases='{user}: "|echo ran >>{root}/var-mail/ran", {user}\n',
              mailbox_transport="local:")
    s.send(to=f"{s.user}@local.test")
    o = outcome(s, f"{s.user}@local.test")
    assert (o.status, o.dsn) == ("deferred", "4.3.5")
    assert re.search(r'warning: \w+: transport "local:" leads back to this '
                     "service", s.log())
    assert not (s.var_mail / "ran").exists()


def test_two_that_lead_to_each_other_end(local):
    """Each step is a hop; the sender is told when there were too many."""
    s = local(master=LOCAL2, mailbox_transport="local2:", hopcount_limit="6")
    s.send(to=f"{s.user}@local.test", sender="alice@example.test")
    report, = s.wait_messages("alice")
    assert b"too many hops" in report
    s.wait_empty()
    # the client's Received is the first; the sixth is one too many
    assert len(re.findall(r"status=sent \(forwarded as", s.log())) == 4


def test_they_end_where_nobody_knows_the_services(local):
    """Then each may be another of the same program."""
    s = local(master=LOCAL2, mailbox_transport="local2:", hopcount_limit="6")
    (s.root / "etc/master.cf").unlink()
    s.send(to=f"{s.user}@local.test", sender="alice@example.test")
    report, = s.wait_messages("alice")
    assert b"too many hops" in report
    s.wait_empty()
    s.wait_log("local.*warning: .*master.cf: cannot be opened: "
               "No such file or directory$")


def test_another_service_of_the_program_delivers(local):
    """The message is the same one, with one hop more."""
    s = local(master=LOCAL2.split(" -o")[0] + " -o mailbox_transport=",
              mailbox_transport="local2:")
    s.send(to=f"{s.user}@local.test")
    s.wait_empty()
    text = s.spool_file.read_text()
    assert len(re.findall("^Received: ", text, re.M)) == 2
    assert re.search(r"^Received: by \S+ \(Posthaste\) id ",
                     text, re.M)
    assert len(re.findall("^Delivered-To: ", text, re.M)) == 1
