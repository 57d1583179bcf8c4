/* SPDX-License-Identifier: ISC */
#ifndef LIB_SANDBOX_IDENTITY_H
#define LIB_SANDBOX_IDENTITY_H

/*
 * Being somebody else for a while. Only root can; for others both do
 * nothing, and all is done as the caller.
 */

#include <sys/types.h>

/*
 * Effective user, group and groups of this user; "name" (may be NULL) for
 * the groups of the group file. fatal() when the system refuses.
 */
void identity_become(const char *name, uid_t uid, gid_t gid);
/* Back to root. */
void identity_restore(void);

#endif
