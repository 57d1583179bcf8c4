/* SPDX-License-Identifier: ISC */
/*
 * postcat - show what a queue file holds.
 *
 * SECURITY: runs as whoever calls it. Queue files are read with distrust;
 * the envelope is printed without control characters, the content as it is
 * (with LF line ends), as it goes to a person or a program of his choice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"
#include "tools/queue_tool.h"

struct wishes {
	bool queue_id; /* -q: the arguments are ids */
	bool envelope; /* -e */
	bool header; /* -h */
	bool body; /* -b */
	bool offsets; /* -o */
};

static void
put_text(const char *label, const char *text)
{
	printf("%s: ", label);
	for (; *text != '\0'; text++)
		putchar(
		    (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
	putchar('\n');
}

static const char *
status_name(char status)
{
	switch (status) {
	case QUEUE_RECIPIENT_PENDING:
		return "recipient";
	case QUEUE_RECIPIENT_DONE:
	case QUEUE_RECIPIENT_SUCCESS:
		return "done_recipient";
	default:
		return "bounced_recipient";
	}
}

static void
put_recipient(const struct queue_recipient *r, const struct wishes *w)
{
	if (w->offsets)
		printf("%9lld ", (long long)r->offset);
	if (strcmp(r->original, r->address) != 0)
		put_text("original_recipient", r->original);
	if (r->orcpt[0] != '\0')
		put_text("named_attribute: dsn_orig_rcpt", r->orcpt);
	if (r->notify != 0)
		printf("named_attribute: notify_flags=%u\n", r->notify);
	put_text(status_name(r->status), r->address);
}

static void
put_envelope(const struct queue_envelope *e, const struct wishes *w,
    const char *name)
{
	time_t seconds = (time_t)(e->arrival / 1000000);
	char date[64];
	struct tm tm;

	printf("*** ENVELOPE RECORDS %s ***\n", name);
	printf("message_size: %lld %lld %zu\n", (long long)e->content_size,
	    (long long)e->content_offset, e->recipient_count);
	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	put_text("message_arrival_time", date);
	if (e->client[0] != '\0')
		put_text("named_attribute: client", e->client);
	if (e->envid[0] != '\0')
		put_text("named_attribute: envelope_id", e->envid);
	if (e->ret != 0)
		printf("named_attribute: ret_flags=%u\n", e->ret);
	printf("named_attribute: encoding=%s\n",
	    e->flags & QUEUE_BODY_8BIT ? "8bit" : "7bit");
	put_text("sender", e->sender);
	for (size_t i = 0; i < e->recipient_count; i++)
		put_recipient(&e->recipients[i], w);
}

/*
 * Follows the content line by line, so that header and body can be told
 * apart: the body begins behind the first empty line.
 */
static void
put_line(const char *line, size_t n, bool *in_body, const struct wishes *w)
{
	bool show = *in_body ? w->body : w->header;

	if (n > 0 && line[n - 1] == '\n')
		n--;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (!*in_body && n == 0) {
		*in_body = true;
		show = w->body;
	}
	if (show) {
		fwrite(line, 1, n, stdout);
		putchar('\n');
	}
}

static void
put_content(int fd, const struct queue_envelope *e, const struct wishes *w,
    const char *name)
{
	FILE *f = fdopen(dup(fd), "r");
	off_t left = e->content_size;
	bool in_body = false;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (f == NULL || fseeko(f, e->content_offset, SEEK_SET) < 0)
		fatal_status(EX_IOERR, "%s: %s", name, strerror(errno));
	if (w->envelope)
		printf("*** MESSAGE CONTENTS %s ***\n", name);
	while (left > 0 && (n = getline(&line, &room, f)) > 0) {
		if (n > left)
			n = left;
		put_line(line, (size_t)n, &in_body, w);
		left -= n;
	}
	free(line);
	fclose(f);
}

static const char *
read_error(enum queue_read r)
{
	switch (r) {
	case QUEUE_INCOMPLETE:
		return "not complete: it never got its 250";
	case QUEUE_CORRUPT:
		return "damaged: the footer's checksum does not match";
	case QUEUE_GONE:
		return "gone";
	default:
		return "cannot be read";
	}
}

static int
show(int fd, const char *name, const char *id, const struct wishes *w)
{
	struct arena *a = arena_new();
	struct queue_envelope e;
	enum queue_read r = queue_read_envelope(fd, id, a, &e);

	if (r != QUEUE_OK) {
		log_warning("%s: %s", name, read_error(r));
	} else {
		if (w->envelope)
			put_envelope(&e, w, name);
		if (w->header || w->body)
			put_content(fd, &e, w, name);
		if (w->envelope)
			printf("*** MESSAGE FILE END %s ***\n", name);
	}
	arena_free(&a);
	return r == QUEUE_OK ? 0 : 1;
}

static int
show_argument(const char *argument, const struct wishes *w)
{
	char path[QUEUE_PATH_MAX];
	const char *queue = NULL;
	int fd, failed;

	if (w->queue_id) {
		queue =
		    queue_id_valid(argument) ? queue_tool_find(argument) : NULL;
		if (queue == NULL) {
			log_warning("open queue file %s: "
				    "No such file or directory",
			    argument);
			return 1;
		}
		queue_path(queue, argument, path);
	}
	fd = queue ? queue_open(queue, argument, false) :
		     open(argument, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		log_warning("%s: %s", argument, strerror(errno));
		return 1;
	}
	failed = show(fd, queue ? path : argument, queue ? argument : NULL, w);
	close(fd);
	return failed;
}

static void
usage(void)
{
	fputs("usage: postcat [-behoqv] [-c config_dir] file|queue-id...\n",
	    stderr);
	exit(EX_USAGE);
}

int
main(int argc, char **argv)
{
	struct wishes w = { 0 };
	struct common_params params;
	const char *config = NULL;
	int option, failed = 0;

	log_open_stderr("postcat");
	while ((option = getopt(argc, argv, "bc:dehoqv")) != -1) {
		switch (option) {
		case 'b':
			w.body = true;
			break;
		case 'c':
			config = optarg;
			break;
		case 'e':
			w.envelope = true;
			break;
		case 'h':
			w.header = true;
			break;
		case 'o':
			w.offsets = true;
			break;
		case 'q':
			w.queue_id = true;
			break;
		case 'd': /* all records or some: there is one form here */
		case 'v':
			break;
		default:
			usage();
		}
	}
	if (optind == argc)
		usage();
	if (!w.body && !w.envelope && !w.header)
		w.body = w.envelope = w.header = true;
	if (w.queue_id)
		queue_tool_enter("postcat", config, &params);
	for (int i = optind; i < argc; i++)
		failed |= show_argument(argv[i], &w);
	return failed;
}
