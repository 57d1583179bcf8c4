/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_ENVIRONMENT_H
#define LOCAL_ENVIRONMENT_H

/* The environment of a command: nothing but what is put here. */

#include "lib/base/mem.h"

struct environment {
	struct arena *arena;
	char **list; /* NULL-terminated */
	size_t count;
};

void environment_init(struct environment *e, struct arena *a);
/* A later value of the same name replaces the earlier one. */
void
environment_put(struct environment *e, const char *name, const char *value);
/* PATH, and what export_environment says: "NAME" from ours, "NAME=value". */
void environment_export(struct environment *e, const char *names);
/*
 * The value with characters that are not in "allowed" made underscores: text
 * of strangers that a shell may come to see.
 */
const char *
environment_filter(struct arena *a, const char *value, const char *allowed);

#endif
