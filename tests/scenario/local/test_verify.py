# SPDX-License-Identifier: ISC
"""sendmail -bv: what would happen is told, and nothing is delivered."""


def test_nothing_is_delivered(local, outcome):
    s = local(aliases='command: "|touch {root}/home/ran"\n'
                      "team: bob@example.test, carol@example.test\n")
    s.home.chmod(0o777)
    cases = {f"{s.user}@local.test": ("deliverable",
                                      f"delivers to mailbox: {s.user}"),
             "command@local.test": ("deliverable", "delivers to command: "
                                    f"touch {s.home}/ran"),
             "team@local.test": ("deliverable",
                                 "expands to 2 destinations"),
             "nobodyatall@local.test": ("undeliverable",
                                        'unknown user: "nobodyatall"'),
             "bob@example.test": ("deliverable", "delivers to maildir")}
    s.command("sendmail", "-bv", "-f", "alice@example.test", *cases)
    for to, (status, text) in cases.items():
        o = outcome(s, to)
        assert (o.status, o.text) == (status, text)
    report, = s.wait_messages("alice")
    s.wait_empty()
    for to in cases:
        assert to.encode() in report
    assert not s.spool_file.exists() and not (s.home / "ran").exists()
    assert not s.messages("bob") and not s.messages("carol")
