/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: every step is checked, and the end is proven: a program that is
 * less confined than it believes must not run.
 */
#include "lib/sandbox/sandbox.h"

#include <grp.h>
#include <unistd.h>

#include "lib/log/log.h"

void
sandbox_become(uid_t uid, gid_t gid)
{
	uid_t real, effective, saved;
	gid_t rgid, egid, sgid;

	if (uid == 0 || gid == 0)
		fatal("refusing to become user %u, group %u: "
		      "that is no separation",
		    (unsigned)uid, (unsigned)gid);
	if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		fatal("cannot become user %u, group %u: %m", (unsigned)uid,
		    (unsigned)gid);
	if (getresuid(&real, &effective, &saved) < 0 || real != uid ||
	    effective != uid || saved != uid ||
	    getresgid(&rgid, &egid, &sgid) < 0 || rgid != gid || egid != gid ||
	    sgid != gid)
		fatal("became another user than %u", (unsigned)uid);
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		fatal("root can be had back after giving it up");
}

void
sandbox_root(const char *directory)
{
	if (chdir(directory) < 0 || chroot(".") < 0 || chdir("/") < 0)
		fatal("cannot make %s the root directory: %m", directory);
}
