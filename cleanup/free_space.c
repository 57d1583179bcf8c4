/* SPDX-License-Identifier: ISC */
#include "cleanup/free_space.h"

#include <sys/statvfs.h>

#include "lib/log/log.h"

enum verdict
free_space_check(const struct settings *set, const char *id, struct why *why)
{
	uint64_t least = (uint64_t)set->own.queue_minfree;
	struct statvfs st;

	if (least == 0 || statvfs(".", &st) == -1 ||
	    (uint64_t)st.f_bavail * st.f_frsize >= least)
		return OK;
	log_warning("%s: not enough free space in the queue file system: "
		    "queue_minfree = %llu",
	    id, (unsigned long long)least);
	return why_set(why, "4.3.1", "Insufficient system storage");
}
