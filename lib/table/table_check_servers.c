/* SPDX-License-Identifier: ISC */
/*
 * SECURITY. The child is forked with the rights of master, opens the tables,
 * becomes the user whose they are (the table user, or for accounts the auth
 * user; one child for each), and only then speaks to servers. What it reports
 * is text for a person, and nothing else.
 */
#include "lib/table/table_check_servers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"
#include "lib/table/loaded.h"
#include "lib/table/table.h"
#include "lib/table/table_settings.h"

enum { REPORT_MAX = 1 << 20, PARSE_MS = 5000 };

struct noted {
	struct noted *next;
	char *origin;
	char *setting;
	char *spec;
	const char *user; /* the setting that names who asks */
	bool gives_rights;
	struct table *table; /* in the child */
	bool judged;
};

/* From the first check of a configuration to its end. */
static struct noted *noted;

/*
 * Who may put a user's name there, or a command, decides over rights. Where
 * others than virtual deliver, mailboxes are a list of who exists.
 */
static bool
gives_rights(struct conf *c, const char *setting)
{
	static const char mailboxes[] = "virtual_mailbox_maps";
	struct span transport = span_of(conf_value(c, "virtual_transport"));
	static const char *const settings[] = { "account_files",
		"account_master_files", "alias_maps", "fallback_transport_maps",
		"mailbox_command_maps", "mailbox_transport_maps",
		"virtual_gid_maps", "virtual_uid_maps" };

	if (strcmp(setting, mailboxes) == 0)
		return span_is(span_take(transport, span_find(transport, ':')),
		    "virtual");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcmp(setting, settings[i]) == 0)
			return true;
	return false;
}

/* Settings that name who asks. */
static const char *const users[] = { "table_user", "server_user" };

static const char *
user_of(const char *setting)
{
	return users[strncmp(setting, "account_", 8) == 0];
}

void
table_check_later(struct conf *c, const char *setting, struct span spec)
{
	bool rights = gives_rights(c, setting);
	struct noted **at = &noted;

	while (*at != NULL &&
	    (!span_is(spec, (*at)->spec) || (*at)->user != user_of(setting) ||
		(*at)->gives_rights != rights))
		at = &(*at)->next;
	if (*at != NULL)
		return;
	*at = mem_new(sizeof(**at));
	(*at)->origin = mem_text(conf_origin(c, setting));
	(*at)->setting = mem_text(setting);
	(*at)->spec = mem_span_text(spec);
	(*at)->user = user_of(setting);
	(*at)->gives_rights = rights;
}

static void
forget_all(void)
{
	while (noted != NULL) {
		struct noted *next = noted->next;

		free(noted->origin);
		free(noted->setting);
		free(noted->spec);
		free(noted);
		noted = next;
	}
}

/* One line: the number of the table, a letter, and why. */
static void
report(int to, size_t index, char kind, const char *why)
{
	struct buf line = BUF_INIT(4096);

	buf_printf(&line, "%zu %c ", index, kind);
	for (const char *p = why; *p != '\0' && line.n < 2048; p++)
		buf_add_char(&line, (unsigned char)*p < ' ' ? ' ' : *p);
	buf_add_char(&line, '\n');
	(void)fd_write_all(to, line.p, line.n);
	buf_fini(&line);
}

/* As those open it who read it. */
static unsigned int
flags_of(const struct noted *n)
{
	return (n->gives_rights ? TABLE_NO_SUBSTITUTION : 0) |
	    (strcmp(n->setting, "alias_maps") == 0 ? TABLE_ALIASES : 0);
}

static void
open_all(int to, const char *user)
{
	struct buf why = BUF_INIT(4096);
	size_t i = 0;

	for (struct noted *n = noted; n != NULL; n = n->next, i++) {
		if (n->user != user)
			continue;
		buf_reset(&why);
		n->table =
		    table_open_flags(span_of(n->spec), flags_of(n), &why);
		if (n->table == NULL)
			report(to, i, 'E', buf_text(&why));
	}
	buf_fini(&why);
}

static void
become(struct conf *c, const char *setting)
{
	const struct passwd *user;

	if (geteuid() != 0)
		return;
	user = getpwnam(conf_value(c, setting));
	if (user == NULL || user->pw_uid == 0)
		_exit(EXIT_SUCCESS); /* that is complained of elsewhere */
	sandbox_become(user->pw_uid, user->pw_gid);
}

static void
report_each(int to, size_t index, char kind, const struct buf *lines)
{
	struct span rest = buf_span(lines), line;

	while (span_cut(&rest, "\n", true, &line)) {
		char *text = mem_span_text(line);

		report(to, index, kind, text);
		free(text);
	}
}

/* Letters: take_report. */
static void
try_table(int to, size_t i, struct table *t, bool servers)
{
	struct buf why = BUF_INIT(TABLE_VALUE_MAX);
	struct settings_told told;
	enum table_result r;

	settings_told_init(&told);
	r = table_check(t, &told);
	report_each(to, i, 'U', &told.unknown);
	report_each(to, i, 'N', &told.warnings);
	if (r != TABLE_NONE)
		report(to, i, r == TABLE_BROKEN ? 'E' : 'W',
		    buf_text(&told.errors));
	else if (servers && (r = table_try(t, &why)) != TABLE_NONE)
		report(to, i, r == TABLE_BROKEN ? 'R' : 'W', buf_text(&why));
	else
		report(to, i, 'F', "");
	settings_told_fini(&told);
	buf_fini(&why);
}

static void
try_all(int to, bool servers)
{
	size_t i = 0;

	for (struct noted *n = noted; n != NULL; n = n->next, i++)
		if (n->table != NULL)
			try_table(to, i, n->table, servers);
}

static pid_t
start_child(struct conf *c, const char *user, bool servers, int *from)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		(void)setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
		table_main_settings(c);
		open_all(ends[1], user);
		become(c, user);
		try_all(ends[1], servers);
		_exit(EXIT_SUCCESS);
	}
	fd_close(&ends[1]);
	if (pid < 0)
		fd_close(&ends[0]);
	*from = ends[0];
	return pid;
}

/* All that the child says until its end, or the deadline. */
static void
hear(int from, int64_t deadline, struct buf *text)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	ssize_t n = 1;

	while (n > 0 && clock_ms() < deadline) {
		int ready = poll(&p, 1, (int)(deadline - clock_ms()));
		char *to = buf_reserve(text, 4096);

		if (ready == 0 || to == NULL)
			return;
		n = read(from, to, 4096);
		if (n > 0)
			buf_added(text, (size_t)n);
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
}

static struct noted *
numbered(struct span number)
{
	struct noted *n = noted;
	uint64_t i;

	if (!span_u64(number, UINT32_MAX, &i))
		return NULL;
	while (n != NULL && i-- > 0)
		n = n->next;
	return n;
}

/* What a letter of the child's report means. */
struct meaning {
	const char *what; /* before the reason */
	bool is_error;
};

static struct meaning
meaning_of(char kind, bool strict, bool names_matter)
{
	switch (kind) {
	case 'E':
		return (struct meaning){ "", true };
	case 'R':
		return strict ?
		    (struct meaning){ "", true } :
		    (struct meaning){ "refused by its server, mail waits: ",
			    false };
	case 'U':
		return (struct meaning){ "", strict && names_matter };
	case 'W':
		return (
		    struct meaning){ "cannot be had now, mail waits: ", false };
	default:
		return (struct meaning){ "", false };
	}
}

static bool
take_report(struct span text, bool strict, bool names_matter,
    struct buf *errors, struct buf *warnings)
{
	struct span line, number, kind;
	bool fine = true;

	while (span_cut(&text, "\n", true, &line)) {
		struct meaning m;
		struct noted *n;

		if (!span_cut(&line, " ", false, &number) ||
		    !span_cut(&line, " ", false, &kind) || kind.n != 1 ||
		    (n = numbered(number)) == NULL)
			continue;
		m = meaning_of(kind.p[0], strict, names_matter);
		/* names and numbers are told before the verdict */
		n->judged = n->judged || (kind.p[0] != 'U' && kind.p[0] != 'N');
		fine = fine && !m.is_error;
		if (kind.p[0] != 'F' && (m.is_error || warnings != NULL))
			buf_printf(m.is_error ? errors : warnings,
			    "%s: %s: %s%.*s\n", n->origin, n->setting, m.what,
			    SPAN_ARG(line));
	}
	return fine;
}

/* What a child says that asks as this user. */
static void
ask_child(struct conf *c, const char *user, bool servers, struct buf *text)
{
	const struct noted *n = noted;
	int from = -1;
	pid_t pid;

	while (n != NULL && n->user != user)
		n = n->next;
	if (n == NULL)
		return;
	pid = start_child(c, user, servers, &from);
	if (pid > 0) {
		hear(from, clock_ms() + (servers ? TABLE_TRY_MS : PARSE_MS),
		    text);
		(void)kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	fd_close(&from);
}

bool
table_check_servers(struct conf *c, enum table_check_how how,
    struct buf *errors, struct buf *warnings)
{
	bool servers = how != TABLE_CHECK_FILES;
	bool names_matter =
	    strcmp(conf_value(c, "unknown_parameters"), "warn") != 0;
	struct buf text = BUF_INIT(REPORT_MAX);
	bool fine;

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		ask_child(c, users[i], servers, &text);
	fine = take_report(buf_span(&text), how == TABLE_CHECK_ALL,
	    names_matter, errors, warnings);
	for (struct noted *n = noted; n != NULL; n = n->next)
		if (!n->judged && warnings != NULL)
			buf_printf(warnings, "%s: %s: %s was not tried\n",
			    n->origin, n->setting, n->spec);
	forget_all();
	buf_fini(&text);
	return fine;
}
