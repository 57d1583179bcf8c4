/* SPDX-License-Identifier: ISC */
#include "local/exit_status.h"

#include <sys/wait.h>
#include <sysexits.h>

#include "lib/base/span.h"
#include "lib/mail/reply.h"

static const struct meaning {
	int code;
	const char *dsn;
	const char *text;
} meanings[] = {
	{ EX_USAGE, "5.3.0", "command line usage error" },
	{ EX_DATAERR, "5.6.0", "data format error" },
	{ EX_NOINPUT, "5.3.0", "cannot open input" },
	{ EX_NOUSER, "5.1.1", "user unknown" },
	{ EX_NOHOST, "5.1.2", "host name unknown" },
	{ EX_UNAVAILABLE, "5.3.0", "service unavailable" },
	{ EX_SOFTWARE, "5.3.0", "internal software error" },
	{ EX_OSERR, "4.3.0", "system resource problem" },
	{ EX_OSFILE, "5.3.0", "critical OS file missing" },
	{ EX_CANTCREAT, "5.2.0", "can't create user output file" },
	{ EX_IOERR, "4.3.0", "input/output error" },
	{ EX_TEMPFAIL, "4.3.0", "temporary failure" },
	{ EX_PROTOCOL, "5.5.0", "remote error in protocol" },
	{ EX_NOPERM, "5.7.0", "permission denied" },
	{ EX_CONFIG, "5.3.5", "local configuration error" },
};

/* "5.1.1 no such user here" as the command's own words. */
static bool
from_output(const char *output, struct why *why, enum verdict *v)
{
	struct span rest = span_trim(span_of(output));
	char dsn[WHY_DSN_MAX];

	if (!reply_take_dsn(&rest, dsn) || (dsn[0] != '4' && dsn[0] != '5'))
		return false;
	if (rest.n == 0)
		rest = SPAN("unspecified reason");
	*v = why_set(why, dsn, "%.*s", SPAN_ARG(rest));
	return true;
}

enum verdict
exit_status_verdict(int status, const char *command, const char *output,
    struct why *why)
{
	const char *also = output[0] != '\0' ? ". Command output: " : "";
	enum verdict v;

	if (WIFSIGNALED(status))
		return why_set(why, "4.3.0",
		    "Command died with signal %d: "
		    "\"%s\"%s%s",
		    WTERMSIG(status), command, also, output);
	if (WEXITSTATUS(status) == 0)
		return OK;
	if (from_output(output, why, &v))
		return v;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].code == WEXITSTATUS(status))
			return why_set(why, meanings[i].dsn, "%s%s%s",
			    meanings[i].text, also, output);
	return why_set(why, "5.3.0", "Command died with status %d: \"%s\"%s%s",
	    WEXITSTATUS(status), command, also, output);
}
