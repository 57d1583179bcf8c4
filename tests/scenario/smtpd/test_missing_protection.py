# SPDX-License-Identifier: ISC
"""missing_protection = warn: restrictions that are to come are left out, with
their arguments, and all others count."""
import pytest

LIST = ("reject_rbl_client zen.example.org, check_policy_service "
        "unix:private/policy, warn_if_reject reject_rhsbl_sender x.example, "
        "permit_mx_backup, check_sender_access inline:{bad@example.test=REJECT}")


def test_the_rest_counts(suite):
    s = suite(main=f"missing_protection = warn\n"
                   f"smtpd_restriction_classes = more\nmore = {LIST}\n"
                   f"smtpd_recipient_restrictions = {LIST}, more\n")
    s.send()
    s.wait_messages("bob")
    with pytest.raises(AssertionError, match="554.*Access denied"):
        s.send(sender="bad@example.test")


def test_without_it_nothing_starts(suite):
    s = suite(start=False, main=f"smtpd_recipient_restrictions = {LIST}\n")
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    for name in ("reject_rbl_client", "check_policy_service",
                 "reject_rhsbl_sender", "permit_mx_backup"):
        assert (f'this restriction is not supported yet: "{name}" '
                '("missing_protection = warn" in main.cf leaves it out)'
                ) in done.err
