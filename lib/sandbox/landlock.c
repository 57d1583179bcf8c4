/* SPDX-License-Identifier: ISC */
/*
 * What the kernel's Landlock keeps shut beside the system call filter, as far
 * as it is there and knows how to.
 *
 * Files only below the working directory, and below those that were named
 * beside it (sandbox_beneath_too). The root directory says the same where we
 * were started by root; this holds without root as well. Kernels that lack it
 * (or cannot rename between directories under it) leave that to the root
 * directory.
 *
 * TCP to some ports alone.
 *
 * No signal to another process, and of abstract UNIX sockets none but of its
 * own: these have no file whose mode would keep anybody out, and belong to
 * whatever else runs here. Who forks processes of users is not kept from
 * either: a layer of Landlock, whatever it is about, would keep all that they
 * become from moving files between directories, where another layer of their
 * own lets them.
 *
 * All that is one layer, for the same reason.
 */
#include "lib/sandbox/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"

enum {
	ABI_WITH_RENAME = 2,
	ABI_WITH_TRUNCATE = 3,
	ABI_WITH_PORTS = 4,
	ABI_WITH_SCOPES = 6,
	OTHERS_MAX = 256,
	PORTS_MAX = 16,
};

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

static const uint64_t may_read =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

static const uint64_t may_write = LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_REFER;

static const uint64_t nobody_may = LANDLOCK_ACCESS_FS_EXECUTE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM;

/* Of headers since Linux 6.7. */
enum { BIND_TCP = 1, CONNECT_TCP = 2, RULE_PORT = 2 };
/* Since Linux 6.12. */
enum { ABSTRACT_SOCKETS = 1, SIGNALS = 2 };

/* Kernels that know less of it take it where the rest is zero. */
struct handled {
	uint64_t files;
	uint64_t network;
	uint64_t scoped;
};

struct port_rule {
	uint64_t access;
	uint64_t port;
};

static long
create_ruleset(const void *attr, size_t n, unsigned int flags)
{
	return syscall(SYS_landlock_create_ruleset, attr, n, flags);
}

/* Of the process, which promises once. */
static int others[OTHERS_MAX];
static size_t others_count;

/* Below 1: there is no Landlock. */
static long
version(void)
{
	return create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool
sandbox_beneath_too(int directory)
{
	if (version() < ABI_WITH_RENAME || others_count == OTHERS_MAX)
		return false;
	others[others_count++] = directory;
	return true;
}

static bool
allow(int rules, uint64_t access, int directory)
{
	struct landlock_path_beneath_attr below = { .allowed_access = access,
		.parent_fd = directory };

	return syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH,
		   &below, 0) == 0;
}

static bool
restrict_self(int rules)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(SYS_landlock_restrict_self, rules, 0) == 0;
}

/* The working directory, and the others. */
static bool
allow_directories(int rules, uint64_t access)
{
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool good = here >= 0 && allow(rules, access, here);

	for (size_t i = 0; good && i < others_count; i++)
		good = allow(rules, access, others[i]);
	fd_close(&here);
	return good;
}

static uint16_t connect_to[PORTS_MAX];
static size_t connect_to_count;

void
sandbox_connect_to(const uint16_t *ports, size_t count)
{
	for (size_t i = 0; i < count && connect_to_count < PORTS_MAX; i++)
		connect_to[connect_to_count++] = ports[i];
}

static bool
allow_ports(int rules)
{
	bool good = true;

	for (size_t i = 0; good && i < connect_to_count; i++) {
		struct port_rule to = { CONNECT_TCP, connect_to[i] };

		good = syscall(SYS_landlock_add_rule, rules, RULE_PORT, &to,
			   0) == 0;
	}
	return good;
}

/* What is forbidden; of that, "access" is allowed below directories. */
static struct handled
handled_by(unsigned int extras, long abi, uint64_t *access)
{
	bool write = (extras & EXTRA_WRITE) != 0;
	struct handled all = { 0 };

	*access = write ? may_read | may_write : may_read;
	if ((extras & EXTRA_BELOW) && abi >= ABI_WITH_RENAME)
		all.files = may_read | may_write | nobody_may;
	/* with no other directory there is no path that leads elsewhere */
	if (all.files != 0 && others_count > 0 && abi >= ABI_WITH_TRUNCATE) {
		all.files |= LANDLOCK_ACCESS_FS_TRUNCATE;
		*access |= write ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
	}
	if ((extras & (EXTRA_PORTS | EXTRA_ANYWHERE)) == EXTRA_PORTS &&
	    abi >= ABI_WITH_PORTS)
		all.network = BIND_TCP | CONNECT_TCP;
	if (!(extras & EXTRA_CHILDREN) && abi >= ABI_WITH_SCOPES)
		all.scoped = ABSTRACT_SOCKETS | SIGNALS;
	return all;
}

void
sandbox_land(unsigned int extras)
{
	uint64_t access;
	const struct handled all = handled_by(extras, version(), &access);
	bool good;
	int rules;

	if (all.files == 0 && all.network == 0 && all.scoped == 0)
		return;
	rules = (int)create_ruleset(&all, sizeof(all), 0);
	good = rules >= 0 &&
	    (all.files == 0 || allow_directories(rules, access)) &&
	    (all.network == 0 || allow_ports(rules)) && restrict_self(rules);
	if (!good)
		fatal("the kernel refuses the confinement by Landlock: %m");
	fd_close(&rules);
}
