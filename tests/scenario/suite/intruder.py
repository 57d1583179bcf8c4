# SPDX-License-Identifier: ISC
"""System calls in the name of a process that runs: what whoever has taken it
over could do.

No program has a hook for that. The process is stopped (ptrace(2)) wherever it
is, makes the calls that it is given, with its own identity, root directory and
filter, and goes on as if nothing had been. For x86-64, as the crash harness.
"""
import ctypes
import errno
import os
import pathlib
import re
import signal
import struct

SEIZE, INTERRUPT, GETREGS, SETREGS = 0x4206, 0x4207, 12, 13
SYSCALL, DETACH, GET_FILTER, SETOPTIONS = 24, 17, 0x420C, 0x4200
GET_METADATA, FILTER_LOG = 0x420D, 2
SYSGOOD, WALL, STOP_EVENT = 1, 0x40000000, 128
SYSCALL_STOP = signal.SIGTRAP | 0x80
REGISTERS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi "
             "orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs"
             ).split()
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
ROOM = 65536  # below the stack in use
GETPID = 39



def numbers(header):
    """Of system calls, by name; the last one is newer than some headers."""
    return {name: int(number) for name, number in re.findall(
        r"__NR_(\w+) (\d+)", header.read_text())} | {"open_tree_attr": 467}


NUMBERS = {}
for folder in ("x86_64-linux-gnu/asm", "asm"):
    header = pathlib.Path("/usr/include", folder, "unistd_64.h")
    if not NUMBERS and header.exists():
        NUMBERS = numbers(header)

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p,
                        ctypes.c_void_p]


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTERS]


class Ended(Exception):
    """The process ended by a call; str(): by which signal."""


def ptrace(request, pid, address=None, data=None):
    ctypes.set_errno(0)
    result = libc.ptrace(request, pid, address, data)
    if result == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(),
                      f"ptrace {request}: {os.strerror(ctypes.get_errno())}")
    return result


def filters(pid):
    """The programs of its filters, each a list of (code, jt, jf, k)."""
    found = []
    while True:
        try:
            n = ptrace(GET_FILTER, pid, len(found))
        except OSError as e:
            assert e.errno in (errno.ENOENT, errno.EINVAL), e
            return found  # no more; none at all
        code = ctypes.create_string_buffer(8 * n)
        ptrace(GET_FILTER, pid, len(found),
               ctypes.cast(code, ctypes.c_void_p))
        found.append(list(struct.iter_unpack("<HBBI", code.raw)))


def filters_of(pid):
    """The same of a process that goes on."""
    with Intruder(pid) as i:
        return i.filters


class Intruder:
    """In the process, which stands still until the end of "with"."""

    def __init__(self, pid):
        self.pid = pid
        self.ended = None
        ptrace(SEIZE, pid, None, SYSGOOD)
        ptrace(INTERRUPT, pid)
        self.wait(lambda stop: stop >> 8 == STOP_EVENT)
        self.saved = Registers()
        ptrace(GETREGS, pid, None, ctypes.addressof(self.saved))
        self.filters = filters(pid)
        self.code = self.find_code()
        self.base = (self.saved.rsp - ROOM) & ~0xfff

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.ended is not None:
            return
        r = self.saved
        if 512 <= 2 ** 64 - r.rax <= 516:  # it waited, and is to go on waiting
            r.rip, r.rax = r.rip - 2, r.orig_rax
        ptrace(SETREGS, self.pid, None, ctypes.addressof(r))
        ptrace(DETACH, self.pid)

    def is_logged(self, i):
        """Does the kernel log what this filter of its refuses?"""
        told = ctypes.create_string_buffer(struct.pack("QQ", i, 0), 16)
        ptrace(GET_METADATA, self.pid, len(told),
               ctypes.cast(told, ctypes.c_void_p))
        return bool(struct.unpack("QQ", told.raw)[1] & FILTER_LOG)

    def wait(self, is_it):
        """Until it stops in this way; what else stops it goes on."""
        while True:
            _, status = os.waitpid(self.pid, WALL)
            if not os.WIFSTOPPED(status):
                self.ended = os.waitstatus_to_exitcode(status)
                raise Ended(str(-self.ended))
            stop = status >> 8
            if is_it(stop):
                return
            number = stop & 0x7f if stop >> 8 == 0 else 0
            ptrace(SYSCALL, self.pid, None, number)

    def find_code(self, code=b"\x0f\x05"):
        """Where such an instruction is: "syscall" where it waits, mostly."""
        at = self.saved.rip - 2
        if self.read(at, 2) == code:
            return at
        with open(f"/proc/{self.pid}/maps") as maps:
            for line in maps:
                if " r-x" not in line or "[vsyscall" in line:
                    continue
                start, end = (int(n, 16) for n in line.split()[0].split("-"))
                found = self.read(start, end - start).find(code)
                if found >= 0:
                    return start + found
        raise AssertionError("no such instruction in its code")

    def read(self, address, n):
        with open(f"/proc/{self.pid}/mem", "rb", 0) as memory:
            memory.seek(address)
            return memory.read(n)

    def write(self, address, data):
        with open(f"/proc/{self.pid}/mem", "r+b", 0) as memory:
            memory.seek(address)
            memory.write(data)

    def put(self, arguments):
        """Numbers as they are; bytes go to its memory."""
        at, words = self.base, []
        for a in arguments:
            if isinstance(a, (bytes, bytearray)):
                self.write(at, a)
                words.append(at)
                at += (len(a) + 15) & ~15
            else:
                words.append(a & 0xffffffffffffffff)
        return words

    def call(self, number, *arguments):
        """What the call gives, -errno for an error. Ended: it is gone."""
        return self.lived(number, self.make(number, self.put(arguments),
                                            self.code))

    def call_i386(self, number):
        """The same call by "int 0x80", without arguments."""
        return self.lived(number, self.make(number, [],
                                            self.find_code(b"\xcd\x80")))

    def lived(self, number, result):
        """One that is to end over it has the number as its result, and is
        gone with the next."""
        if result == number:
            self.make(GETPID, [], self.code)
        return result

    def make(self, number, words, code):
        r = Registers.from_buffer_copy(self.saved)
        for name, word in zip(ARGUMENTS, words):
            setattr(r, name, word)
        r.rip, r.rax, r.orig_rax = code, number, 0xffffffffffffffff
        r.rsp = self.base - 4096
        ptrace(SETREGS, self.pid, None, ctypes.addressof(r))
        for _ in range(2):  # on the way in, and out
            ptrace(SYSCALL, self.pid)
            self.wait(lambda stop: stop == SYSCALL_STOP)
        ptrace(GETREGS, self.pid, None, ctypes.addressof(r))
        return ctypes.c_longlong(r.rax).value


# What a filter says to a call, without making it.

ALLOW, ERRNO, KILL_THREAD, KILL_PROCESS = 0x7fff, 5, 0, 0x8000
KILLS = (KILL_THREAD, KILL_PROCESS)
X86_64, I386 = 0xC000003E, 0x40000003


def run_filter(code, data):
    a = x = at = 0
    memory = [0] * 16
    while True:
        op, jt, jf, k = code[at]
        at += 1
        kind = op & 7
        if kind == 0:  # load
            mode = op & 0xe0
            a = (struct.unpack_from("<I", data, k)[0] if mode == 0x20 else
                 memory[k] if mode == 0x60 else k)
        elif kind == 1:
            x = memory[k] if op & 0xe0 == 0x60 else k
        elif kind == 2:
            memory[k] = a
        elif kind == 3:
            memory[k] = x
        elif kind == 4:
            b = x if op & 8 else k
            a = {0x50: a & b, 0x40: a | b, 0x70: a >> b, 0x60: a << b,
                 0x00: a + b, 0x10: a - b, 0xa0: a ^ b}[op & 0xf0] & 0xffffffff
        elif kind == 5:
            b = x if op & 8 else k
            jump = op & 0xf0
            if jump == 0:
                at += k
            else:
                at += jt if {0x10: a == b, 0x20: a > b, 0x30: a >= b,
                             0x40: a & b != 0}[jump] else jf
        elif kind == 6:
            return a if op & 0x18 == 0x10 else k
        else:
            a, x = (a, a) if op & 0xf8 == 0 else (x, x)


def signed(action):
    """KILL_PROCESS is the strongest, then 0, and so on."""
    return action - 0x10000 if action & 0x8000 else action


def verdict(programs, number, arguments=(), arch=X86_64):
    """The action of all filters together: ALLOW, ERRNO, KILL_..."""
    words = [a & 0xffffffffffffffff for a in arguments]
    data = struct.pack("<IIQ6Q", number & 0xffffffff, arch, 0x7f0000000000,
                       *words, *[0] * (6 - len(words)))
    return min((run_filter(p, data) >> 16 for p in programs), key=signed)
