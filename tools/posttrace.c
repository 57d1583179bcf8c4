/* SPDX-License-Identifier: ISC */
/*
 * posttrace - the story of a message from the log.
 *
 * SECURITY: runs as whoever calls it, reads the log with that user's rights.
 * Log lines hold text of strangers; they are taken apart by length, and what
 * is not printable is not printed.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/log/log.h"
#include "tools/log_file.h"
#include "tools/log_line.h"

/* A message, or a client's session at one process. */
struct subject {
	char *key;
	char **linked; /* ids of messages it is tied to */
	size_t linked_count;
	size_t sessions; /* of a client: "connect from" lines so far */
	bool wanted;
	UT_hash_handle hh;
};

struct trace {
	struct subject *messages;
	struct subject *sessions; /* "pid client number", wanted ones */
	struct subject *clients; /* "pid client": sessions seen so far */
	const char *wanted; /* what the user gave */
	bool by_message_id;
	char *line;
	size_t room;
	size_t shown;
};

typedef void visit_function(struct trace *t, const struct log_line *l);

static struct subject *
subject(struct subject **table, struct span key, bool make)
{
	struct subject *s;

	HASH_FIND(hh, *table, key.p, key.n, s);
	if (s == NULL && make) {
		s = mem_new(sizeof(*s));
		s->key = mem_span_text(key);
		HASH_ADD_KEYPTR(hh, *table, s->key, key.n, s);
	}
	return s;
}

static void
tie(struct subject *s, struct span other)
{
	for (size_t i = 0; i < s->linked_count; i++)
		if (span_is(other, s->linked[i]))
			return;
	s->linked =
	    mem_resize(s->linked, (s->linked_count + 1) * sizeof(*s->linked));
	s->linked[s->linked_count++] = mem_span_text(other);
}

/* First pass: which messages belong together, and which one was meant. */
static void
learn(struct trace *t, const struct log_line *l)
{
	struct span child, value;

	if (l->id.n == 0)
		return;
	if (log_line_child(l, &child) && !span_equal(child, l->id)) {
		tie(subject(&t->messages, l->id, true), child);
		tie(subject(&t->messages, child, true), l->id);
	}
	if (span_is(l->id, t->wanted))
		subject(&t->messages, l->id, true)->wanted = true;
	else if (t->by_message_id && log_line_value(l, "message-id", &value) &&
	    (span_is(value, t->wanted) ||
		(t->wanted[0] == '<' &&
		    span_equal(value,
			span_take(span_of(t->wanted + 1), value.n)))))
		subject(&t->messages, l->id, true)->wanted = true;
}

/* Everything tied to a wanted message is wanted. True if that was news. */
static bool
spread(struct trace *t)
{
	struct subject *s, *next, *other;
	bool news = false;

	HASH_ITER (hh, t->messages, s, next) {
		for (size_t i = 0; s->wanted && i < s->linked_count; i++) {
			other =
			    subject(&t->messages, span_of(s->linked[i]), false);
			if (other != NULL && !other->wanted)
				news = other->wanted = true;
		}
	}
	return news;
}

static bool
wanted_message(struct trace *t, struct span id)
{
	struct subject *s = subject(&t->messages, id, false);

	return s != NULL && s->wanted;
}

/*
 * Names the session that a line of this client is about: process, client,
 * and how often that client has connected there.
 */
static struct span
session_key(struct trace *t, const struct log_line *l, struct span client,
    struct buf *key)
{
	struct subject *s;

	buf_reset(key);
	buf_add_span(key, l->pid);
	buf_add_char(key, ' ');
	buf_add_span(key, client);
	s = subject(&t->clients, buf_span(key), true);
	if (span_starts(l->text, "connect from "))
		s->sessions++;
	buf_printf(key, " %zu", s->sessions);
	return buf_span(key);
}

static void
forget_clients(struct trace *t)
{
	struct subject *s, *next;

	HASH_ITER (hh, t->clients, s, next)
		s->sessions = 0;
}

/* Second pass: the sessions that brought wanted messages. */
static void
learn_sessions(struct trace *t, const struct log_line *l)
{
	struct buf key = BUF_INIT(1024);
	struct span client;

	if (log_line_client(l, &client)) {
		struct span session = session_key(t, l, client, &key);

		if (l->id.n > 0 && wanted_message(t, l->id))
			subject(&t->sessions, session, true);
	}
	buf_fini(&key);
}

static void
put_clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		putchar(c < ' ' || c == 0x7f ? '?' : c);
	}
}

static void
show(struct trace *t, const struct log_line *l)
{
	t->shown++;
	put_clean(l->time);
	printf("  %-10.*s ", SPAN_ARG(log_line_program(l)));
	if (l->id.n > 0) {
		put_clean(l->id);
		fputs(": ", stdout);
	}
	put_clean(l->text);
	putchar('\n');
}

/* Third pass: the lines, in the order of the log. */
static void
tell(struct trace *t, const struct log_line *l)
{
	struct buf key = BUF_INIT(1024);
	struct span client, session = { 0 };

	if (log_line_client(l, &client))
		session = session_key(t, l, client, &key);
	if (l->id.n > 0 ?
		wanted_message(t, l->id) :
		session.n > 0 && subject(&t->sessions, session, false) != NULL)
		show(t, l);
	buf_fini(&key);
}

static void
each_line(struct trace *t, const char *path, visit_function *visit)
{
	struct log_file file;
	struct log_line l;
	ssize_t n;

	log_file_open(&file, path);
	while ((n = getline(&t->line, &t->room, file.text)) > 0) {
		struct span whole = { t->line, (size_t)n };

		while (whole.n > 0 && whole.p[whole.n - 1] == '\n')
			whole.n--;
		if (log_line_parse(whole, &l))
			visit(t, &l);
	}
	log_file_close(&file);
}

static void
each_file(struct trace *t, char **paths, visit_function *visit)
{
	for (size_t i = 0; paths[i] != NULL; i++)
		each_line(t, paths[i], visit);
}

/* Where the log is when nobody says: maillog_file, else syslog's file. */
static char *
default_log(const char *config)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c = conf_read(conf_find_directory(config), &errors, NULL);
	const char *path = c ? conf_value(c, "maillog_file") : NULL;
	char *found =
	    mem_text(path && path[0] == '/' ? path : "/var/log/mail.log");

	buf_fini(&errors);
	conf_free(&c);
	return found;
}

/* When a log was written to last; what is gone is old. */
static time_t
age(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mtime : 0;
}

static int
older_first(const void *a, const void *b)
{
	time_t x = age(*(char *const *)a), y = age(*(char *const *)b);

	return x < y ? -1 : x > y;
}

/* "mail.log.1", "mail.log.2.gz", "mail.log.20260102-030405.gz"... */
static char **
with_rotated(char *path)
{
	char *pattern = mem_printf("%s[.-]*", path);
	glob_t found = { 0 };
	char **paths;

	(void)glob(pattern, 0, NULL, &found);
	paths = mem_array(found.gl_pathc + 2, sizeof(*paths));
	for (size_t i = 0; i < found.gl_pathc; i++)
		paths[i] = mem_text(found.gl_pathv[i]);
	if (found.gl_pathc > 1)
		qsort(paths, found.gl_pathc, sizeof(*paths), older_first);
	paths[found.gl_pathc] = path;
	globfree(&found);
	free(pattern);
	return paths;
}

static void
usage(void)
{
	fputs("usage: posttrace [-a] [-c config_dir] [-f logfile]... "
	      "queue-id|message-id\n",
	    stderr);
	exit(EX_USAGE);
}

int
main(int argc, char **argv)
{
	struct trace t = { 0 };
	char **paths = mem_array((size_t)argc + 2, sizeof(*paths));
	const char *config = NULL;
	bool rotated = false;
	size_t count = 0;
	int option;

	log_open_stderr("posttrace");
	while ((option = getopt(argc, argv, "ac:f:")) != -1) {
		if (option == 'a')
			rotated = true;
		else if (option == 'c')
			config = optarg;
		else if (option == 'f')
			paths[count++] = mem_text(optarg);
		else
			usage();
	}
	if (argc - optind != 1 || (rotated && count > 0))
		usage();
	t.wanted = argv[optind];
	t.by_message_id = strchr(t.wanted, '@') != NULL;
	if (count == 0)
		paths[0] = default_log(config);
	if (rotated)
		paths = with_rotated(paths[0]);
	each_file(&t, paths, learn);
	while (spread(&t))
		continue;
	each_file(&t, paths, learn_sessions);
	forget_clients(&t);
	each_file(&t, paths, tell);
	if (t.shown == 0) {
		fprintf(stderr, "posttrace: nothing about %s%s in %s%s\n",
		    t.by_message_id ? "a message with the id " : "", t.wanted,
		    paths[0],
		    rotated || count > 0 ? "" : " (-a: in older logs too)");
		return 1;
	}
	return 0;
}
