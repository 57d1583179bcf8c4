/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_PROGRAMS_H
#define LIB_SERVICE_PROGRAMS_H

/* programs.def as a table. */

#include <stdbool.h>
#include <stddef.h>

#include "lib/service/service.h"

enum program_user {
	USER_ROOT,
	USER_QUEUE,
	USER_NET,
	USER_TABLE,
	USER_AUTH,
	USER_KEY,
	USER_LOG,
	USER_TOKEN,
	USER_SERVER,
};

enum program_root { ROOT_EMPTY, ROOT_QUEUE, ROOT_REAL };

struct program {
	const char *name;
	enum service_style style;
	enum program_user user;
	enum program_root root;
	const char *peers; /* separated by blanks */
	const char *promises;
	const char *settings; /* as conf_snapshot takes them */
	const char *meaning;
};

extern const struct program programs[];
extern const size_t programs_count;

/* NULL: master runs no such program. */
const struct program *program_find(const char *name);
/* May it be connected to that program? */
bool program_may_reach(const struct program *p, const char *peer);
/* The setting that names the user: "net_user"; NULL for root. */
const char *program_user_setting(enum program_user user);

#endif
