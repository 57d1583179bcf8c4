/* SPDX-License-Identifier: ISC */
#include "lib/sandbox/identity.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "lib/log/log.h"

void
identity_become(const char *name, uid_t uid, gid_t gid)
{
	int groups;

	if (getuid() != 0)
		return;
	groups = name != NULL ? initgroups(name, gid) : setgroups(1, &gid);
	if (groups != 0 || setegid(gid) != 0 || seteuid(uid) != 0)
		fatal("cannot become uid %ld gid %ld: %s", (long)uid, (long)gid,
		    strerror(errno));
}

void
identity_restore(void)
{
	gid_t root = 0;

	if (getuid() != 0)
		return;
	if (seteuid(0) != 0 || setegid(0) != 0 || setgroups(1, &root) != 0)
		fatal("cannot become root again: %s", strerror(errno));
}
