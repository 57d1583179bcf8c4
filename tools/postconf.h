/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_POSTCONF_H
#define TOOLS_POSTCONF_H

/* What the parts of postconf(1) share. */

#include "lib/conf/conf.h"

struct postconf {
	const char *directory;
	struct conf *conf;
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
	int status; /* exit status */
};

/* main.cf: names, or all when there are none. */
void postconf_list(struct postconf *p, char **names);
void postconf_edit(struct postconf *p, char **arguments);
/* master.cf: -M entries, -F fields, -P parameters, and their changes. */
void postconf_master(struct postconf *p, char mode, char **arguments);
/* One value, folded at 80 columns where -f asks for it. */
void
postconf_print(const struct postconf *p, const char *name, const char *value);

#endif
