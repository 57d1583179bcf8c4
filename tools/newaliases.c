/* SPDX-License-Identifier: ISC */
/*
 * newaliases - build the tables of alias_database.
 *
 * SECURITY: as postmap. Options of other newaliases commands are refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "tools/table_tool.h"

/* One that fails does not keep others from being built. */
static bool
build(const struct table_build *b)
{
	struct buf error = BUF_INIT(4096);
	bool good = table_tool_build(b, false, &error);

	if (!good)
		log_error("%s", buf_text(&error));
	buf_fini(&error);
	return good;
}

static bool
build_one(struct span spec, const char *default_type, bool utf8)
{
	size_t colon = span_find(spec, ':');
	struct table_build b = { .alias = true, .fold = true, .ascii = !utf8 };

	if (colon == spec.n) {
		b.type = default_type;
		b.path = mem_span_text(spec);
	} else {
		b.type = mem_span_text(span_take(spec, colon));
		b.path = mem_span_text(span_skip(spec, colon + 1));
	}
	if (table_can_build(b.type) && *b.path != '\0')
		return build(&b);
	/* what has no database needs no building: texthash, ldap... */
	log_warning("alias_database: %.*s: unsupported map type for this "
		    "operation",
	    SPAN_ARG(spec));
	return *b.path != '\0';
}

int
main(int argc, char **argv)
{
	const char *config = NULL;
	struct conf *c;
	struct span rest;
	struct span spec;
	int option;
	bool good = true;
	bool utf8;

	log_open_stderr("newaliases");
	umask(022);
	while ((option = getopt(argc, argv, "c:")) != -1) {
		if (option != 'c')
			fatal_status(EX_USAGE,
			    "usage: newaliases [-c config_dir]");
		config = optarg;
	}
	if (argv[optind] != NULL)
		fatal_status(EX_USAGE,
		    "alias initialization mode requires no recipient");
	c = table_tool_settings(config);
	utf8 = conf_is_yes(c, "smtputf8_enable");
	rest = span_of(conf_value(c, "alias_database"));
	while (conf_list_next(&rest, &spec))
		good &= build_one(spec, conf_value(c, "default_database_type"),
		    utf8);
	conf_free(&c);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
