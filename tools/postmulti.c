/* SPDX-License-Identifier: ISC */
/*
 * postmulti - several instances of the suite on one machine.
 *
 * SECURITY: for root (or the user of a private instance); no extra rights.
 * It believes the main.cf of each instance that the primary one names.
 * Commands are run without a shell.
 */
#include "tools/postmulti.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

struct command_line {
	struct edit_request edit;
	char mode; /* e, l, p or x */
	const char *action; /* of -e */
	unsigned int modes;
	unsigned int choices; /* of -a, -g, -i */
	bool reverse;
};

noreturn static void
usage(void)
{
	fprintf(stderr,
	    "usage: postmulti -l [-aRv] [-g group] [-i instance]\n"
	    "       postmulti -p [-av] [-g group] [-i instance] action...\n"
	    "       postmulti -x [-aRv] [-g group] [-i instance] command...\n"
	    "       postmulti -e action [-av] [-g group] [-i instance] "
	    "[-G group] [-I name] [name=value...]\n");
	exit(EXIT_FAILURE);
}

static void
option(struct command_line *l, int c, const char *value)
{
	switch (c) {
	case 'e':
		l->action = value;
		/* FALLTHROUGH */
	case 'l':
	case 'p':
	case 'x':
		l->mode = (char)c;
		l->modes++;
		break;
	case 'a':
		l->edit.first = true;
		l->choices++;
		break;
	case 'g':
		l->edit.choice.group = value;
		l->choices++;
		break;
	case 'i':
		l->edit.choice.name = value;
		l->choices++;
		break;
	case 'G':
		l->edit.new_group = value;
		break;
	case 'I':
		l->edit.new_name = value;
		break;
	case 'R':
		l->reverse = true;
		break;
	case 'v':
		log_threshold(LEVEL_DEBUG);
		break;
	default:
		usage();
	}
}

static void
read_command_line(struct command_line *l, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+ae:g:i:G:I:lpRvx")) != -1)
		option(l, c, optarg);
	l->edit.words = argv + optind;
}

static void
check_command_line(const struct command_line *l)
{
	bool words = l->edit.words[0] != NULL;

	if (l->modes != 1)
		fatal_status(EXIT_FAILURE,
		    "Specify exactly one of '-e', '-l', '-p', '-x'");
	if (l->choices > 1)
		fatal_status(EXIT_FAILURE,
		    "Specify no more than one of '-a', '-g', '-i'");
	if (l->reverse && (l->mode == 'p' || l->mode == 'e'))
		fatal_status(EXIT_FAILURE,
		    "The '-p' and '-e' options preclude the use of '-R'");
	if (l->mode != 'e' &&
	    (l->edit.new_name != NULL || l->edit.new_group != NULL))
		fatal_status(EXIT_FAILURE,
		    "Cannot assign instance name or group without '-e assign'");
	if (l->mode == 'l' && words)
		fatal_status(EXIT_FAILURE, "Command not allowed with '-l'");
	if ((l->mode == 'p' || l->mode == 'x') && !words)
		fatal_status(EXIT_FAILURE,
		    "Command required with '-p' or '-x' option");
}

/*
 * The primary instance is that of the built-in configuration directory, or
 * the one of MAIL_CONFIG, unless that is a secondary one itself.
 */
static const char *
primary_directory(void)
{
	const char *builtin = conf_builtin_directory();
	const char *asked = conf_find_directory(NULL);
	struct instances all = { 0 };
	char *path;

	if (strcmp(asked, builtin) == 0)
		return mem_text(asked);
	path = mem_printf("%s/main.cf", builtin);
	if (access(path, R_OK) == 0)
		instances_load(&all, builtin);
	for (size_t i = 1; i < all.count; i++)
		if (strcmp(all.list[i].directory, asked) == 0)
			fatal_status(EXIT_FAILURE,
			    "Non-default configuration directory: "
			    "MAIL_CONFIG=%s",
			    asked);
	free(path);
	return mem_text(asked);
}

int
main(int argc, char **argv)
{
	struct command_line l = { 0 };
	struct instances all = { 0 };
	bool fine;
	int status;

	log_open_stderr("postmulti");
	umask(022);
	if (getenv("MAIL_VERBOSE") != NULL)
		log_threshold(LEVEL_DEBUG);
	read_command_line(&l, argc, argv);
	check_command_line(&l);
	instances_load(&all, primary_directory());
	if (l.mode == 'e')
		return multi_edit(&all, l.action, &l.edit);
	fine = instances_tell(&all, &l.edit.choice);
	if (l.mode == 'l')
		status = multi_list(&all, &l.edit.choice, l.reverse);
	else if (l.mode == 'x')
		status =
		    multi_run(&all, &l.edit.choice, l.reverse, l.edit.words);
	else
		status = multi_control(&all, &l.edit.choice, l.edit.words);
	return fine ? status : EXIT_FAILURE;
}
