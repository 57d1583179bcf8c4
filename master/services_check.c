/* SPDX-License-Identifier: ISC */
#include "master/services_check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/service/status_page.h"
#include "master/complain.h"

struct checking {
	const struct master_entry *e;
	const struct program *program;
	const struct common_params *common;
	struct buf *errors;
	struct buf *warnings;
};

/* The value of "name=" among the words behind the command; NULL: not there. */
static const char *
attribute(const struct master_entry *e, const char *name)
{
	size_t n = strlen(name);

	for (char **a = e->arguments; *a != NULL; a++) {
		if (strncmp(*a, name, n) == 0)
			return *a + n;
		if (strncmp(*a, "argv=", 5) == 0)
			break; /* what follows is the command's */
	}
	return NULL;
}

/*
 * user=NAME[:GROUP]; the command runs as that one, never as root or the
 * queue's owner. Distributions ship lines for programs, and users, that are
 * not there: no error as long as nobody sends mail there.
 */
static void
check_user(const struct checking *k, const char *value)
{
	size_t n = strcspn(value, ":");
	char *name = mem_span_text((struct span){ value, n });
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		complain_service(k->warnings, k->e,
		    "pipe: user=: there is no user \"%s\"", name);
	else if (user->pw_uid == 0)
		complain_service(k->errors, k->e,
		    "pipe: user= must not be root");
	else if (strcmp(name, k->common->mail_owner) == 0)
		complain_service(k->errors, k->e,
		    "pipe: user= must not be the owner of the queue, %s", name);
	if (value[n] == ':' && getgrnam(value + n + 1) == NULL)
		complain_service(k->warnings, k->e,
		    "pipe: user=: there is no group \"%s\"", value + n + 1);
	free(name);
}

static void
check_command(const struct checking *k, const char *value)
{
	char **a = k->e->arguments;

	while (strncmp(*a, "argv=", 5) != 0)
		a++;
	if (value[0] == '\0') /* argv= /path/of/command */
		value = a[1] != NULL ? a[1] : "";
	if (value[0] == '\0')
		complain_service(k->errors, k->e, "pipe: argv= is empty");
	else if (value[0] == '/' && attribute(k->e, "chroot=") == NULL &&
	    access(value, X_OK) < 0)
		complain_service(k->warnings, k->e, "pipe: %s: %s", value,
		    strerror(errno));
}

static void
check_attributes(const struct checking *k)
{
	static const char *const known[] = { "chroot=", "directory=", "eol=",
		"flags=", "null_sender=", "size=", "user=" };

	for (char **a = k->e->arguments;
	     *a != NULL && strncmp(*a, "argv=", 5) != 0; a++) {
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found |= strncmp(*a, known[i], strlen(known[i])) == 0;
		if (!found)
			complain_service(k->errors, k->e,
			    "pipe: there is no attribute \"%s\"", *a);
	}
}

static void
check_flags(const struct checking *k)
{
	const char *flags = attribute(k->e, "flags=");
	size_t fine = flags == NULL ? 0 : strspn(flags, MASTER_PIPE_FLAGS);

	if (flags != NULL && flags[fine] != '\0')
		complain_service(k->errors, k->e,
		    "pipe: flags=: there is no flag \"%c\"", flags[fine]);
}

static void
check_pipe(const struct checking *k)
{
	const char *user = attribute(k->e, "user=");
	const char *command = attribute(k->e, "argv=");

	check_attributes(k);
	check_flags(k);
	if (user == NULL)
		complain_service(k->errors, k->e, "pipe: user= is missing");
	else
		check_user(k, user);
	if (command == NULL)
		complain_service(k->errors, k->e, "pipe: argv= is missing");
	else
		check_command(k, command);
}

/* Postfix's programs end where there are words that they do not take. */
static void
check_words(const struct checking *k)
{
	for (char **a = k->e->arguments; *a != NULL; a++) {
		const char *v = *a + 1 + strspn(*a + 1, "v");

		if (**a == '-' && (*v == '\0' || strcmp(*a, "-D") == 0))
			continue;
		complain_service(k->errors, k->e,
		    **a == '-' ?
			"\"%s\": there is no such option" :
			"\"%s\" belongs to no option: a value has no blanks, "
			"or stands in braces: -o { name = value }",
		    *a);
	}
}

/* Each of these owns something: the queue, the maildrop, the log. */
static void
check_maxproc(const struct checking *k)
{
	if (k->program->style == SERVICE_OWN && k->e->maxproc != 1)
		complain_service(k->errors, k->e,
		    "maxproc must be 1: there is one %s only",
		    k->program->name);
	else if (k->program->style != SERVICE_TASKS &&
	    k->e->maxproc > PROCESSES_MAX)
		complain_service(k->warnings, k->e,
		    "maxproc %lld: %d processes at most are started",
		    (long long)k->e->maxproc, PROCESSES_MAX);
}

/* Others start when somebody connects; qmgr looks around by itself. */
static void
check_wakeup(const struct checking *k)
{
	bool pickup = strcmp(k->program->name, "pickup") == 0;

	if (pickup && k->e->wakeup_s == 0)
		complain_service(k->warnings, k->e,
		    "without a wakeup time mail whose notice was lost waits "
		    "in maildrop until other mail comes");
	else if (k->e->type == SERVICE_INET && k->e->wakeup_s > 0)
		complain_service(k->errors, k->e,
		    "an inet service is woken by its clients: no wakeup time "
		    "is possible");
	else if (k->program->style != SERVICE_OWN && k->e->wakeup_s > 0)
		complain_service(k->warnings, k->e,
		    "a wakeup time has no use for %s", k->program->name);
}

void
services_check(const struct master_entry *e, const struct program *program,
    const struct common_params *common, struct buf *errors,
    struct buf *warnings)
{
	const struct checking k = { e, program, common, errors, warnings };

	if (strcmp(e->command, "pipe") == 0)
		check_pipe(&k);
	else
		check_words(&k);
	check_maxproc(&k);
	check_wakeup(&k);
}
