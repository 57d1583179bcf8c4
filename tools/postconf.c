/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: postconf(1) runs as whoever calls it, with no rights beyond that.
 * It reads the configuration of the caller's choice and, for -e and its like,
 * writes it where the caller may. Nothing it reads comes from strangers.
 */
#include "tools/postconf.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "tools/postconf_manual.h"

/* What it is about; one of them. In the order that complaints name them. */
static const char modes[] = "aAbFlmMpPtT";
/* What is done with it. */
static const char modifiers[] = "defhHnoxX#";
/* Modifiers that a mode takes; the others take none. */
static const char *const taken[128] = { ['p'] = "defhHnoxX#",
	['M'] = "efoxX#",
	['F'] = "efhHox",
	['P'] = "efhHoxX" };
/* Modifiers that exclude each other: the first with any of the rest. */
static const char *const rivals[] = { "edfhHnoxX#", "XdefhHnox#", "#defhHnoxX",
	"dno", "hH" };

struct options {
	bool given[128];
	char mode;
	const char *directory;
	const char *tls;
	char **overrides;
	size_t count;
	enum postconf_manual manual;
};

static void
usage(void)
{
	fatal_status(1,
	    "usage: postconf [-dfhHnopqvx] [-c directory] [-C class,...] "
	    "[-o name=value] [name ...] | [-e] name=value ... | "
	    "-X name ... | -# name ... | -M|-F|-P [-efhHoqvxX#] "
	    "[service[/type[/item]][=value] ...] | -a | -A | -b [file] | -l | "
	    "-m | -t [file] | "
	    "-T compile-version|run-version|public-key-algorithms | "
	    "--manual | --html | --sample");
}

/* Two that exclude each other, named in the order of the list. */
static void
refuse_both(const char *order, char one, char other)
{
	bool swap = strchr(order, one) > strchr(order, other);
	char first = swap ? other : one, second = swap ? one : other;

	if (first == 'b' && second == 't')
		fatal_status(1, "specify one of -b and -t");
	fatal_status(1, "specify one of -%c -%c", first, second);
}

static void
take_mode(struct options *o, char mode)
{
	if (o->mode != '\0' && o->mode != mode)
		refuse_both(modes, o->mode, mode);
	o->mode = mode;
}

static void
check_options(const struct options *o)
{
	const char *allowed = taken[(int)o->mode] ? taken[(int)o->mode] : "";

	for (const char *m = modifiers; *m != '\0'; m++)
		if (o->given[(int)*m] && strchr(allowed, *m) == NULL)
			fatal_status(1, "with option -%c, do not specify -%c",
			    o->mode, *m);
	for (size_t i = 0; i < sizeof(rivals) / sizeof(rivals[0]); i++)
		for (const char *m = rivals[i] + 1; *m != '\0'; m++)
			if (o->given[(int)rivals[i][0]] && o->given[(int)*m])
				refuse_both(modifiers, rivals[i][0], *m);
}

static unsigned int
classes_of(const char *list)
{
	static const struct {
		const char *name;
		unsigned int class;
	} names[] = { { "builtin", CLASS_BUILTIN },
		{ "service", CLASS_SERVICE }, { "user", CLASS_USER },
		{ "all", CLASS_ALL } };
	struct span rest = span_of(list), item;
	unsigned int classes = 0;

	while (span_cut(&rest, ", \t", true, &item)) {
		size_t i = 0, n = sizeof(names) / sizeof(names[0]);

		while (i < n && !span_is_nocase(item, names[i].name))
			i++;
		if (i == n)
			fatal_status(1,
			    "unknown -C option value \"%.*s\" in \"%s\"",
			    SPAN_ARG(item), list);
		classes |= names[i].class;
	}
	return classes;
}

static void
take_override(struct options *o, char *assignment)
{
	o->overrides =
	    mem_resize(o->overrides, (o->count + 1) * sizeof(*o->overrides));
	o->overrides[o->count++] = assignment;
	o->given['o'] = true;
}

/* The arguments behind the options. */
static char **
take_options(struct options *o, struct postconf *p, int argc, char **argv)
{
	static const struct option longer[] = { { "manual", no_argument, NULL,
						    256 + POSTCONF_MANUAL },
		{ "html", no_argument, NULL, 256 + POSTCONF_HTML },
		{ "sample", no_argument, NULL, 256 + POSTCONF_SAMPLE },
		{ NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv,
		    "+aAbc:C:deEfFhHlmMno:pPqtT:vxX#", longer, NULL)) != -1) {
		if (option >= 256)
			o->manual = (enum postconf_manual)(option - 256);
		else if (option == '?' || option == 'E')
			usage();
		else if (option == 'c')
			o->directory = optarg;
		else if (option == 'C')
			p->classes = classes_of(optarg);
		else if (option == 'o')
			take_override(o, optarg);
		else if (strchr(modes, option) != NULL)
			take_mode(o, (char)option);
		else
			o->given[option] = true;
		if (option == 'T')
			o->tls = optarg;
	}
	return argv + optind;
}

static void
apply(const struct options *o, struct postconf *p)
{
	bool *const flags[128] = { ['n'] = &p->changed_only,
		['d'] = &p->defaults,
		['x'] = &p->expand,
		['f'] = &p->fold,
		['h'] = &p->no_name,
		['H'] = &p->no_value,
		['q'] = &p->quiet,
		['v'] = &p->verbose,
		['e'] = &p->edit,
		['X'] = &p->remove,
		['#'] = &p->comment };

	for (int i = 0; i < 128; i++)
		if (flags[i] != NULL)
			*flags[i] = o->given[i];
}

static void
change_files(struct postconf *p, char mode, char **arguments)
{
	if (*arguments == NULL)
		fatal_status(1, "%s",
		    p->edit ? "-e requires name=value argument" :
			      "missing service argument");
	if (mode == 'p')
		postconf_edit(p, arguments);
	else
		postconf_master_edit(p, mode, arguments);
}

static void
show_files(struct postconf *p, const struct options *o, char **arguments)
{
	postconf_load(p, o->overrides, o->count);
	postconf_load_rows(p, o->mode != 'p');
	postconf_names_init(p);
	if (o->mode == 'p')
		postconf_list(p, arguments);
	else
		postconf_master(p, o->mode, arguments);
}

static int
run(struct postconf *p, const struct options *o, char **arguments)
{
	if (o->manual != POSTCONF_NONE) {
		postconf_manual(o->manual, &p->out);
	} else if (o->mode == 'T') {
		if (!postconf_tls(p, o->tls))
			return 1;
	} else if (strchr("bt", o->mode) != NULL) {
		postconf_load(p, NULL, 0);
		postconf_bounce(p, o->mode == 'b', *arguments);
	} else if (strchr("aAlm", o->mode) != NULL) {
		postconf_kinds(p, o->mode);
	} else if (p->edit || p->remove || p->comment) {
		change_files(p, o->mode, arguments);
	} else {
		show_files(p, o, arguments);
	}
	postconf_flush(p);
	return 0;
}

int
main(int argc, char **argv)
{
	struct options o = { .manual = POSTCONF_NONE };
	struct postconf p;
	char **arguments;
	int status;

	log_open_stderr("postconf");
	postconf_init(&p);
	arguments = take_options(&o, &p, argc, argv);
	if (o.mode == '\0')
		o.mode = 'p';
	/* "name=value" without -e means the same as with it */
	if (strchr("pMFP", o.mode) != NULL && arguments[0] != NULL &&
	    strchr(arguments[0], '=') != NULL)
		o.given['e'] = true;
	check_options(&o);
	apply(&o, &p);
	p.directory = conf_find_directory(o.directory);
	status = run(&p, &o, arguments);
	postconf_fini(&p);
	free(o.overrides);
	return status;
}
