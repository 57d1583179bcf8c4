/* SPDX-License-Identifier: ISC */
#ifndef LIB_CONF_CONF_H
#define LIB_CONF_CONF_H

/*
 * Settings: main.cf of one generation, with the defaults of every parameter
 * of the suite and the -o overrides of one service, in Postfix's syntax.
 *
 * A setting reaches code as a field of a const struct: each program or
 * module lists its own in a params.def (see lib/conf/param.h), and
 * conf_fill turns the group's rows into the struct, checked.
 *
 * Errors name file, line, setting and what to do; they are collected, so
 * that `check` shows all of them at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/base/buf.h"
#include "lib/base/span.h"

struct conf;

enum param_type {
	PARAM_TEXT, /* const char *; $name expanded */
	PARAM_RAW, /* const char *; not expanded (templates) */
	PARAM_WORD, /* const char *; one of the words in "max" */
	PARAM_BOOL, /* bool; yes or no */
	PARAM_COUNT, /* int64_t */
	PARAM_SIZE, /* int64_t; bytes */
	PARAM_TIME, /* int64_t; seconds; s m h d w; the unit of the default */
	PARAM_TABLES, /* const char *; list of type:name tables */
};

struct param {
	const char *name;
	enum param_type type;
	const char *fallback; /* default, in main.cf syntax; may hold $name */
	const char *min; /* numbers; "" for none */
	const char *max; /* numbers; PARAM_WORD: the words */
	const char *since;
	const char *meaning; /* manual text */
	size_t offset; /* in the group's struct */
};

struct param_group {
	const char *name; /* "smtpd" */
	const struct param *params;
	size_t count;
	size_t size; /* of the struct */
};

/* Every group of the suite; NULL at the end. For postconf and the manual. */
extern const struct param_group *const param_groups[];
/* NULL if no program has it. */
const struct param *param_find(struct span name);

/*
 * Where a command finds main.cf: "option" (-c, may be NULL), MAIL_CONFIG,
 * ../etc beside the command's own executable if main.cf is there, or the
 * directory this was built for. A set-gid command takes the first two only
 * for directories that alternate_config_directories (or
 * multi_instance_directories) of the built-in one lists, and the third only
 * when it belongs to the executable's owner; fatal otherwise. Lives for ever.
 */
const char *conf_find_directory(const char *option);
/*
 * The directory when neither option nor MAIL_CONFIG says another: that of the
 * primary one of several instances. Lives for ever.
 */
const char *conf_builtin_directory(void);

/*
 * Reads DIR/main.cf. NULL when it cannot be opened or is no main.cf at all;
 * otherwise all that can be used is there, and errors has one line for each
 * mistake ("main.cf: line 12: ..."). warnings may be NULL.
 */
struct conf *
conf_read(const char *directory, struct buf *errors, struct buf *warnings);
/* The same from a snapshot that conf_snapshot wrote. fatal() if damaged. */
struct conf *conf_read_snapshot(int fd);
/*
 * A sealed memfd for a child, with what it is to know: "share" names groups
 * (of params.def) and single settings, or is "*" for everything. Common
 * settings are always there, and so is what any of these refers to by $name,
 * what "texts" (-o and arguments of master.cf, NULL at the end, or NULL)
 * refer to, NAME_suffix families, restriction classes with the list that names
 * them, and NAME_something where a value names a table "ldap:NAME". To ask for
 * another one later (conf_value, conf_raw, conf_fill) is a bug of ours: it
 * panics.
 */
int conf_snapshot(struct conf *c, const char *share, char *const *texts);
/* Does "share" itself name the setting, or its group? */
bool conf_shares(const char *share, const char *name);
void conf_free(struct conf **c);

/* "name = value" taken apart; NULL, or what is wrong with it. */
const char *conf_split(struct span line, struct span *name, struct span *value);
/* "-o name=value", before any conf_fill. False and *error when malformed. */
bool conf_override(struct conf *c, const char *assignment, struct buf *error);
const char *conf_directory(const struct conf *c);

/*
 * Value of a parameter, $name expanded, default if not set; NULL when no
 * such name. Lives as long as the conf.
 */
const char *conf_value(struct conf *c, const char *name);
/*
 * The same for a name of the administrator's own (ldapusers_server_host): NULL
 * when it is not set, or not for this program.
 */
const char *conf_value_if_set(struct conf *c, const char *name);
/*
 * Is a text "yes", in whatever case? NULL is not. For what has no field: no
 * other code compares with "yes" or "no".
 */
bool conf_yes(const char *text);
bool conf_is_yes(struct conf *c, const char *name);
/* As written in main.cf, NULL when not set there or by -o. */
const char *conf_raw(const struct conf *c, const char *name);
/* The default in main.cf syntax; NULL when there is no such name. */
const char *conf_fallback(struct conf *c, const char *name);
/* "main.cf: line 12", CONF_OPTION, "default". */
#define CONF_OPTION "-o option"
const char *conf_origin(const struct conf *c, const char *name);
/* Expands $name, ${name?..}, comparisons in any text. */
const char *conf_expand(struct conf *c, const char *text, struct buf *error);

/*
 * The same with names that only the caller knows (recipient, user...): asked
 * first; NULL: not one of those. Appends to *out.
 */
typedef const char *conf_resolver(void *with, struct span name);
bool conf_expand_with(struct conf *c, const char *text, conf_resolver *resolve,
    void *with, struct buf *out, struct buf *error);
/*
 * The same for texts that a stranger's words may have got into (the answer of
 * a table): no setting is looked at, what the caller does not know is "", and
 * nothing of it is kept.
 */
bool conf_expand_names(const char *text, conf_resolver *resolve, void *with,
    struct buf *out, struct buf *error);

/*
 * Calls for each name that a text refers to, in branches that are not taken as
 * well. False, and a line in *error (may be NULL), where it is malformed: what
 * is behind that place is not looked at.
 */
typedef void conf_name_visitor(void *with, struct span name);
bool conf_scan(struct conf *c, const char *text, conf_name_visitor *visit,
    void *with, struct buf *error);

/*
 * Fills the struct of a group. Texts live as long as the conf. False, with
 * lines in *errors, when a value is not valid; such fields have the default.
 */
bool conf_fill(struct conf *c, const struct param_group *group, void *into,
    struct buf *errors);
/* One setting of ours into its field, for who is told of this one alone. */
bool
conf_fill_one(struct conf *c, const char *name, void *into, struct buf *errors);
/*
 * NAME_suffix if set, else the fallback: the per-transport families, as
 * "smtp_destination_concurrency_limit".
 */
int64_t conf_family_number(struct conf *c, const char *name, const char *suffix,
    enum param_type type, int64_t fallback);
/* A text that uses $name too, of master.cf: so conf_check knows the name. */
void conf_mention(struct conf *c, const char *text);
/* A service of master.cf: NAME_time_limit and its like are settings then. */
void conf_service(struct conf *c, const char *name, const char *command);

/* What becomes of a setting. */
enum verdict_kind {
	VERDICT_HONOURED, /* as Postfix has it, or a setting of ours */
	VERDICT_OWN, /* the administrator's: others use it */
	VERDICT_MAPPED, /* something else serves the purpose */
	VERDICT_HARMLESS, /* not needed */
	VERDICT_PLANNED, /* without effect, comes later */
	VERDICT_REFUSED, /* check, start and reload refuse it */
	VERDICT_UNKNOWN, /* refused, unless tolerated */
};
struct verdict_of_setting {
	enum verdict_kind kind;
	const char *reason; /* may be empty */
	bool idle; /* has the value that it would have anyway */
	bool guards; /* refused because it protects */
	bool tolerated; /* by unknown_parameters */
};
/* Of a name that is set, in main.cf or by -o. */
struct verdict_of_setting conf_verdict(struct conf *c, const char *name);
/* All settings at once, including unknown names: for check. */
bool conf_check(struct conf *c, struct buf *errors, struct buf *warnings);
/* Calls for each name set in main.cf, in its order. */
void conf_each(const struct conf *c,
    void (*visit)(void *with, const char *name, const char *raw,
	const char *origin),
    void *with);

/* Insertions, deletions and changes of a letter between two names. */
size_t conf_name_distance(struct span a, const char *b);
/* One item of a list value: separated by commas and blanks, { } kept whole
 * (braces taken off). False at the end. */
bool conf_list_next(struct span *rest, struct span *item);
bool conf_parse_time(const char *text, char unit, int64_t *seconds);

#endif
