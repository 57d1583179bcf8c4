/* SPDX-License-Identifier: ISC */
#ifndef TOOLS_SENDMAIL_OPTIONS_H
#define TOOLS_SENDMAIL_OPTIONS_H

/* The command line of sendmail, mailq and newaliases. */

#include <stdbool.h>
#include <stddef.h>

enum sendmail_mode {
	MODE_ENQUEUE, /* -bm, -t */
	MODE_VERIFY, /* -bv */
	MODE_SMTP, /* -bs */
	MODE_LIST, /* -bp, mailq */
	MODE_ALIASES, /* -bi, -I, newaliases */
	MODE_DAEMON, /* -bd, -bl */
	MODE_FLUSH, /* -q */
	MODE_FLUSH_SITE, /* -qR */
	MODE_FLUSH_ID, /* -qI */
	MODE_NOTHING, /* -q30m, -bh and others of old: nothing to do */
};

struct sendmail_options {
	enum sendmail_mode mode;
	const char *config; /* -C, NULL */
	const char *sender; /* -f, -r; NULL: the user */
	const char *full_name; /* -F, NULL */
	const char *envid; /* -V */
	const char *flush; /* site or id */
	unsigned int notify; /* -N, enum dsn_notify */
	unsigned int ret; /* -R */
	unsigned int body; /* -B */
	bool extract; /* -t */
	bool ignore_dots; /* -i */
	bool trace; /* -v */
	bool gateway; /* -G */
	char **recipients; /* NULL at the end */
};

/* "mailq", "newaliases" or "sendmail", from argv[0]. */
const char *sendmail_program_name(const char *path);
/* Ends the command with EX_USAGE where it is not understood. */
void
sendmail_options_parse(int argc, char **argv, struct sendmail_options *out);

#endif
