/* SPDX-License-Identifier: ISC */
#include "tests/crash/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

enum {
	LOG_PIPE = 4, /* of a program that master has started */
	MAKES = O_CREAT | O_TRUNC,
	VECTOR_MAX = 1024,
};

enum shape { PATHS, OPENS, HOW, HELD, WRITES, VECTOR };

static const struct row {
	const char *name;
	long number;
	enum shape shape;
	unsigned int at;
} rows[] = {
#define CALL(name, shape, at) { #name, SCMP_SYS(name), shape, at },
#include "tests/crash/calls.def"
#undef CALL
};

static bool
stop_at(scmp_filter_ctx filter, const struct row *row)
{
	static const int makes[] = { O_CREAT, O_TRUNC };
	bool good = true;

	if (row->shape != OPENS)
		return seccomp_rule_add(filter, SCMP_ACT_TRACE(0),
			   (int)row->number, 0) == 0;
	for (size_t i = 0; i < 2; i++) {
		struct scmp_arg_cmp has = { row->at, SCMP_CMP_MASKED_EQ,
			(scmp_datum_t)makes[i], (scmp_datum_t)makes[i] };

		good = good &&
		    seccomp_rule_add_array(filter, SCMP_ACT_TRACE(0),
			(int)row->number, 1, &has) == 0;
	}
	return good;
}

bool
calls_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool good = filter != NULL;

	/* with it, no program could get its group by the mode of its file */
	if (good && geteuid() == 0)
		good = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0;
	for (size_t i = 0; good && i < sizeof(rows) / sizeof(*rows); i++)
		good = stop_at(filter, &rows[i]);
	good = good && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return good;
}

static const struct row *
row_of(long number)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].number == number)
			return &rows[i];
	return NULL;
}

bool
calls_memory(pid_t pid, uint64_t address, void *out, size_t n)
{
	struct iovec here = { out, n }, there = { (void *)address, n };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

void
calls_program(pid_t pid, char name[CALLS_PROGRAM])
{
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "r");
	if (f == NULL || fgets(name, CALLS_PROGRAM, f) == NULL)
		name[0] = '\0';
	if (f != NULL)
		fclose(f);
	name[strcspn(name, "\n")] = '\0';
}

static bool
descriptor_counts(pid_t pid, uint64_t fd)
{
	char path[60];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	if (stat(path, &st) != 0)
		return false;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return st.st_nlink > 0;
	case S_IFDIR:
	case S_IFSOCK:
		return true;
	case S_IFIFO:
		return (int)fd != LOG_PIPE;
	default:
		return false;
	}
}

static bool
counts(const struct call *call, const struct row *row)
{
	struct open_how how;

	switch (row->shape) {
	case PATHS:
		return true;
	case OPENS:
		return (call->a[row->at] & MAKES) != 0;
	case HOW:
		return calls_memory(call->pid, call->a[row->at], &how,
			   sizeof(how)) &&
		    (how.flags & MAKES) != 0;
	default:
		return descriptor_counts(call->pid, call->a[row->at]);
	}
}

bool
calls_entered(pid_t pid, struct call *call)
{
	struct user_regs_struct r;
	const struct row *row;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0)
		return false;
	*call = (struct call){ .pid = pid,
		.number = (long)r.orig_rax,
		.a = { r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9 } };
	row = row_of(call->number);
	if (row == NULL)
		return false;
	call->name = row->name;
	return counts(call, row);
}

long
calls_result(pid_t pid)
{
	struct user_regs_struct r;

	return ptrace(PTRACE_GETREGS, pid, NULL, &r) == 0 ? (long)r.rax : -1;
}

/* Bytes of a vector's members, at most as many as can be. */
static size_t
vector_of(const struct call *call, struct iovec v[VECTOR_MAX])
{
	size_t n = call->a[2] < VECTOR_MAX ? call->a[2] : VECTOR_MAX;
	size_t sum = 0;

	if (!calls_memory(call->pid, call->a[1], v, n * sizeof(*v)))
		return 0;
	for (size_t i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

unsigned int
calls_points(const struct call *call)
{
	struct iovec v[VECTOR_MAX];

	switch (row_of(call->number)->shape) {
	case WRITES:
		return call->a[2] > 1 ? 2 : 1;
	case VECTOR:
		return vector_of(call, v) > 1 ? 2 : 1;
	default:
		return 1;
	}
}

static void
set_length(const struct call *call, uint64_t length)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, call->pid, NULL, &r) != 0)
		return;
	r.rdx = length;
	(void)ptrace(PTRACE_SETREGS, call->pid, NULL, &r);
}

/* The last member that is written, and how much of it. */
static void
halve_vector(const struct call *call)
{
	struct iovec v[VECTOR_MAX];
	size_t left = vector_of(call, v) / 2, i = 0;

	while (left > v[i].iov_len)
		left -= v[i++].iov_len;
	v[i].iov_len = left;
	(void)ptrace(PTRACE_POKEDATA, call->pid,
	    call->a[1] + i * sizeof(*v) + offsetof(struct iovec, iov_len),
	    left);
	set_length(call, i + 1);
}

void
calls_halve(const struct call *call)
{
	if (row_of(call->number)->shape == VECTOR)
		halve_vector(call);
	else
		set_length(call, call->a[2] / 2);
}

void
calls_text(pid_t pid, uint64_t address, char *out, size_t n)
{
	size_t i = 0;

	while (i + 1 < n && calls_memory(pid, address + i, out + i, 1) &&
	    out[i] != '\0')
		i++;
	out[i] = '\0';
}

void
calls_where(const struct call *call, char *out, size_t n)
{
	const struct row *row = row_of(call->number);
	bool relative = strstr(call->name, "at") != NULL;
	char path[60];
	ssize_t got;

	if (row->shape <= HOW) {
		calls_text(call->pid, call->a[relative ? 1 : 0], out, n);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", call->pid,
	    (int)call->a[row->at]);
	got = readlink(path, out, n - 1);
	out[got > 0 ? got : 0] = '\0';
}
