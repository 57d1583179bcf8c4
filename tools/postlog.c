/* SPDX-License-Identifier: ISC */
/*
 * postlog - write a line to the mail log.
 *
 * SECURITY: runs as whoever calls it; sends a datagram to logd's socket, or
 * to syslog when logd is down, and never waits. What is written is cleaned by
 * lib/log and again by logd.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/log/log.h"

static const struct {
	const char *name;
	const char *prefix;
	int priority; /* syslog(3), when logd is not there */
} levels[] = {
	{ "info", "", LOG_INFO },
	{ "warn", "warning: ", LOG_WARNING },
	{ "error", "error: ", LOG_ERR },
	{ "fatal", "fatal: ", LOG_CRIT },
	{ "panic", "panic: ", LOG_CRIT },
};

struct line_writer {
	const char *tag;
	size_t level;
	bool to_stderr;
	bool by_syslog;
};

static void
write_line(const struct line_writer *w, const char *text)
{
	const char *prefix = levels[w->level].prefix;

	if (w->by_syslog)
		syslog(LOG_MAIL | levels[w->level].priority, "%s%s", prefix,
		    text);
	else
		log_info("%s%s", prefix, text);
	if (w->to_stderr)
		fprintf(stderr, "%s: %s%s\n", w->tag, prefix, text);
}

static void
write_lines_of(const struct line_writer *w, FILE *f)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		write_line(w, line);
	}
	free(line);
}

static void
write_words(const struct line_writer *w, char **words)
{
	struct buf text = BUF_INIT(1 << 16);

	for (size_t i = 0; words[i] != NULL; i++) {
		if (i > 0)
			buf_add_char(&text, ' ');
		buf_add_text(&text, words[i]);
	}
	write_line(w, buf_text(&text));
	buf_fini(&text);
}

/* logd's socket when the suite runs, else syslog. */
static void
open_log(struct line_writer *w, const char *config)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c = conf_read(conf_find_directory(config), &errors, NULL);
	const char *queue = c ? conf_value(c, "queue_directory") : NULL;
	const char *name = c ? conf_value(c, "syslog_name") : NULL;
	char *path = mem_printf("%s/public/log", queue ? queue : "");

	if (w->tag == NULL)
		w->tag = mem_printf("%s/postlog", name ? name : "posthaste");
	if (access(path, W_OK) == 0) {
		log_open_socket(w->tag, path);
	} else {
		w->by_syslog = true;
		openlog(w->tag, LOG_PID | LOG_NDELAY, LOG_MAIL);
	}
	free(path);
	buf_fini(&errors);
	conf_free(&c);
}

static size_t
level_of(const char *name)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (strcmp(levels[i].name, name) == 0)
			return i;
	fprintf(stderr,
	    "postlog: unknown priority: %s "
	    "(info, warn, error, fatal or panic)\n",
	    name);
	exit(EX_USAGE);
}

int
main(int argc, char **argv)
{
	struct line_writer w = { .to_stderr = isatty(STDERR_FILENO) == 1 };
	const char *config = NULL;
	int option;

	while ((option = getopt(argc, argv, "c:ip:t:v")) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 'p':
			w.level = level_of(optarg);
			break;
		case 't':
			w.tag = optarg;
			break;
		case 'i': /* the process id is always there */
		case 'v':
			break;
		default:
			fputs("usage: postlog [-iv] [-c config_dir] "
			      "[-p priority] [-t tag] [text...]\n",
			    stderr);
			return EX_USAGE;
		}
	}
	open_log(&w, config);
	if (optind < argc)
		write_words(&w, argv + optind);
	else
		write_lines_of(&w, stdin);
	return 0;
}
