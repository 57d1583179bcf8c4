/* SPDX-License-Identifier: ISC */
#ifndef LIB_TABLE_PATTERN_H
#define LIB_TABLE_PATTERN_H

/*
 * Tables of patterns, pcre: and regexp: alike: the rules of a file, tried
 * in order,
 *
 *	/pattern/flags result		!/pattern/flags result
 *	if /pattern/flags		if !/pattern/flags
 *	endif
 *
 * where the result may hold $1, ${1} or $(1), and $$ for a dollar sign. The
 * two kinds differ in who compiles and matches.
 *
 * Two things are stricter than in Postfix. The block of an "if" that cannot
 * be read is left out, not made unconditional: it may hold an OK that was
 * meant for few. And a match that needs more than its limits allow is an
 * error, not "does not match": who chooses the key could step over a rule.
 */

#include <stddef.h>

#include "lib/table/pattern_needs.h"
#include "lib/table/type.h"

enum { PATTERN_GROUPS = 100 };

struct pattern_groups {
	unsigned int count; /* group 0 is all that matched */
	ptrdiff_t from[PATTERN_GROUPS]; /* -1: took no part */
	ptrdiff_t to[PATTERN_GROUPS];
};

enum pattern_match { PATTERN_NO, PATTERN_YES, PATTERN_FAILED };

struct pattern_engine {
	const char *name; /* of the table's type */
	bool second; /* "/this/!/not that/ result" is legal */
	uint32_t usual; /* options without flags */
	/* Turns the letter's option round; false: there is none. */
	bool (*flag)(char letter, uint32_t *options, struct buf *warning);
	/*
	 * NULL and *error; *groups: how many the pattern has; *costly: it may
	 * be legal, but would take too much of this machine.
	 */
	void *(*compile)(struct span pattern, uint32_t options,
	    unsigned int *groups, bool *costly, struct buf *error);
	/* How a pattern with these options is meant. */
	struct pattern_manner (*manner)(uint32_t options);
	/* FAILED and *error; groups: NULL if nobody wants them */
	enum pattern_match (*match)(const void *compiled, struct span key,
	    struct pattern_groups *groups, struct buf *error);
	void (*release)(void *compiled);
};

bool pattern_open(struct table *t, struct span argument,
    const struct pattern_engine *engine, struct buf *error);
enum table_result
pattern_lookup(struct table *t, struct span key, struct buf *value);
/* An error where a rule is left out that another program would obey. */
enum table_result pattern_check(struct table *t, struct settings_told *told);
uid_t pattern_owner(const struct table *t);
void pattern_close(struct table *t);

/* For the fuzzer: parses the text, looks the key up, throws all away. */
enum table_result pattern_try(const struct pattern_engine *engine,
    struct span text, struct span key, struct buf *value);
extern const struct pattern_engine pattern_engine_pcre; /* table_pcre.c */
extern const struct pattern_engine pattern_engine_regexp;

#endif
