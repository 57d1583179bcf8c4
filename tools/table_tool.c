/* SPDX-License-Identifier: ISC */
#include "tools/table_tool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

struct conf *
table_tool_settings(const char *directory)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c =
	    conf_read(conf_find_directory(directory), &errors, NULL);

	if (c == NULL)
		fatal_lines(TABLE_TOOL_NONE, buf_text(&errors));
	buf_fini(&errors);
	return c;
}

static noreturn void
usage(enum table_tool_kind kind)
{
	fatal_status(TABLE_TOOL_NONE,
	    kind == TABLE_TOOL_ALIAS ?
		"usage: postalias [-Nfijnoprsuvw] [-c config_dir] [-d key] "
		"[-q key] [map_type:]file..." :
		"usage: postmap [-NbfFhijmnoprsuUvw] [-c config_dir] "
		"[-d key] [-q key] [map_type:]file...");
}

/* Options without an argument, and what they set; -r and -w end each other. */
static const struct {
	char letter;
	size_t where;
	bool value;
} switches[] = {
	{ 'F', offsetof(struct table_wishes, contents), true },
	{ 'N', offsetof(struct table_wishes, build.null_bytes), true },
	{ 'U', offsetof(struct table_wishes, force_utf8), true },
	{ 'b', offsetof(struct table_wishes, bodies), true },
	{ 'f', offsetof(struct table_wishes, build.fold), false },
	{ 'h', offsetof(struct table_wishes, headers), true },
	{ 'i', offsetof(struct table_wishes, build.add), true },
	{ 'j', offsetof(struct table_wishes, json), true },
	{ 'm', offsetof(struct table_wishes, mime), true },
	{ 'n', offsetof(struct table_wishes, build.null_bytes), false },
	{ 'o', offsetof(struct table_wishes, keep_root), true },
	{ 'p', offsetof(struct table_wishes, build.plain_mode), true },
	{ 'r', offsetof(struct table_wishes, build.replace), true },
	{ 'r', offsetof(struct table_wishes, build.quiet), false },
	{ 's', offsetof(struct table_wishes, sequence), true },
	{ 'u', offsetof(struct table_wishes, build.ascii), true },
	{ 'w', offsetof(struct table_wishes, build.quiet), true },
	{ 'w', offsetof(struct table_wishes, build.replace), false },
};

static bool
turn_switch(struct table_wishes *w, int letter)
{
	bool known = false;

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (switches[i].letter == letter) {
			*(bool *)((char *)w + switches[i].where) =
			    switches[i].value;
			known = true;
		}
	return known;
}

static void
parse_option(struct table_wishes *w, int option)
{
	switch (option) {
	case 'c':
		w->config = optarg;
		break;
	case 'd':
		w->remove = optarg;
		break;
	case 'q':
		w->query = optarg;
		break;
	case 'v':
		log_threshold(LEVEL_DEBUG);
		break;
	default:
		if (!turn_switch(w, option))
			usage(w->kind);
	}
}

static void
check_wishes(struct table_wishes *w)
{
	bool message = w->headers || w->bodies;

	if ((w->query != NULL) + (w->remove != NULL) + w->sequence > 1)
		fatal_status(TABLE_TOOL_NONE,
		    "specify only one of -s -q or -d");
	if ((message || w->mime) &&
	    (w->query == NULL || strcmp(w->query, "-") != 0))
		fatal_status(TABLE_TOOL_NONE,
		    "specify -b -h or -m only with \"-q -\"");
	if (w->json && w->query == NULL && !w->sequence)
		fatal_status(TABLE_TOOL_NONE, "specify -j only with -q or -s");
	if (w->mime && !message)
		log_warning("ignoring -m option without -b or -h");
	/* headers and bodies are bytes, and not always of UTF-8 */
	if (message && !w->force_utf8)
		w->build.ascii = true;
	w->build.from_input = w->build.add;
	w->build.contents = w->contents;
}

/*
 * Takes what is set in main.cf: is there UTF-8, and the type of each table
 * that is named without one.
 */
static void
apply_settings(struct table_wishes *w, char **specs, size_t count)
{
	struct conf *c = table_tool_settings(w->config);
	const char *type = conf_value(c, "default_database_type");

	if (!conf_is_yes(c, "smtputf8_enable"))
		w->build.ascii = true;
	for (size_t i = 0; i < count; i++)
		if (strchr(specs[i], ':') == NULL)
			specs[i] = mem_printf("%s:%s", type, specs[i]);
	table_main_settings(c);
}

int
table_tool_main(int argc, char **argv, enum table_tool_kind kind)
{
	bool alias = kind == TABLE_TOOL_ALIAS;
	struct table_wishes w = {
		.kind = kind,
		.build = { .fold = true, .alias = alias },
	};
	char **specs;
	size_t count;
	int option;

	log_open_stderr(alias ? "postalias" : "postmap");
	umask(022);
	while ((option = getopt(argc, argv,
		    alias ? "Nc:d:fijnopq:rsuvw" :
			    "FNUbc:d:fhijmnopq:rsuvw")) != -1)
		parse_option(&w, option);
	specs = argv + optind;
	count = (size_t)(argc - optind);
	check_wishes(&w);
	if (count == 0)
		usage(kind);
	apply_settings(&w, specs, count);
	if (w.query != NULL)
		return table_tool_query(&w, specs, count);
	if (w.remove != NULL)
		return table_tool_remove(&w, specs, count);
	if (w.sequence)
		return table_tool_list(&w, specs, count);
	return table_tool_make(&w, specs, count);
}
