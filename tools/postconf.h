/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_POSTCONF_H
#define TOOLS_POSTCONF_H

/*
 * What the parts of postconf(1) share. Output is collected and written at
 * the end, so that a fatal error leaves no half of it.
 */

#include "lib/conf/conf.h"
#include "tools/master_rows.h"

enum {
	CLASS_BUILTIN = 1, /* names of this suite and of Postfix */
	CLASS_SERVICE = 2, /* SERVICE_suffix */
	CLASS_USER = 4, /* names that other settings refer to */
	CLASS_ALL = 7,
};

struct postconf {
	const char *directory;
	struct conf *conf;
	struct conf *scope; /* as a service of master.cf has it */
	const struct master_row *scope_row; /* which service that is */
	struct arena *arena;
	struct master_row *rows; /* of master.cf */
	struct known *known; /* names in use: postconf_names.c */
	struct table_file *table_files; /* looked at: postconf_tables.c */
	struct buf out;
	unsigned int classes; /* -C */
	bool changed_only; /* -n */
	bool defaults; /* -d */
	bool expand; /* -x */
	bool fold; /* -f */
	bool no_name; /* -h */
	bool no_value; /* -H */
	bool quiet; /* -q */
	bool edit; /* -e */
	bool remove; /* -X */
	bool comment; /* -# */
	bool verbose; /* -v */
};

void postconf_init(struct postconf *p);
void postconf_fini(struct postconf *p);
/* Writes what was collected. */
void postconf_flush(struct postconf *p);

/* postconf_load.c: all that the listing of a file wants; fatal() otherwise. */
void postconf_load(struct postconf *p, char **overrides, size_t count);
/* Reads master.cf into p->rows; "needed": a missing one is fatal. */
void postconf_load_rows(struct postconf *p, bool needed);

/*
 * postconf_names.c: the CLASS_ of a name; 0: nobody knows or uses it. fatal()
 * when a value that tables or classes are looked for in cannot be expanded.
 */
void postconf_names_init(struct postconf *p);
void postconf_names_fini(struct postconf *p);
unsigned int postconf_class(const struct postconf *p, struct span name);
/* Templates have names that only their users know: -x leaves them alone. */
bool postconf_is_template(struct span name);
/* From now on it is in use. */
void postconf_use(struct postconf *p, struct span name);
/*
 * postconf_tables.c: "ldap:people" in an expanded value makes people_bind one
 * of the names in use; of "ldap:/path" the file's settings are looked at.
 * "place" is where the value stands.
 */
void
postconf_use_tables(struct postconf *p, const char *place, const char *value);
/* process_id and its like: the programs' own. */
bool postconf_read_only(struct span name);
/* What is referred to and not there; what is there and means nothing. */
void postconf_warn_undefined(struct postconf *p);
void postconf_warn_unused(struct postconf *p, bool main_cf);
/* All names of p->classes; NULL at the end. */
const char **postconf_names(const struct postconf *p);

/* main.cf: names, or all when there are none. */
void postconf_list(struct postconf *p, char **names);
void postconf_edit(struct postconf *p, char **arguments);
/* master.cf: -M entries, -F fields, -P parameters, and their changes. */
void postconf_master(struct postconf *p, char mode, char **arguments);
void postconf_master_edit(struct postconf *p, char mode, char **arguments);
/* "service/type/item", its parts; missing ones are "*". How many it had. */
struct row_target {
	struct span service, type, item;
};
int row_target_of(struct span text, int most, struct row_target *t);
bool row_target_is(const struct row_target *t, const struct master_row *row);

/* "name = value", as -f, -h and -H want it; runs of blanks become one. */
void postconf_print(struct postconf *p, const char *name, const char *value);
/* $name expanded; fatal() when that is impossible. "row": its settings first.
 */
const char *postconf_expand(struct postconf *p, const char *text,
    const struct master_row *row);

/* -b and -t: reports, with or without $name expanded. */
void postconf_bounce(struct postconf *p, bool expand, const char *file);
/* -a -A -l -m */
void postconf_kinds(struct postconf *p, char mode);
/* -T; false when there is no such mode. */
bool postconf_tls(struct postconf *p, const char *mode);

#endif
