/* SPDX-License-Identifier: ISC */
/*
 * What the kernel's Landlock keeps shut beside the system call filter.
 *
 * Files only below the working directory, and below those that were named
 * beside it (sandbox_beneath_too). The
 * root directory says the same where we were started by root; this holds
 * without root as well. Kernels that lack it (or cannot rename between
 * directories under it) leave that to the root directory.
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

struct network_rules {
	uint64_t files;
	uint64_t network;
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

static bool
is_there(long abi)
{
	return create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= abi;
}

bool
sandbox_beneath_too(int directory)
{
	if (!is_there(ABI_WITH_RENAME) || others_count == OTHERS_MAX)
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

void
sandbox_below_here(bool write)
{
	struct landlock_ruleset_attr all = { .handled_access_fs = may_read |
		    may_write | nobody_may };
	uint64_t access = write ? may_read | may_write : may_read;
	int rules, here;
	bool good;

	if (!is_there(ABI_WITH_RENAME))
		return;
	/* with no other directory there is no path that leads elsewhere */
	if (others_count > 0 && is_there(ABI_WITH_TRUNCATE)) {
		all.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
		access |= write ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
	}
	rules = (int)create_ruleset(&all, sizeof(all), 0);
	here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	good = rules >= 0 && here >= 0 && allow(rules, access, here);
	for (size_t i = 0; good && i < others_count; i++)
		good = allow(rules, access, others[i]);
	if (!good || !restrict_self(rules))
		fatal("the kernel refuses the file system confinement: %m");
	fd_close(&rules);
	fd_close(&here);
}

static uint16_t connect_to[PORTS_MAX];
static size_t connect_to_count;

void
sandbox_connect_to(const uint16_t *ports, size_t count)
{
	for (size_t i = 0; i < count && connect_to_count < PORTS_MAX; i++)
		connect_to[connect_to_count++] = ports[i];
}

void
sandbox_ports_alone(void)
{
	const struct network_rules all = { .network = BIND_TCP | CONNECT_TCP };
	bool good;
	int rules;

	if (!is_there(ABI_WITH_PORTS))
		return;
	rules = (int)create_ruleset(&all, sizeof(all), 0);
	good = rules >= 0;
	for (size_t i = 0; good && i < connect_to_count; i++) {
		struct port_rule to = { CONNECT_TCP, connect_to[i] };

		good = syscall(SYS_landlock_add_rule, rules, RULE_PORT, &to,
			   0) == 0;
	}
	if (!good || !restrict_self(rules))
		fatal("the kernel refuses the confinement of ports: %m");
	fd_close(&rules);
}
