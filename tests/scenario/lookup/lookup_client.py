# SPDX-License-Identifier: ISC
"""Speaks the lookup protocol (lib/ipc/lookup.def) to a running suite."""
from ipc_client import Ipc

FOUND, NONE, AGAIN, BROKEN = range(4)
OK, LATER, NEVER = range(3)
DEFAULT, LOCAL, ALIAS, VIRTUAL, RELAY = range(5)


class Lookup(Ipc):
    """One connection to an instance's lookup, or to lookup-smtp."""

    def __init__(self, instance, service="lookup"):
        self.to = instance, service
        super().__init__(*self.to, "lookup")

    def asked(self, message, **fields):
        """As programs ask: a lookup that ended between two questions, for a
        table that it may not read anew, costs another attempt."""
        for _ in range(10):
            try:
                return self.ask(message, **fields)
            except (EOFError, ConnectionError):
                self.close()
                super().__init__(*self.to, "lookup")
        return self.ask(message, **fields)

    def resolve(self, *recipients, sender="", service="", accepted=False):
        """A list of answers, or the one answer."""
        name, fields = self.asked("resolve", sender=sender, service=service,
                                accepted=accepted, sender_settled=False,
                                recipients=[{"address": r} for r in recipients])
        assert name == "resolve_reply"
        results = fields["results"]
        assert len(results) == len(recipients)
        return results if len(results) > 1 else results[0]

    def expand(self, *recipients, sender=""):
        name, fields = self.asked("expand", sender=sender, unmapped=False,
                                recipients=[{"address": r} for r in recipients])
        assert name == "expand_reply"
        return fields

    def rewrite(self, kind, *addresses):
        name, fields = self.asked("rewrite", kind=kind,
                                addresses=[{"address": a} for a in addresses])
        assert name == "rewrite_reply"
        return fields

    def query(self, table, *keys, address=False):
        """(result, index, value)"""
        name, fields = self.asked("query", table=table, address=address,
                                keys=[{"key": k} for k in keys])
        assert name == "query_reply"
        return fields["result"], fields["index"], fields["value"]
