/* SPDX-License-Identifier: ISC */
#ifndef MASTER_ABSORBED_H
#define MASTER_ABSORBED_H

/* absorbed.def as a table: Postfix's commands that are not ours. */

enum absorbed_kind {
	ABSORBED_SERVED,
	ABSORBED_STANDS_IN,
	ABSORBED_IDLE,
	ABSORBED_REFUSED,
	ABSORBED_GUARDS,
};

struct absorbed {
	const char *command;
	enum absorbed_kind kind;
	const char *program; /* that serves it */
	const char *meaning;
};

/* NULL: not known by name. */
const struct absorbed *absorbed_find(const char *command);

#endif
