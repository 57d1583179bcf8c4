# SPDX-License-Identifier: ISC
"""Speaks the protocol of resolver (lib/ipc/resolver.def) to a running suite."""
import time

from ipc_client import Ipc

MX, ADDRESSES, CLIENT = range(3)
OK, NO_NAME, NO_DATA, AGAIN, BAD = range(5)


class Resolver(Ipc):
    """One connection; "service" is whose master would say that it is."""

    def __init__(self, instance, service=None, program="smtpd"):
        self.last = 0
        self.told = service
        self.program = program
        super().__init__(instance, "resolver", "resolver")

    def send(self, message, **fields):
        if message == "hello" and self.told:
            super().send("introduction", program=self.program,
                         service=self.told)
        super().send(message, **fields)

    def put(self, kind, name="", family=0, client=b"", patience=60000):
        """The number of the question."""
        self.last += 1
        self.send("name_question", number=self.last, kind=kind, name=name,
                  family=family, client=client,
                  deadline=int(time.monotonic() * 1000) + patience)
        return self.last

    def get(self):
        """(number, result, records) of whichever answer comes next"""
        name, fields = self.receive()
        assert name == "name_answer"
        return fields["number"], fields["result"], fields["records"]

    def find(self, *arguments, **options):
        """(result, records), with no other question under way"""
        number = self.put(*arguments, **options)
        answered, result, records = self.get()
        assert answered == number
        return result, records
