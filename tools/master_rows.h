/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_MASTER_ROWS_H
#define TOOLS_MASTER_ROWS_H

/*
 * master.cf as postconf(1) shows and writes it: eight fields, and the
 * words behind the command, "-o" apart from its "name=value". What the
 * words mean is lib/conf/master_cf.h; this is about how they look, so that
 * no word is lost and braces stay where a word needs them.
 */

#include <stdbool.h>
#include <stddef.h>
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/span.h"

enum {
	ROW_SERVICE,
	ROW_TYPE,
	ROW_PRIVATE,
	ROW_UNPRIVILEGED,
	ROW_CHROOT,
	ROW_WAKEUP,
	ROW_LIMIT,
	ROW_COMMAND,
	ROW_FIELDS,
};

struct row_word {
	struct span text;
	bool option; /* of ours: "-o" or "-v"; the first other word ends them */
	bool setting; /* the name=value behind an "-o" */
};

struct master_row {
	struct span field[ROW_FIELDS];
	struct row_word *words;
	size_t count;
	struct master_row *next;
};

/* The name of a field ("process_limit"), or ROW_FIELDS. */
const char *row_field_name(int field);
int row_field_find(struct span name);

/*
 * One line taken apart; everything lives in "a". NULL, and the reason in
 * *error: a text that begins with "bad field count" or "invalid". Warnings
 * are lines.
 */
struct master_row *row_parse(struct arena *a, struct span line,
    struct buf *error, struct buf *warnings);
/* Service and type only, whatever follows; false when those are not there. */
bool row_names(struct span line, struct master_row *row);
/* Is this a value that the field may have? Otherwise *error says why not. */
bool row_field_valid(int field, struct span value, struct span line,
    struct buf *error);
/* Replaces the command and its words. */
bool row_set_command(struct arena *a, struct master_row *row,
    struct span command, struct buf *warnings);

/* "name=value" of a word that is a setting; false when it is no such. */
bool
row_setting(const struct row_word *w, struct span *name, struct span *value);
/* The last setting of this name, or NULL. */
struct row_word *row_find(const struct master_row *row, struct span name);
/* Adds one or changes all of the name; "text" is name=value. */
void row_set(struct arena *a, struct master_row *row, struct span name,
    struct span text);
bool row_remove(struct master_row *row, struct span name);

/* The line; "fold" puts each setting on a line of its own. */
void row_put(const struct master_row *row, bool fold, struct buf *out);
/* The command and its words alone; "column": where on the line it begins. */
void row_put_command(const struct master_row *row, bool fold, size_t column,
    struct buf *out);

#endif
