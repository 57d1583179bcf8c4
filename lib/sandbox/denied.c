/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: what is taken from programs that run code which is not ours, PAM
 * modules and the administrator's programs, and may therefore need anything
 * that a site has thought of. So this is a list of what is denied: calls that
 * change the machine and not files, reach into other processes, make other
 * machines of this one (mounts, namespaces), or are a way into the kernel; none
 * has to do with who somebody is. keyctl(2) and its like stay: pam_krb5 and
 * pam_ecryptfs have their keys there.
 *
 * Denied is EPERM, which modules and libraries take as they take a kernel that
 * is set up so. The same holds for 32-bit programs of this machine.
 */
#include "lib/sandbox/internal.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/log/log.h"

#define CALL(name) SCMP_SYS(name)
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif

static const int denied[] = {
	/* another kernel, or none */
	CALL(init_module),
	CALL(finit_module),
	CALL(delete_module),
	CALL(kexec_load),
	CALL(kexec_file_load),
	CALL(reboot),
	/* the machine and its devices */
	CALL(swapon),
	CALL(swapoff),
	CALL(acct),
	CALL(settimeofday),
	CALL(clock_settime),
	CALL(clock_settime64),
	CALL(clock_adjtime),
	CALL(clock_adjtime64),
	CALL(stime),
	CALL(adjtimex),
	CALL(iopl),
	CALL(ioperm),
	CALL(vm86),
	CALL(vm86old),
	CALL(syslog), /* the kernel's, not syslog(3) */
	CALL(sethostname),
	CALL(setdomainname),
	CALL(quotactl),
#ifdef __NR_quotactl_fd
	CALL(quotactl_fd),
#endif
	CALL(vhangup),
	/* other processes */
	CALL(ptrace),
	CALL(process_vm_readv),
	CALL(process_vm_writev),
	CALL(process_madvise),
	CALL(pidfd_getfd),
	CALL(kcmp),
	CALL(migrate_pages),
	CALL(move_pages),
	/* mounts, namespaces, and files without their directories */
	CALL(mount),
	CALL(umount),
	CALL(umount2),
	CALL(pivot_root),
	CALL(chroot),
	CALL(move_mount),
	CALL(open_tree),
	CALL(fsopen),
	CALL(fsconfig),
	CALL(fsmount),
	CALL(fspick),
	CALL(mount_setattr),
	CALL(unshare),
	CALL(setns),
	CALL(open_by_handle_at),
	CALL(fanotify_init),
	/* ways into the kernel */
	CALL(bpf),
	CALL(perf_event_open),
	CALL(userfaultfd),
	CALL(io_uring_setup),
	CALL(io_uring_enter),
	CALL(io_uring_register),
	CALL(modify_ldt),
};

/* clone(2) with one of these makes a namespace. */
static const unsigned int namespaces[] = { CLONE_NEWNS, CLONE_NEWCGROUP,
	CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET };

/* What types into a terminal in its user's place. */
static const unsigned int controls[] = { TIOCSTI, TIOCLINUX };

static void
check(int r, int call)
{
	if (r < 0)
		fatal("system call filter: call %d: %s", call, strerror(-r));
}

/* Where a machine has no such call, there is nothing to deny. */
static void
deny_if(scmp_filter_ctx filter, int call, unsigned int n,
    const struct scmp_arg_cmp *what)
{
	int r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), call, n,
	    what);

	if (r != -EDOM)
		check(r, call);
}

static void
deny_arguments(scmp_filter_ctx filter)
{
#ifdef __s390__
	enum { CLONE_FLAGS = 1 };
#else
	enum { CLONE_FLAGS = 0 };
#endif

	for (size_t i = 0; i < COUNT(namespaces); i++) {
		const struct scmp_arg_cmp has = SCMP_CMP(CLONE_FLAGS,
		    SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]);

		deny_if(filter, CALL(clone), 1, &has);
	}
	for (size_t i = 0; i < COUNT(controls); i++) {
		const struct scmp_arg_cmp is =
		    SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, controls[i]);

		deny_if(filter, CALL(ioctl), 1, &is);
	}
}

/* What the processor runs beside its own. */
static void
add_32_bit(scmp_filter_ctx filter)
{
	static const struct {
		uint32_t native, too;
	} pairs[] = { { SCMP_ARCH_X86_64, SCMP_ARCH_X86 },
		{ SCMP_ARCH_AARCH64, SCMP_ARCH_ARM },
		{ SCMP_ARCH_S390X, SCMP_ARCH_S390 },
		{ SCMP_ARCH_PPC64, SCMP_ARCH_PPC } };

	for (size_t i = 0; i < COUNT(pairs); i++)
		if (seccomp_arch_native() == pairs[i].native)
			check(seccomp_arch_add(filter, pairs[i].too), -1);
}

scmp_filter_ctx
sandbox_denials(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (filter == NULL)
		fatal("no system call filter");
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	add_32_bit(filter);
	for (size_t i = 0; i < COUNT(denied); i++)
		deny_if(filter, denied[i], 0, NULL);
	deny_arguments(filter);
	return filter;
}

static void
load_unlogged(struct sock_filter *code, size_t n)
{
	struct sock_fprog program = { (unsigned short)n, code };

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		fatal("the kernel refuses the system call filter: %m");
}

/*
 * clone3(2) has its flags where no filter sees them. Told that there is no such
 * call libraries take clone(2); and since they try it for each thread and each
 * program that they start, that is not logged.
 */
void
sandbox_hide_clone3(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	load_unlogged(code, COUNT(code));
}

/*
 * The same, and what libseccomp may not know yet: calls of these years have one
 * number on all machines that a filter of ours is for.
 */
void
sandbox_deny_unlogged(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_open_tree_attr, 2, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};

	load_unlogged(code, COUNT(code));
}
