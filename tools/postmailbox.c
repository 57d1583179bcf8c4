/* SPDX-License-Identifier: ISC */
/*
 * postmailbox - look at a mailbox as the mail store sees it, or make its index
 * anew.
 *
 * SECURITY: for administrators and for people's own mail. As root it becomes
 * the mailbox's owner before it looks at any of his files, which may hold
 * anything and lie in any way. What it prints has no control characters.
 */
#include "tools/postmailbox.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/store/mail_account_location.h"

static void
usage(void)
{
	fputs("usage: postmailbox [-c config_dir] [-s separator]"
	      " check|rebuild user|location\n",
	    stderr);
	exit(EX_USAGE);
}

/* Without an account it is the directory's owner. */
static void
find_owner(struct postmailbox *p)
{
	struct mail_location at;
	struct stat st;
	struct why why;

	if (p->has_owner)
		return;
	if (!mail_location_parse(p->location, &at, &why))
		fatal_status(EX_USAGE, "%s", why.text);
	if (stat(at.path, &st) != 0)
		fatal_status(EX_NOINPUT, "%s: %s", at.path, strerror(errno));
	p->uid = st.st_uid;
	p->gid = st.st_gid;
	p->has_owner = true;
	mail_location_fini(&at);
}

static void
become_owner(struct postmailbox *p)
{
	gid_t gid;

	if (geteuid() != 0)
		return;
	find_owner(p);
	gid = (gid_t)p->gid;
	if (p->uid == 0)
		return;
	if (setgroups(1, &gid) != 0 || setgid(gid) != 0 ||
	    setuid((uid_t)p->uid) != 0)
		fatal_status(EX_OSERR, "cannot become the mailbox's owner: %s",
		    strerror(errno));
}

static const struct {
	const char *name;
	int (*run)(const struct postmailbox *p);
} actions[] = {
	{ "check", postmailbox_check },
	{ "rebuild", postmailbox_rebuild },
};

int
main(int argc, char **argv)
{
	struct postmailbox p = { 0 };
	const char *config = NULL;
	int option;

	log_open_stderr("postmailbox");
	while ((option = getopt(argc, argv, "c:s:")) != -1) {
		if (option == 'c')
			config = optarg;
		else if (option == 's' && strlen(optarg) == 1 &&
		    strchr("/.", optarg[0]) != NULL)
			p.separator = optarg[0];
		else
			usage();
	}
	if (argc - optind != 2)
		usage();
	if (strchr(argv[optind + 1], ':') != NULL)
		p.location = argv[optind + 1];
	else
		postmailbox_account(config, argv[optind + 1], &p);
	if (p.separator == '\0')
		p.separator = '/';
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (strcmp(argv[optind], actions[i].name) == 0) {
			become_owner(&p);
			return actions[i].run(&p);
		}
	usage();
}
