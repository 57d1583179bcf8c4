/* SPDX-License-Identifier: ISC */
#ifndef LIB_CONF_CONF_PARTS_H
#define LIB_CONF_CONF_PARTS_H

/*
 * What the files behind lib/conf/conf.h share. Not for others.
 *
 * A conf keeps one struct setting for each name that was set or asked for.
 * Everything lives in its arena until conf_free.
 */

#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/conf/conf.h"

struct setting {
	const char *name;
	const char *raw; /* as set, NULL: only the default */
	const char *origin; /* "main.cf: line 12" */
	const char *computed; /* default found out from the system, or NULL */
	const char *value; /* expanded; NULL: not yet asked for */
	const char *error; /* why the value could not be expanded, or NULL */
	bool expanding; /* being expanded right now: the loop detector */
	bool given; /* conf_share.c: goes into the snapshot */
	bool withheld; /* not in the snapshot: nobody may ask */
	struct setting *next; /* the next one that is set, in file order */
	UT_hash_handle hh;
};

/* Text outside main.cf that may use the administrator's own names. */
struct mention {
	struct mention *next;
	const char *text;
};

/* A service of master.cf. */
struct service {
	struct service *next;
	const char *name;
	const char *command;
};

struct conf {
	const char *directory;
	struct arena *arena;
	struct setting *names; /* hash */
	struct setting *first, *last; /* those that are set, in order */
	struct mention *mentions;
	struct service *services; /* NULL: master.cf is not known */
	bool share_of_servers; /* conf_share.c: their tables' settings too */
	bool evaluated; /* some setting may have a value or error */
	bool from_snapshot; /* computed defaults came along */
	struct span snapshot; /* mapped as long as the conf lives */
	struct span withheld; /* in it: "\nname\nname\n" */
};

enum {
	CONF_DEPTH_MAX = 50, /* nesting of $name and ${ } */
	CONF_VALUE_MAX = 1 << 20, /* bytes of one expanded value */
	CONF_NAME_MAX = 256,
};

struct conf *conf_new(const char *directory);
/* Finds it, or adds it with raw NULL. */
struct setting *conf_setting(struct conf *c, struct span name);
void
conf_set(struct conf *c, struct span name, struct span raw, const char *origin);
/* The text of a main.cf. */
void conf_parse(struct conf *c, struct span text, const char *file,
    struct buf *errors, struct buf *warnings);

/* Expands into *out; false, and *error set (in the arena). */
bool conf_expand_into(struct conf *c, const char *text, unsigned int depth,
    struct buf *out, const char **error);
/* The setting's value; setting->error says what went wrong. */
const char *
conf_evaluate(struct conf *c, struct setting *s, unsigned int depth);
/* Defaults that depend on the system; NULL when this name has none. */
const char *conf_compute(struct conf *c, const char *name);
/* NULL, or which names they are, NULL at the end. */
const char *const *conf_computed_names(void);

/* name_SUFFIX families of every service, as smtp_recipient_limit. */
struct conf_family {
	const char *suffix;
	enum param_type type;
	const char *fallback;
};
const struct conf_family *conf_family_find(struct span name);
/* Each of them in turn; NULL at the end. */
const struct conf_family *conf_family_at(size_t i);

/* Row of compat.def. */
enum compat_verdict {
	COMPAT_HONOURED,
	COMPAT_MAPPED,
	COMPAT_HARMLESS,
	COMPAT_PLANNED,
	COMPAT_GUARDS,
	COMPAT_REFUSED,
};
struct compat {
	const char *name;
	const char *fallback;
	enum compat_verdict verdict;
	const char *reason;
};
const struct compat *compat_find(struct span name);
const struct compat *compat_rows(size_t *count);
/* How an honoured setting is not quite Postfix's; "" when it is. */
const char *compat_difference(struct span name);
/*
 * A place or user that is Postfix's own, so that its main.cf works as it is
 * and its queue is not touched: ours counts.
 */
bool conf_foreign(const struct setting *s);

/* A name that means something, or is set. */
bool conf_name_known(const struct conf *c, struct span name);

/* Panics when the snapshot said that it is not for this program. */
void conf_ensure_given(const struct setting *s);
/* NULL if no program has it. */
const struct param_group *param_group_of(struct span name);
/* Marks what goes into a snapshot with setting->given. */
void conf_share_mark(struct conf *c, const char *share, char *const *texts);

/* Warnings of a value that is set and hardly means what it says. */
void conf_slips(const struct setting *s, struct buf *warnings);
/* What the text has that only looks like ASCII, in words; NULL: nothing. */
const char *conf_look_alike(const char *text);

/* The known name that looks most like this one; NULL when none does. */
const char *conf_nearest(struct span name);
/* Reads one value; false, and what is wrong with it, when not valid. */
bool conf_read_value(const struct param *p, const char *text, void *into,
    struct buf *wrong);

#endif
