/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: a program that has to be root need not be all that root is. What it
 * has no use for leaves the bounding set, too, so that no program which it
 * executes, nor a set-id bit, brings it back.
 */
#include "lib/sandbox/internal.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/span.h"
#include "lib/log/log.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* To become somebody; and then to be root again. */
static const uint64_t become = BIT(CAP_SETUID) | BIT(CAP_SETGID);

/*
 * To enter mailboxes wherever they are and to own what is made for a user
 * there, to make a directory the root of a process, to end such a process; and
 * to pass connections on however many descriptors other processes of root's
 * have under way: without CAP_SYS_RESOURCE the kernel counts all of them
 * together, and refuses one more (ETOOMANYREFS).
 */
static const uint64_t sessions = BIT(CAP_SETUID) | BIT(CAP_SETGID) |
    BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |
    BIT(CAP_KILL) | BIT(CAP_SYS_CHROOT) | BIT(CAP_SYS_RESOURCE);

/*
 * What denied.c says of calls, of files and devices as well. A PAM module that
 * needs any of it to check a password (pam_zfs_key) cannot be used.
 */
static const uint64_t machine = BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) |
    BIT(CAP_SYS_BOOT) | BIT(CAP_SYS_TIME) | BIT(CAP_SYS_PTRACE) |
    BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_PACCT) | BIT(CAP_SYS_TTY_CONFIG) |
    BIT(CAP_MKNOD) | BIT(CAP_MAC_ADMIN) | BIT(CAP_MAC_OVERRIDE) |
    BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_SYSLOG) | BIT(CAP_WAKE_ALARM) |
    BIT(CAP_BLOCK_SUSPEND) | BIT(CAP_AUDIT_CONTROL) | BIT(CAP_AUDIT_READ) |
    BIT(CAP_PERFMON) | BIT(CAP_BPF) | BIT(CAP_CHECKPOINT_RESTORE);

/* 0: the promises say nothing of it. */
static uint64_t
kept_by(const char *promises)
{
	struct span rest = span_of(promises), word;
	uint64_t kept = 0;

	while (span_cut(&rest, " ", true, &word)) {
		if (span_is(word, "owners"))
			kept |= become;
		else if (span_is(word, "sessions"))
			kept |= sessions;
		else if (span_is(word, "shares"))
			kept |= BIT(CAP_SYS_ADMIN);
		else if (span_is(word, "modules"))
			kept |= ~machine;
	}
	return kept;
}

/* Not where it is not in the set anyhow, or the kernel knows no such right. */
static void
leave_bounds(uint64_t kept)
{
	for (unsigned long c = 0; c < 64; c++)
		if ((kept & BIT(c)) == 0 &&
		    prctl(PR_CAPBSET_READ, c, 0, 0, 0) == 1 &&
		    prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			fatal("cannot give up capability %lu: %m", c);
}

void
sandbox_keep_capabilities(const char *promises)
{
	const uint64_t kept = kept_by(promises);
	struct __user_cap_header_struct whose = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct rights[2];

	if (kept == 0 || geteuid() != 0)
		return;
	if (syscall(SYS_capget, &whose, rights) < 0)
		fatal("cannot read capabilities: %m");
	/* whoever may not change the bounds has none to bring back */
	if ((rights[0].effective & BIT(CAP_SETPCAP)) != 0)
		leave_bounds(kept);
	for (unsigned int i = 0; i < 2; i++) {
		rights[i].permitted &= (uint32_t)(kept >> 32 * i);
		rights[i].effective = rights[i].permitted;
		rights[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &whose, rights) < 0)
		fatal("cannot give up capabilities: %m");
}
