# SPDX-License-Identifier: ISC
"""Speaks the lookup protocol (lib/ipc/lookup.def) to a running suite."""
from ipc_client import Ipc

FOUND, NONE, AGAIN, BROKEN = range(4)
OK, LATER, NEVER = range(3)
DEFAULT, LOCAL, ALIAS, VIRTUAL, RELAY = range(5)


class Lookup(Ipc):
    """One connection to an instance's lookup, or to lookup-smtp."""

    def __init__(self, instance, service="lookup"):
        super().__init__(instance, service, "lookup")

    def resolve(self, *recipients, sender=""):
        """A list of answers, or the one answer."""
        name, fields = self.ask("resolve", sender=sender,
                                recipients=[{"address": r} for r in recipients])
        assert name == "resolve_reply"
        results = fields["results"]
        assert len(results) == len(recipients)
        return results if len(results) > 1 else results[0]

    def expand(self, *recipients, sender=""):
        name, fields = self.ask("expand", sender=sender,
                                recipients=[{"address": r} for r in recipients])
        assert name == "expand_reply"
        return fields

    def rewrite(self, kind, *addresses):
        name, fields = self.ask("rewrite", kind=kind,
                                addresses=[{"address": a} for a in addresses])
        assert name == "rewrite_reply"
        return fields

    def query(self, table, *keys):
        """(result, index, value)"""
        name, fields = self.ask("query", table=table,
                                keys=[{"address": k} for k in keys])
        assert name == "query_reply"
        return fields["result"], fields["index"], fields["value"]
