# SPDX-License-Identifier: ISC
"""What tables yield is longer than an address may be: beside Postfix."""
from side_by_side import Mail, both, needs_postfix

pytestmark = needs_postfix

LONG = "a" * 1100 + "@r.test"
UNQUALIFIED = "b" * 990  # fits until it gets a domain
VIRTUAL = f"""\
long@r.test {LONG}
among@r.test {LONG}, fine@r.test
bare@r.test {UNQUALIFIED}
"""


def test_mail_waits_where_it_came_from_and_the_log_says_why(suite):
    mails = [Mail("s@b.test", [who]) for who in
             ("long@r.test", "among@r.test", "bare@r.test", "fine@r.test")]
    ours, theirs = both(
        suite, mails, "default_transport = discard\n"
        f"myorigin = {'o' * 60}.{'p' * 60}.test\n"
        "virtual_alias_maps = texthash:@@tables@@/virtual\n",
        {"virtual": VIRTUAL})
    codes = [[code for code, _ in said] for _, said in ours.replies]
    assert codes == [[code for code, _ in said] for _, said in theirs.replies]
    assert codes == [[250, 250, 451]] * 3 + [[250, 250, 250]]
    for told in ours, theirs:
        assert all(b"4.6.0" in said[2][1] and b"Alias expansion error"
                   in said[2][1] for _, said in told.replies[:3])
        assert [d[1] for d in told.deliveries if d[0] == "s@b.test"] == \
            ["fine@r.test"]
    for who in "long@r.test", "among@r.test":
        assert f'table result for "{who}" holds an address of 1107 bytes, ' \
            "more than 1024: the message is not accepted" in ours.log
    assert "virtual_alias_address_length_limit" in ours.log
