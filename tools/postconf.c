/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: postconf(1) runs as whoever calls it, with no rights beyond that.
 * It reads the configuration of the caller's choice and, for -e and its like,
 * writes it where the caller may. Nothing it reads comes from strangers.
 */
#include "tools/postconf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/conf/conf_parts.h"
#include "lib/log/log.h"
#include "lib/table/table.h"

static void
usage(void)
{
	fatal_status(EX_USAGE,
	    "usage: postconf [-dfhHnopqxX#e] [-c directory] "
	    "[-o name=value] [name ...] | -e name=value ... | "
	    "-X name ... | -# name ... | [-efhHX#] -M|-F|-P [service[/type"
	    "[/item]][=value] ...] | -a | -A | -l | -m");
}

static void
warn_lines(const char *directory, const struct buf *lines)
{
	struct span rest = buf_span(lines), line;

	while (span_cut(&rest, "\n", true, &line))
		log_warning("%s/%.*s", directory, SPAN_ARG(line));
}

/* Defaults can be shown without a main.cf. */
static void
load(struct postconf *p)
{
	struct buf errors = BUF_INIT(1 << 20), warnings = BUF_INIT(1 << 20);

	p->conf =
	    p->defaults ? NULL : conf_read(p->directory, &errors, &warnings);
	if (p->conf == NULL && !p->defaults)
		fatal_status(EX_NOINPUT, "%.*s",
		    SPAN_ARG(span_trim(buf_span(&errors))));
	if (p->conf == NULL)
		p->conf = conf_new(p->directory);
	if (!p->quiet) {
		warn_lines(p->directory, &errors);
		warn_lines(p->directory, &warnings);
	}
	buf_fini(&errors);
	buf_fini(&warnings);
}

static void
override(struct postconf *p, char **assignments, size_t count)
{
	struct buf error = BUF_INIT(4096);

	for (size_t i = 0; i < count; i++)
		if (!conf_override(p->conf, assignments[i], &error))
			fatal_status(EX_USAGE, "%.*s",
			    SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
}

/* "name=value" without -e means the same as with it. */
static bool
is_assignment(char **arguments)
{
	return arguments[0] != NULL && strchr(arguments[0], '=') != NULL;
}

static void
flag(struct postconf *p, int option)
{
	bool *const flags[128] = { ['n'] = &p->changed_only,
		['d'] = &p->defaults,
		['x'] = &p->expand,
		['f'] = &p->fold,
		['h'] = &p->no_name,
		['H'] = &p->no_value,
		['q'] = &p->quiet,
		['e'] = &p->edit,
		['X'] = &p->remove,
		['#'] = &p->comment };

	*flags[option] = true;
}

static void
print_name(void *with, const char *name)
{
	(void)with;
	puts(name);
}

/* What kinds of things this was built with. */
static void
print_kinds(char mode)
{
	if (mode == 'l')
		puts("dotlock\nfcntl\nflock");
	else if (mode == 'm')
		table_types(print_name, NULL);
	else /* SASL implementations, of the server and the client */
		puts("cyrus");
}

int
main(int argc, char **argv)
{
	struct postconf p = { 0 };
	const char *directory = NULL;
	char **assignments = NULL, mode = '=';
	size_t count = 0;
	int option;

	log_open_stderr("postconf");
	while ((option = getopt(argc, argv, "#aAc:defFhHlmMno:pPqvxX")) != -1) {
		if (option == '?')
			usage();
		else if (option == 'c')
			directory = optarg;
		else if (strchr("aAFlmMP", option) != NULL)
			mode = (char)option;
		else if (option == 'o') {
			assignments = mem_resize(assignments,
			    (count + 1) * sizeof(*assignments));
			assignments[count++] = optarg;
		} else if (strchr("pv", option) == NULL)
			flag(&p, option);
	}
	argv += optind;
	p.directory = conf_find_directory(directory);
	if (strchr("aAlm", mode) != NULL) {
		print_kinds(mode);
		return 0;
	}
	if (!p.remove && !p.comment && is_assignment(argv))
		p.edit = true;
	if ((p.edit || p.remove || p.comment) && *argv == NULL)
		usage();
	load(&p);
	override(&p, assignments, count);
	if (mode != '=')
		postconf_master(&p, mode, argv);
	else if (p.edit || p.remove || p.comment)
		postconf_edit(&p, argv);
	else
		postconf_list(&p, argv);
	conf_free(&p.conf);
	free(assignments);
	if (fflush(stdout) != 0 || ferror(stdout))
		fatal_status(EX_IOERR, "standard output: write error");
	return p.status;
}
