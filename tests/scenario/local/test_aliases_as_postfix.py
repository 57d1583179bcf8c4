# SPDX-License-Identifier: ISC
"""What local makes of aliases, transports of mailboxes and of strangers, beside
the running Postfix."""
from side_by_side import Mail, assert_same, both, needs_postfix

pytestmark = needs_postfix

MAIN = """\
local_recipient_maps =
mail_spool_directory = @@boxes@@/
default_transport = discard
alias_maps = texthash:@@tables@@/aliases, regexp:@@tables@@/patterns
mailbox_transport_maps = texthash:@@tables@@/mailboxes
fallback_transport_maps = texthash:@@tables@@/fallback
luser_relay = lost+$user+$domain+$local+$extension@else.test
propagate_unmatched_extensions = alias
forward_path = @@tables@@/forward-$user
"""
TABLES = {
    "aliases": "a1 nobody\na6 other@else.test\nax+yy exact@else.test\n"
               "ax base@else.test\nbin a-bin@else.test\n"
               "double nobody, nobody, NOBODY@local.test\n"
               "all2 Nobody+Foo, x@else.test\n"
               "self self, x@else.test\npct user%else.test\nbang else.test!user\n"
               "dotted user@host2\nspaces a@else.test b@else.test\n"
               "comment Some Body <cm@else.test>\n"
               "group G: g1@else.test, g2@else.test;\n"
               "owned x@else.test, y@else.test\nowner-owned boss@else.test\n",
    "patterns": "/^re-(.*)$/ re@else.test\n/^all$/ nobody, x@else.test\n",
    "mailboxes": "mail discard:m-mail\nman error:5.7.1 no man\nnx discard:m\n",
    # each names its own user, with other letters than the system does
    "forward-irc": "Irc, phone@else.test\n",
    "forward-list": "LIST@Local.Test\n",
    "forward-news": "\\News, News+x, phone@else.test\n",
    "fallback": "ghost discard:f-ghost\nghost3 error:gone away\n"
                "ghost4@local.test discard:never\nghost5+e discard:never\n",
}
RECIPIENTS = """\
a1 a1+e A1+E a6 a6+e a6+E ax+yy ax+zz AX+YY ax double bin bin+E self
re-x re-x+e RE-X all all+e all2 nobody games+Foo NoBody mail Mail+E man nx
ghost ghost+e ghost3 ghost4 ghost5+e ghost5 Lost+Foo daemon pct pct+e bang
dotted spaces spaces+e comment group owned owned+e owner-owned
irc Irc+e list List news
""".split()


def seen(told):
    """What leaves, and who gets what. How many steps of an expansion are one,
    and what the log calls local's own deliveries, is each one's own affair."""
    told.deliveries = sorted({d for d in told.deliveries if d[3] == "none"
                              and d[5] == "sent"})
    told.boxes = sorted({(name, uid) for name, uid, _ in told.boxes})
    return told


def test_aliases_and_transports(suite):
    mails = [Mail("snd@far.test", [f"{r}@local.test"]) for r in RECIPIENTS]
    ours, theirs = both(suite, mails, MAIN + "myorigin = local.test\n"
                        "append_dot_mydomain = yes\n", TABLES)
    assert_same(seen(ours), seen(theirs))
    assert len(ours.deliveries) > 30


def test_transport_that_leads_back(suite):
    """No mail goes round: it waits, and the log says why."""
    s = suite(main="local_recipient_maps =\nmailbox_transport_maps = "
              "inline:{nobody=local:, games=:}\n")
    for user in ("nobody", "games"):
        s.send(to=f"{user}@local.test")
        s.wait_log(rf"to=<{user}@local.test>.*status=deferred")
    assert "leads back to this service" in s.log()
    assert "forwarded as" not in s.log()
