/* SPDX-License-Identifier: ISC */
/*
 * postqueue - see the queue, ask for delivery.
 *
 * SECURITY: set-gid, so that ordinary users reach the sockets in public/;
 * hostile command line and environment. Reads main.cf (of the built-in
 * directory, or one it lists), speaks with showq or qmgr, and prints what
 * they say without control characters. Reads the queue itself only for root
 * or the queue's owner, without extra rights, when the suite is down.
 */
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_showq.h"
#include "lib/log/log.h"
#include "lib/net/connect.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_list.h"
#include "tools/authorise.h"
#include "tools/flush_request.h"

enum { WAIT_SECONDS = 60, CONNECT_SECONDS = 10 };

static struct common_params common;

/* Prints one message; "first" is true once. */
typedef void print_function(const struct queue_entry *e, bool first);

struct printer {
	print_function *print;
	uint64_t count;
	uint64_t bytes;
};

static void
put_clean(const char *text)
{
	for (; *text != '\0'; text++)
		putchar(
		    (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static char
queue_mark_letter(const char *queue)
{
	return strcmp(queue, "incoming") == 0 ? '*' :
	    strcmp(queue, "hold") == 0        ? '!' :
						' ';
}

static void
print_text(const struct queue_entry *e, bool first)
{
	time_t seconds = (time_t)(e->arrival / 1000000);
	const char *reason = "";
	char date[32], id[QUEUE_ID_MAX + 2];
	struct tm tm;

	if (first)
		puts("----Queue ID-----     --Size-- ---Arrival Time---- "
		     "--Sender/Recipient------");
	else
		putchar('\n');
	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%a %b %e %H:%M:%S", &tm);
	snprintf(id, sizeof(id), "%s%c", e->id, queue_mark_letter(e->queue));
	printf("%-21s %8lld %19s ", id, (long long)e->size, date);
	put_clean(e->sender[0] ? e->sender : "MAILER-DAEMON");
	putchar('\n');
	for (size_t i = 0; i < e->count; i++) {
		const struct queue_entry_recipient *r = &e->recipients[i];
		int width = (int)strlen(r->reason) + 2;

		if (r->reason[0] != '\0' && strcmp(r->reason, reason) != 0) {
			printf("%*s(", width < 78 ? 78 - width : 0, "");
			put_clean(r->reason);
			puts(")");
		}
		reason = r->reason;
		printf("%50s ", "");
		put_clean(r->address);
		putchar('\n');
	}
}

static void
put_json(const char *text)
{
	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < ' ' || *p == 0x7f)
			printf("\\u%04X", *p);
		else
			putchar(*p);
	}
	putchar('"');
}

static const char *
postfix_queue(const char *queue)
{
	return strcmp(queue, "incoming") == 0 ? "active" : queue;
}

static void
print_json(const struct queue_entry *e, bool first)
{
	(void)first;
	printf("{\"queue_name\": \"%s\", \"queue_id\": ",
	    postfix_queue(e->queue));
	put_json(e->id);
	printf(", \"arrival_time\": %lld, \"message_size\": %lld, "
	       "\"forced_expire\": false, ",
	    (long long)(e->arrival / 1000000), (long long)e->size);
	if (e->retry > 0)
		printf("\"next_attempt\": %lld, ", (long long)e->retry);
	fputs("\"sender\": ", stdout);
	put_json(e->sender[0] ? e->sender : "MAILER-DAEMON");
	fputs(", \"recipients\": [", stdout);
	for (size_t i = 0; i < e->count; i++) {
		printf("%s{\"address\": ", i > 0 ? ", " : "");
		put_json(e->recipients[i].address);
		if (e->recipients[i].reason[0] != '\0') {
			fputs(", \"delay_reason\": ", stdout);
			put_json(e->recipients[i].reason);
		}
		putchar('}');
	}
	puts("]}");
}

static bool
print_entry(void *with, const struct queue_entry *e)
{
	struct printer *p = with;

	p->print(e, p->count == 0);
	p->count++;
	p->bytes += (uint64_t)e->size;
	return true;
}

static void
print_listed(struct printer *p, const struct msg_listed *m)
{
	const struct msg_listed_recipient *r = m->recipients.items;
	struct queue_entry e = {
		.queue = m->queue,
		.id = m->queue_id,
		.arrival = (int64_t)m->arrival,
		.retry = (int64_t)m->retry,
		.size = (int64_t)m->size,
		.sender = m->sender,
		.recipients = mem_array(m->recipients.count,
		    sizeof(struct queue_entry_recipient)),
		.count = m->recipients.count,
	};

	for (size_t i = 0; i < e.count; i++)
		e.recipients[i] =
		    (struct queue_entry_recipient){ r[i].address, r[i].reason };
	print_entry(p, &e);
	free(e.recipients);
}

/* False: showq is not there. */
static bool
list_through_showq(struct printer *p)
{
	struct msg_list_queue question = { .queue_id = "" };
	int fd = connect_unix("public/showq", clock_in(CONNECT_SECONDS));
	const struct ipc_message *m;
	enum ipc_result r;
	const void *answer;
	struct ipc *c;

	if (fd < 0)
		return false;
	c = ipc_new(fd, &protocol_showq, "showq");
	ipc_put(c, &message_list_queue, &question);
	while ((r = ipc_receive(c, &m, &answer, clock_in(WAIT_SECONDS))) ==
		IPC_OK &&
	    m == &message_listed)
		print_listed(p, answer);
	if (r != IPC_OK)
		fatal_status(EX_UNAVAILABLE, "showq does not answer: %s",
		    ipc_result_text(r));
	ipc_free(&c);
	return true;
}

static bool
may_read_queue(void)
{
	struct passwd *owner = getpwnam(common.mail_owner);

	return getuid() == 0 || access("incoming", R_OK | X_OK) == 0 ||
	    (owner != NULL && owner->pw_uid == getuid());
}

static void
list_directly(struct printer *p)
{
	if (setgid(getgid()) < 0 || setuid(getuid()) < 0)
		fatal_status(EX_OSERR, "cannot drop rights: %s",
		    strerror(errno));
	if (!may_read_queue())
		fatal_status(EX_UNAVAILABLE,
		    "Queue report unavailable - mail system is down");
	log_warning("Mail system is down -- accessing queue directly");
	queue_hash_depth((unsigned int)common.hash_queue_depth);
	if (queue_list(NULL, print_entry, p) < 0)
		fatal_status(EX_IOERR, "queue_directory = %s: %s",
		    common.queue_directory, strerror(errno));
}

static int
list(print_function *print)
{
	struct printer p = { print, 0, 0 };

	if (!list_through_showq(&p))
		list_directly(&p);
	if (print == print_text && p.count == 0)
		puts("Mail queue is empty");
	else if (print == print_text)
		printf("\n-- %llu Kbytes in %llu Request%s.\n",
		    (unsigned long long)(p.bytes / 1024),
		    (unsigned long long)p.count, p.count == 1 ? "" : "s");
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

static int
ask_qmgr(const char *id, const char *site)
{
	if (flush_request(id, site) == 0)
		return EX_OK;
	if (errno == ECONNREFUSED || errno == ENOENT)
		fatal_status(EX_UNAVAILABLE,
		    "Cannot flush mail queue - mail system is down");
	fatal_status(EX_UNAVAILABLE, "Cannot flush mail queue: %s",
	    strerror(errno));
}

/* Root and the owner may always. */
static void
authorise_others(const char *setting, const char *allowed, const char *what)
{
	const struct passwd *owner = getpwnam(common.mail_owner);

	if (getuid() != 0 && (owner == NULL || owner->pw_uid != getuid()))
		authorise(setting, allowed, what);
}

static void
usage(void)
{
	fatal_status(EX_USAGE,
	    "usage: postqueue -f | postqueue -i queueid | "
	    "postqueue -j | postqueue -p | postqueue -s site");
}

/* A host, a domain or [host]; what it means is for qmgr to find. */
static bool
site_valid(const char *site)
{
	for (const char *p = site; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && (unsigned char)*p < 0x80 &&
		    strchr("-._:[]", *p) == NULL)
			return false;
	return site[0] != '\0';
}

static void
enter(const char *config)
{
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c = conf_read(conf_find_directory(config), &errors, NULL);

	if (c == NULL || !conf_fill(c, &common_param_group, &common, &errors))
		fatal_lines(EX_CONFIG, buf_text(&errors));
	buf_fini(&errors);
	if (chdir(common.queue_directory) < 0)
		fatal_status(EX_NOPERM, "queue_directory = %s: %s",
		    common.queue_directory, strerror(errno));
}

int
main(int argc, char **argv)
{
	const char *config = NULL, *argument = "";
	int option, mode = 0;

	log_open_stderr("postqueue");
	while ((option = getopt(argc, argv, "c:fi:jps:v")) != -1) {
		if (option == 'c')
			config = optarg;
		else if (option == '?' || (option != 'v' && mode != 0))
			usage();
		else if (option != 'v') {
			mode = option;
			argument = optarg;
		}
	}
	if (mode == 0 || optind < argc)
		usage();
	if (mode == 'i' && !queue_id_valid(argument))
		fatal_status(EX_USAGE,
		    "Cannot flush queue ID - invalid name: \"%s\"", argument);
	if (mode == 's' && !site_valid(argument))
		fatal_status(EX_USAGE,
		    "Cannot flush mail queue - invalid destination: \"%.100s\"",
		    argument);
	enter(config);
	if (mode == 'p' || mode == 'j') {
		authorise_others("authorized_mailq_users",
		    common.authorized_mailq_users, "view the mail queue");
		return list(mode == 'p' ? print_text : print_json);
	}
	authorise_others("authorized_flush_users",
	    common.authorized_flush_users, "flush the mail queue");
	return ask_qmgr(mode == 'i' ? argument : "",
	    mode == 's' ? argument : "");
}
