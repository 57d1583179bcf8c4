/* SPDX-License-Identifier: ISC */
/*
 * One message through cleanup, to the bytes in the queue. lookup is played by
 * the functions of ask_lookup.h below, qmgr by a socket.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup/ask_lookup.h"
#include "cleanup/qmgr_notice.h"
#include "cleanup/submission.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/mail/header.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_file.h"
#include "lib/service/service.h"

static char root[] = "/tmp/submission_test.XXXXXX";
static struct settings set;
static enum verdict lookup_says;
static size_t questions;
static struct ipc *qmgr; /* its end, of the last notice */
static bool qmgr_away;

enum verdict
ask_expand(struct arena *a, const char *sender, bool mapped,
    const char *const *addresses, size_t count, struct expansion **out,
    size_t *out_count, struct why *why)
{
	size_t n = 0;

	(void)sender;
	(void)mapped;
	questions++;
	if (lookup_says != OK)
		return why_set(why, lookup_says == LATER ? "4.3.0" : "5.1.1",
		    "no answer");
	*out = arena_alloc(a, 2 * count * sizeof(**out));
	for (size_t i = 0; i < count; i++) {
		(*out)[n++] = (struct expansion){ i, addresses[i], "smtp",
			"example.net" };
		if (strncmp(addresses[i], "list", 4) == 0) {
			(*out)[n - 1].address = "one@example.net";
			(*out)[n++] = (struct expansion){ i, "two@example.net",
				"smtp", "example.net" };
		}
	}
	*out_count = n;
	return OK;
}

enum verdict
ask_rewrite(struct arena *a, enum rewrite_kind kind, const char **addresses,
    size_t count, struct why *why)
{
	(void)why;
	questions++;
	for (size_t i = 0; i < count; i++) {
		/* lookup would not be asked more */
		assert_in_range(strlen(addresses[i]), 1, MAIL_ADDRESS_MAX);
		addresses[i] =
		    arena_printf(a, "c%d.%s", (int)kind, addresses[i]);
	}
	return OK;
}

enum verdict
ask_address_query(struct arena *a, const char *tables, const char *address,
    const char **value, struct why *why)
{
	const char *domain = strrchr(address, '@');

	(void)a;
	(void)tables;
	(void)why;
	*value = domain != NULL && strcmp(domain, "@watched.test") == 0 ?
	    "watcher@example.test" :
	    NULL;
	return OK;
}

struct ipc *
service_ask(const char *service, const struct ipc_protocol *protocol,
    int64_t deadline)
{
	int pair[2];

	(void)deadline;
	assert_string_equal(service, "qmgr");
	if (qmgr_away)
		return NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ipc_free(&qmgr);
	qmgr = ipc_new(pair[0], protocol, "cleanup");
	return ipc_new(pair[1], protocol, "qmgr");
}

void
service_done(const char *service, struct ipc **c, bool ok)
{
	(void)service;
	(void)ok;
	ipc_free(c);
}

static int
enter(void **state)
{
	struct buf error = BUF_INIT(4096);

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_true(queue_make_directories(root, getuid(), getgid(), &error));
	buf_fini(&error);
	return chdir(root);
}

static int
leave(void **state)
{
	pid_t child = fork();

	(void)state;
	ipc_free(&qmgr);
	if (child == 0) {
		execlp("rm", "rm", "-rf", root, (char *)NULL);
		_exit(127);
	}
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static int
reset(void **state)
{
	(void)state;
	set = (struct settings){
		.common = { .myhostname = "mx.example.test",
		    .recipient_delimiter = "+",
		    .message_size_limit = 10240000 },
		.own = { .hopcount_limit = 50,
		    .header_size_limit = 102400,
		    .message_drop_headers =
			"bcc, content-length, resent-bcc, return-path",
		    .undisclosed_recipients_header = "",
		    .header_from_format = "standard",
		    .always_bcc = "",
		    .sender_bcc_maps = "",
		    .recipient_bcc_maps = "",
		    .enable_original_recipient = true,
		    .duplicate_filter_limit = 1000,
		    .extract_recipient_limit = 10240 },
		.local_transport = SPAN("local"),
		.virtual_transport = SPAN("virtual"),
		.rules = { .append_at_myorigin = true,
		    .myorigin = "example.test",
		    .mydomain = "example.test" },
		.delimiter = "+",
	};
	lookup_says = OK;
	questions = 0;
	ipc_free(&qmgr);
	return 0;
}

/* A message and what became of it. */
struct trial {
	struct msg_submit m;
	struct msg_submit_recipient to[4];
	enum verdict verdict;
	char dsn[WHY_DSN_MAX];
	char id[QUEUE_ID_MAX];
	struct arena *arena;
	struct queue_envelope e;
	struct buf file; /* without trailer */
};

static void
begin(struct trial *t)
{
	*t = (struct trial){ .m = { .queue_id = "",
				 .origin = "smtpd",
				 .sender = "alice@example.org",
				 .full_name = "",
				 .header_domain = "",
				 .envid = "",
				 .client = "c[192.0.2.1]",
				 .trace = "",
				 .arrival = 1795268721000000 } };
	t->to[0] = (struct msg_submit_recipient){ .address = "bob@example.test",
		.original = "",
		.orcpt = "",
		.final = true,
		.transport = "virtual",
		.nexthop = "example.test" };
	t->m.recipients = (struct ipc_list){ t->to, 1 };
	t->arena = arena_new();
	buf_init(&t->file, 1 << 24);
}

static void
add_recipient(struct trial *t, const char *address)
{
	t->to[t->m.recipients.count++] =
	    (struct msg_submit_recipient){ .address = address,
		    .original = "",
		    .orcpt = "",
		    .transport = "",
		    .nexthop = "" };
}

/* As who delivers it reads it: a mark that is wrong lets mail go round. */
static void
check_mark(const struct trial *t)
{
	size_t offset = (size_t)t->e.content_offset;
	struct span value;

	if (t->e.flags & QUEUE_NO_DELIVERED_TO)
		assert_false(header_find(span_skip(buf_span(&t->file), offset),
		    "Delivered-To", &value));
}

static void
load(struct trial *t)
{
	int fd = queue_open(t->m.report ? "report" : "incoming", t->id, false);
	size_t n;

	assert_int_not_equal(fd, -1);
	assert_int_equal(queue_read_envelope(fd, t->id, t->arena, &t->e),
	    QUEUE_OK);
	n = (size_t)(t->e.content_offset + t->e.content_size);
	assert_non_null(buf_reserve(&t->file, n));
	assert_int_equal(fd_pread_all(fd, t->file.p, n, 0), 0);
	buf_added(&t->file, n);
	close(fd);
	check_mark(t);
}

static void
submit(struct trial *t, struct span content, size_t piece)
{
	struct submission *s = submission_new(&set, t->arena, &t->m);
	struct msg_submit_result r;

	while (content.n > 0) {
		submission_add(s, span_take(content, piece));
		content = span_skip(content, piece);
	}
	submission_commit(s, &r);
	t->verdict = (enum verdict)r.verdict;
	snprintf(t->dsn, sizeof(t->dsn), "%s", r.dsn);
	snprintf(t->id, sizeof(t->id), "%s", r.queue_id);
	submission_free(&s);
	if (t->verdict == OK)
		load(t);
}

static void
end(struct trial *t)
{
	arena_free(&t->arena);
	buf_fini(&t->file);
}

/* What of the content is stored, behind the delivery headers. */
static const char *
stored(const struct trial *t)
{
	return t->file.p + t->e.content_offset;
}

static size_t
files_in(const char *queue)
{
	DIR *d = opendir(queue);
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
a_plain_message_is_stored_as_it_is(void **state)
{
	static const char content[] =
	    "From: a@b\r\nMessage-ID: <x@y>\r\nSubject: s\r\n\r\nhello\r\n";
	const struct msg_queued_recipient *r;
	const struct msg_queued *q;
	const void *message;
	struct trial t;

	(void)state;
	begin(&t);
	t.m.trace = "Received: by mx; now\r\n";
	submit(&t, SPAN(content), 65536);
	assert_int_equal(t.verdict, OK);
	assert_string_equal(t.file.p,
	    "Return-Path: <alice@example.org>\r\n"
	    "X-Original-To: bob@example.test\r\n"
	    "Delivered-To: bob@example.test\r\n"
	    "Received: by mx; now\r\n"
	    "From: a@b\r\nMessage-ID: <x@y>\r\nSubject: s\r\n\r\nhello\r\n");
	assert_int_equal(t.e.flags, QUEUE_HAS_PREFIX | QUEUE_NO_DELIVERED_TO);
	assert_int_equal(strncmp(stored(&t), "Received", 8), 0);
	assert_int_equal(questions, 0);
	/* and qmgr knows all of it */
	assert_int_equal(ipc_expect(qmgr, &message_queued, &message,
			     clock_in(60)),
	    IPC_OK);
	q = message;
	r = q->recipients.items;
	assert_string_equal(q->queue_id, t.id);
	assert_string_equal(q->sender, "alice@example.org");
	assert_int_equal(q->content_offset, t.e.content_offset);
	assert_int_equal(q->content_size, t.e.content_size);
	assert_int_equal(q->recipients.count, 1);
	assert_string_equal(r->transport, "virtual");
	assert_int_equal(r->offset, t.e.recipients[0].offset);
	end(&t);
}

static void
no_delivery_headers_for_relayed_or_several(void **state)
{
	struct trial t;

	(void)state;
	begin(&t);
	t.to[0].transport = "smtp";
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_string_equal(t.file.p, "A: b\r\n\r\n");
	assert_int_equal(t.e.flags & QUEUE_HAS_PREFIX, 0);
	end(&t);
	begin(&t);
	t.to[1] = t.to[0];
	t.to[1].address = "carol@example.test";
	t.m.recipients.count = 2;
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_string_equal(t.file.p, "A: b\r\n\r\n");
	end(&t);
}

/* Rows: what comes in, what is stored. */
static const struct {
	const char *in;
	const char *out;
} contents[] = {
	{ "", "\r\n" },
	{ "\r\n", "\r\n" },
	{ "\r\nbody\r\n", "\r\nbody\r\n" },
	{ "A: b\r\n", "A: b\r\n\r\n" },
	{ "A: b", "A: b\r\n\r\n" },
	{ "A: b\n\nx\ny\n", "A: b\r\n\r\nx\r\ny\r\n" },
	{ "A: b\r\n\r\nx", "A: b\r\n\r\nx\r\n" },
	{ "A: b\r\n\r\nx\ry\r\n", "A: b\r\n\r\nx y\r\n" },
	{ "A: b\r\n\r\nx\r\r\n", "A: b\r\n\r\nx \r\n" },
	{ "A: b\r\n\r\nx\r", "A: b\r\n\r\nx \r\n" },
	{ "A: b\r\n\r\n\r\n\n\n.\n", "A: b\r\n\r\n\r\n\r\n\r\n.\r\n" },
	{ "no header here\r\nx\r\n", "\r\nno header here\r\nx\r\n" },
	{ "A: b\r\nnot one\r\n\r\nx\r\n", "A: b\r\n\r\nnot one\r\n\r\nx\r\n" },
	{ "A: b\r\n c\r\n\td\r\nE: f\r\n\r\nx\r\n",
	    "A: b\r\n c\r\n\td\r\nE: f\r\n\r\nx\r\n" },
	{ "To: a\r\nBcc: secret@x\r\n more@x\r\nCc: b\r\n\r\nx\r\n",
	    "To: a\r\nCc: b\r\n\r\nx\r\n" },
	{ "return-path: <x>\r\nCONTENT-LENGTH: 5\r\nResent-Bcc: y\r\nA: b\r\n"
	  "\r\nBcc: stays\r\n",
	    "A: b\r\n\r\nBcc: stays\r\n" },
	{ "Bcc : secret@x\r\nA: b\r\n\r\n", "A: b\r\n\r\n" },
};

static void
content_rows(void **state)
{
	struct trial t;

	(void)state;
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++)
		for (size_t piece = 1; piece < 20; piece++) {
			begin(&t);
			t.to[0].transport = "smtp";
			submit(&t, span_of(contents[i].in), piece);
			assert_int_equal(t.verdict, OK);
			assert_string_equal(t.file.p, contents[i].out);
			end(&t);
		}
}

/* However the pieces fall, the same bytes are stored. */
static void
pieces_do_not_matter(void **state)
{
	enum { SIZE = 20000 };
	static const char alphabet[] = "ab: \t\r\n\n\rX-\0\xe9";
	char *content = mem_new(SIZE);
	uint32_t noise = 1;
	struct trial t, u;

	(void)state;
	set.own.header_size_limit = 300;
	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < SIZE; i++) {
			noise = noise * 1664525 + 1013904223;
			content[i] =
			    alphabet[(noise >> 16) % (sizeof(alphabet) - 1)];
		}
		memcpy(content, "A: b\r\nC: ", 9);
		memset(content + 9, 'x', (size_t)round * 20);
		begin(&t);
		begin(&u);
		submit(&t, (struct span){ content, SIZE }, SIZE);
		submit(&u, (struct span){ content, SIZE },
		    (size_t)(1 + round * 7));
		assert_int_equal(t.verdict, u.verdict);
		assert_int_equal(t.file.n, u.file.n);
		assert_memory_equal(t.file.p, u.file.p, t.file.n);
		for (size_t i = 0; i < t.file.n; i++) {
			if (t.file.p[i] == '\r')
				assert_int_equal(t.file.p[i + 1], '\n');
			if (t.file.p[i] == '\n')
				assert_int_equal(t.file.p[i - 1], '\r');
		}
		end(&t);
		end(&u);
	}
	free(content);
}

static void
bytes_and_lines_are_noticed(void **state)
{
	char *content = mem_new(3000);
	struct trial t;

	(void)state;
	for (size_t n = 997; n <= 999; n++) {
		memcpy(content, "A: b\r\n\r\n", 8);
		memset(content + 8, 'x', n);
		content[8 + n] = '\0';
		begin(&t);
		submit(&t, (struct span){ content, 8 + n }, 100);
		assert_int_equal(!!(t.e.flags & QUEUE_LONG_LINES), n > 998);
		assert_int_equal(t.e.flags & QUEUE_BODY_8BIT, 0);
		end(&t);
	}
	begin(&t);
	submit(&t, SPAN("A: b\r\n\r\n\xc3\xa9\0x\r\n"), 3);
	assert_true(t.e.flags & QUEUE_BODY_8BIT);
	assert_memory_equal(stored(&t), "A: b\r\n\r\n\xc3\xa9\0x\r\n", 14);
	end(&t);
	free(content);
}

/* However the content is cut. */
static void
assert_delivered_to(const char *trace, const char *content, bool there)
{
	struct trial t;

	for (size_t piece = 1; piece <= 100; piece *= 10) {
		begin(&t);
		t.m.trace = trace;
		submit(&t, span_of(content), piece);
		assert_int_equal(t.verdict, OK);
		assert_int_equal((t.e.flags & QUEUE_NO_DELIVERED_TO) == 0,
		    there);
		end(&t);
	}
}

static void
the_lack_of_delivered_to_is_marked(void **state)
{
	static const struct {
		const char *trace;
		const char *content;
		bool there;
	} rows[] = {
		{ "", "A: b\r\n\r\nDelivered-To: x@y\r\n", false },
		{ "", "A: b\r\nDelivered-To: x@y\r\n\r\n", true },
		{ "", "dElIvErEd-tO\t : x@y\n\nb\n", true },
		{ "", "A: b\r\nDelivered-To:\r\n x@y\r\n\r\n", true },
		{ "", "Delivered-To: x@y", true },
		{ "", "A: b\r\n Delivered-To: x@y\r\n\r\n", false },
		{ "", "X-Delivered-To: x@y\r\n\r\n", false },
		{ "", "Delivered-Toto: x@y\r\n\r\n", false },
		{ "", "A: b\r\nno field\r\nDelivered-To: x@y\r\n", false },
		{ "", "From a b\r\nDelivered-To: x@y\r\n\r\n", true },
		{ "", "From a b\r\n Delivered-To: x@y\r\n\r\n", false },
		{ "", "\r\nDelivered-To: x@y\r\n", false },
		{ "", "Delivered-To: xxxxxxxxxxxxxxxxxxxxxxxxx\r\n x\r\n\r\n",
		    true },
		{ "",
		    "A: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
		    "Delivered-To: x@y\r\n\r\n",
		    true },
		{ "Received: by mx; now\r\nDelivered-To: x@y\r\n",
		    "A: b\r\n\r\n", true },
		{ "Received: by mx;\r\n\tDelivered-To: x@y\r\n", "A: b\r\n\r\n",
		    false },
	};

	(void)state;
	set.own.header_size_limit = 24;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_delivered_to(rows[i].trace, rows[i].content,
		    rows[i].there);
}

static void
the_header_for_undisclosed_recipients_may_be_delivered_to(void **state)
{
	(void)state;
	set.own.undisclosed_recipients_header = "delivered-to: x@y";
	assert_delivered_to("", "A: b\r\n\r\nx\r\n", true);
	assert_delivered_to("", "To: x@y\r\n\r\nx\r\n", false);
	set.own.undisclosed_recipients_header = "X-To: delivered-to: x@y";
	assert_delivered_to("", "A: b\r\n\r\nx\r\n", false);
}

static void
loops_end(void **state)
{
	struct buf content = BUF_INIT(100000);
	struct trial t;

	(void)state;
	for (int hops = 48; hops <= 49; hops++) {
		buf_reset(&content);
		for (int i = 0; i < hops; i++)
			buf_add_text(&content, "received: x\r\n");
		begin(&t);
		t.m.trace = "Received: ours\r\n";
		submit(&t, buf_span(&content), 1000);
		assert_int_equal(t.verdict, hops < 49 ? OK : NEVER);
		if (hops == 49)
			assert_string_equal(t.dsn, "5.4.0");
		end(&t);
	}
	buf_fini(&content);
}

static void
missing_headers_are_added_to_our_users_mail(void **state)
{
	struct trial t;
	char *expected;

	(void)state;
	setenv("TZ", "UTC", 1);
	begin(&t);
	submit(&t, SPAN("A: b\r\n\r\nx\r\n"), 100);
	assert_string_equal(stored(&t), "A: b\r\n\r\nx\r\n");
	end(&t);
	begin(&t);
	t.m.trusted = true;
	t.m.full_name = "Alice (\"A\") Liddell";
	t.m.origin = "pickup";
	submit(&t, SPAN("A: b\r\n\r\nx\r\n"), 100);
	expected =
	    mem_printf("A: b\r\n"
		       "Message-Id: <20261121134521.%s@mx.example.test>\r\n"
		       "Date: Sat, 21 Nov 2026 13:45:21 +0000\r\n"
		       "From: \"Alice (\\\"A\\\") Liddell\" "
		       "<alice@example.org>\r\n"
		       "\r\nx\r\n",
		t.id);
	assert_string_equal(stored(&t), expected);
	free(expected);
	end(&t);
	begin(&t);
	t.m.trusted = true;
	t.m.full_name = "J\xc3\xbcrgen";
	submit(&t, SPAN("Date: d\r\nMessage-ID: <m>\r\n\r\n"), 100);
	assert_string_equal(stored(&t),
	    "Date: d\r\nMessage-ID: <m>\r\n"
	    "From: =?utf-8?B?SsO8cmdlbg==?= <alice@example.org>\r\n\r\n");
	end(&t);
	begin(&t);
	t.m.trusted = true;
	t.m.sender = "";
	submit(&t, SPAN("Date: d\r\nMessage-ID: <m>\r\n\r\n"), 100);
	assert_string_equal(stored(&t),
	    "Date: d\r\nMessage-ID: <m>\r\n"
	    "From: MAILER-DAEMON\r\n\r\n");
	end(&t);
}

static void
addresses_without_domain_get_ours(void **state)
{
	struct trial t;

	(void)state;
	begin(&t);
	t.m.trusted = true;
	t.m.sender = "alice";
	submit(&t,
	    SPAN("From: Alice <alice>\r\nDate: d\r\nMessage-ID: <m>\r\n"
		 "To: bob (Bob),\r\n \"C D\"@x.test, \"e f\"\r\n\r\nx\r\n"),
	    100);
	assert_string_equal(t.e.sender, "alice@example.test");
	assert_string_equal(stored(&t),
	    "From: Alice <alice@example.test>\r\nDate: d\r\n"
	    "Message-ID: <m>\r\nTo: bob@example.test (Bob),\r\n"
	    " \"C D\"@x.test, \"e f\"@example.test\r\n\r\nx\r\n");
	assert_int_equal(questions, 0);
	end(&t);
	/* strangers' headers are theirs */
	begin(&t);
	t.m.sender = "alice";
	submit(&t, SPAN("From: alice\r\n\r\nx\r\n"), 100);
	assert_string_equal(t.e.sender, "alice@example.test");
	assert_string_equal(stored(&t), "From: alice\r\n\r\nx\r\n");
	end(&t);
}

static void
what_does_not_change_keeps_its_form(void **state)
{
	static const char mail[] =
	    "From: [ not an address ]\r\nDate: d\r\nMessage-ID: <m>\r\n"
	    "To: a\\b@x.test, c . d\r\n\r\nx\r\n";
	struct trial t;

	(void)state;
	set.rules.append_at_myorigin = false;
	begin(&t);
	t.m.trusted = true;
	submit(&t, SPAN(mail), 100);
	assert_string_equal(stored(&t), mail);
	end(&t);
}

static void
canonical_tables_are_asked(void **state)
{
	struct trial t;

	(void)state;
	set.rewrites_headers = set.rewrites_sender = true;
	begin(&t);
	t.m.trusted = true;
	submit(&t,
	    SPAN("From: A <a@x.test>\r\nDate: d\r\nMessage-ID: <m>\r\n"
		 "To: b@x.test\r\nSubject: a@x.test\r\n\r\n"),
	    100);
	assert_string_equal(t.e.sender, "c0.alice@example.org");
	assert_string_equal(stored(&t),
	    "From: A <c2.a@x.test>\r\nDate: d\r\nMessage-ID: <m>\r\n"
	    "To: c3.b@x.test\r\nSubject: a@x.test\r\n\r\n");
	end(&t);
}

static void
what_would_become_too_long_is_not_completed(void **state)
{
	char word[1016], header[2100], expected[2100];
	struct trial t;

	(void)state;
	memset(word, 'w', 1015);
	word[1015] = '\0';
	snprintf(header, sizeof(header),
	    "From: f@x.test\r\nDate: d\r\nMessage-ID: <m>\r\n"
	    "To: b,\r\n %s\r\n\r\n",
	    word);
	snprintf(expected, sizeof(expected),
	    "From: c2.f@x.test\r\nDate: d\r\nMessage-ID: <m>\r\n"
	    "To: c3.b@example.test,\r\n c3.%s\r\n\r\n",
	    word);
	set.rewrites_headers = set.rewrites_sender = true;
	begin(&t);
	t.m.trusted = true;
	t.m.sender = word;
	submit(&t, span_of(header), 100);
	assert_int_equal(t.verdict, OK);
	assert_int_equal(strncmp(t.e.sender, "c0.w", 4), 0);
	assert_string_equal(t.e.sender + 3, word);
	assert_string_equal(stored(&t), expected);
	end(&t);
}

static void
recipients_from_the_header(void **state)
{
	struct trial t;

	(void)state;
	begin(&t);
	t.m.extract = true;
	t.m.recipients.count = 0;
	submit(&t,
	    SPAN("To: a@x.test, B <b@x.test>\r\nCc: c@x.test\r\n"
		 "Bcc: d@x.test,\r\n e@x.test\r\n\r\nTo: no@x.test\r\n"),
	    5);
	assert_int_equal(t.verdict, OK);
	assert_int_equal(t.e.recipient_count, 5);
	assert_string_equal(t.e.recipients[4].address, "e@x.test");
	assert_int_equal(t.e.recipients[4].notify, 0);
	assert_null(strstr(t.file.p, "d@x.test"));
	end(&t);
	begin(&t);
	t.m.extract = true;
	t.m.recipients.count = 0;
	t.m.extract_notify = NOTIFY_SUCCESS;
	submit(&t, SPAN("To: a@x.test\r\nResent-To: r@x.test\r\n\r\n"), 5);
	assert_int_equal(t.e.recipient_count, 1);
	assert_string_equal(t.e.recipients[0].address, "r@x.test");
	assert_int_equal(t.e.recipients[0].notify, NOTIFY_SUCCESS);
	end(&t);
	begin(&t);
	t.m.extract = true;
	t.m.recipients.count = 0;
	submit(&t, SPAN("Subject: x\r\n\r\n"), 5);
	assert_int_equal(t.verdict, NEVER);
	assert_string_equal(t.dsn, "5.1.0");
	end(&t);
}

static void
lists_are_expanded_and_duplicates_dropped(void **state)
{
	struct trial t;

	(void)state;
	begin(&t);
	add_recipient(&t, "list@example.test");
	add_recipient(&t, "one@example.net");
	add_recipient(&t, "ONE@example.net");
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	/* bob, one by the list, two by the list, one by itself */
	assert_int_equal(t.e.recipient_count, 4);
	assert_int_equal(questions, 1);
	end(&t);
	set.own.enable_original_recipient = false;
	begin(&t);
	add_recipient(&t, "list@example.test");
	add_recipient(&t, "ONE@example.net");
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t.e.recipient_count, 3);
	/* reports and the log name it all the same */
	assert_string_equal(t.e.recipients[1].original, "list@example.test");
	end(&t);
}

static void
copies_are_made(void **state)
{
	struct trial t;

	(void)state;
	set.own.always_bcc = "archive@example.test";
	set.own.sender_bcc_maps = "static:x";
	begin(&t);
	t.m.sender = "alice+x@watched.test";
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t.e.recipient_count, 3);
	assert_string_equal(t.e.recipients[1].address, "archive@example.test");
	assert_int_equal(t.e.recipients[1].notify, NOTIFY_NEVER);
	assert_string_equal(t.e.recipients[2].address, "watcher@example.test");
	end(&t);
	/* reports are not copied, and qmgr is not told */
	ipc_free(&qmgr);
	begin(&t);
	t.m.origin = "bounce";
	t.m.report = true;
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t.e.recipient_count, 1);
	assert_true(t.e.flags & QUEUE_REPORT);
	assert_null(qmgr);
	end(&t);
}

static void
refusals_leave_no_file(void **state)
{
	char *content = mem_new(400000);
	size_t before = files_in("incoming");
	struct trial t;

	(void)state;
	memset(content, 'x', 400000);
	memcpy(content, "A: b\r\n\r\n", 8);
	set.common.message_size_limit = 300000;
	begin(&t);
	submit(&t, (struct span){ content, 400000 }, 65536);
	assert_int_equal(t.verdict, NEVER);
	assert_string_equal(t.dsn, "5.3.4");
	end(&t);
	begin(&t);
	add_recipient(&t, "x@example.net");
	lookup_says = LATER;
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t.verdict, LATER);
	end(&t);
	begin(&t);
	set.own.queue_minfree = INT64_MAX;
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t.verdict, LATER);
	assert_string_equal(t.dsn, "4.3.1");
	end(&t);
	assert_int_equal(files_in("incoming"), before);
	free(content);
}

static void
a_submitter_that_goes_away_leaves_no_file(void **state)
{
	size_t before = files_in("incoming");
	struct submission *s;
	struct trial t;

	(void)state;
	begin(&t);
	s = submission_new(&set, t.arena, &t.m);
	submission_add(s, SPAN("A: b\r\n\r\nhello"));
	assert_int_equal(files_in("incoming"), before + 1);
	submission_free(&s);
	assert_int_equal(files_in("incoming"), before);
	end(&t);
}

static void
long_fields_are_cut(void **state)
{
	struct buf content = BUF_INIT(1 << 22);
	struct trial t;

	(void)state;
	set.own.header_size_limit = 1000;
	buf_add_text(&content, "A: b\r\nX: ");
	for (int i = 0; i < 200000; i++)
		buf_add_text(&content, i % 10 ? "xxx" : "\r\n ");
	buf_add_text(&content, "\r\nSubject: s\r\n\r\nbody\r\n");
	begin(&t);
	submit(&t, buf_span(&content), 60000);
	assert_int_equal(t.verdict, OK);
	assert_true(t.e.content_size < 1100);
	assert_non_null(strstr(t.file.p, "\r\nSubject: s\r\n\r\nbody\r\n"));
	end(&t);
	/* a recipient must not be cut off unseen */
	buf_reset(&content);
	buf_add_text(&content, "To: a@x.test");
	for (int i = 0; i < 200; i++)
		buf_add_text(&content, ",\r\n b@x.test");
	buf_add_text(&content, "\r\n\r\n");
	begin(&t);
	t.m.extract = true;
	submit(&t, buf_span(&content), 60000);
	assert_int_equal(t.verdict, NEVER);
	end(&t);
	begin(&t);
	submit(&t, buf_span(&content), 60000);
	assert_int_equal(t.verdict, OK);
	end(&t);
	/* without a colon there is no field, however long it is */
	buf_reset(&content);
	for (int i = 0; i < 100000; i++)
		buf_add_text(&content, "xxxx");
	begin(&t);
	submit(&t, buf_span(&content), 60000);
	assert_int_equal(t.e.content_size, 400004);
	end(&t);
	buf_fini(&content);
}

static void
what_was_queued_is_not_queued_again(void **state)
{
	char id[QUEUE_ID_MAX];
	size_t before;
	struct trial t;

	(void)state;
	queue_id_mint(id);
	begin(&t);
	t.m.origin = "pickup";
	t.m.queue_id = id;
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_string_equal(t.id, id);
	end(&t);
	before = files_in("incoming");
	begin(&t);
	t.m.origin = "pickup";
	t.m.queue_id = id;
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t.verdict, OK);
	assert_string_equal(t.id, id);
	assert_int_equal(files_in("incoming"), before);
	end(&t);
	/* what was never committed does not count */
	queue_id_mint(id);
	assert_int_equal(chdir("incoming"), 0);
	close(open(id, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(chdir(".."), 0);
	begin(&t);
	t.m.origin = "pickup";
	t.m.queue_id = id;
	submit(&t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t.verdict, OK);
	assert_string_not_equal(t.id, id);
	end(&t);
}

static void
put_one(struct trial *t)
{
	begin(t);
	submit(t, SPAN("A: b\r\n\r\n"), 100);
	assert_int_equal(t->verdict, OK);
	end(t);
}

static void
qmgr_that_could_not_be_told_is_told_to_look(void **state)
{
	const void *message;
	struct trial t;
	int64_t next;

	(void)state;
	assert_int_equal(qmgr_notice_owed(), INT64_MAX);
	ipc_free(&qmgr); /* of an earlier message: it ends */
	qmgr_away = true;
	put_one(&t);
	next = qmgr_notice_owed();
	assert_true(next > clock_ms() && next <= clock_in(2));
	qmgr_away = false;
	/* not asked again before that */
	assert_int_equal(qmgr_notice_owed(), next);
	while (clock_ms() < next)
		usleep(10000);
	assert_int_equal(qmgr_notice_owed(), INT64_MAX);
	assert_int_equal(ipc_expect(qmgr, &message_scan, &message,
			     clock_in(10)),
	    IPC_OK);
	/* and with the next notice */
	ipc_free(&qmgr);
	qmgr_away = true;
	put_one(&t);
	qmgr_away = false;
	put_one(&t);
	assert_int_equal(ipc_expect(qmgr, &message_queued, &message,
			     clock_in(10)),
	    IPC_OK);
	assert_int_equal(ipc_expect(qmgr, &message_scan, &message,
			     clock_in(10)),
	    IPC_OK);
	assert_int_equal(qmgr_notice_owed(), INT64_MAX);
}

static void
full_connection_to_qmgr_is_closed_behind_its_notices(void **state)
{
	const struct ipc_message *kind;
	const void *message;
	unsigned int notices = 0;
	struct ipc *full;
	struct trial t;
	int small = 4096;

	(void)state;
	put_one(&t);
	full = qmgr;
	qmgr = NULL; /* the next connection is another one */
	assert_non_null(full);
	setsockopt(ipc_fd(full), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 2000 && qmgr == NULL; i++)
		put_one(&t);
	assert_non_null(qmgr);
	while (ipc_receive(full, &kind, &message, clock_in(2)) == IPC_OK)
		notices++;
	assert_true(notices > 1);
	assert_int_equal(ipc_receive(full, &kind, &message, clock_in(2)),
	    IPC_CLOSED);
	ipc_free(&full);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_plain_message_is_stored_as_it_is,
		    reset),
		cmocka_unit_test_setup(
		    no_delivery_headers_for_relayed_or_several, reset),
		cmocka_unit_test_setup(content_rows, reset),
		cmocka_unit_test_setup(pieces_do_not_matter, reset),
		cmocka_unit_test_setup(bytes_and_lines_are_noticed, reset),
		cmocka_unit_test_setup(the_lack_of_delivered_to_is_marked,
		    reset),
		cmocka_unit_test_setup(
		    the_header_for_undisclosed_recipients_may_be_delivered_to,
		    reset),
		cmocka_unit_test_setup(loops_end, reset),
		cmocka_unit_test_setup(
		    missing_headers_are_added_to_our_users_mail, reset),
		cmocka_unit_test_setup(addresses_without_domain_get_ours,
		    reset),
		cmocka_unit_test_setup(what_does_not_change_keeps_its_form,
		    reset),
		cmocka_unit_test_setup(canonical_tables_are_asked, reset),
		cmocka_unit_test_setup(
		    what_would_become_too_long_is_not_completed, reset),
		cmocka_unit_test_setup(recipients_from_the_header, reset),
		cmocka_unit_test_setup(
		    lists_are_expanded_and_duplicates_dropped, reset),
		cmocka_unit_test_setup(copies_are_made, reset),
		cmocka_unit_test_setup(refusals_leave_no_file, reset),
		cmocka_unit_test_setup(
		    a_submitter_that_goes_away_leaves_no_file, reset),
		cmocka_unit_test_setup(long_fields_are_cut, reset),
		cmocka_unit_test_setup(what_was_queued_is_not_queued_again,
		    reset),
		cmocka_unit_test_setup(
		    qmgr_that_could_not_be_told_is_told_to_look, reset),
		cmocka_unit_test_setup(
		    full_connection_to_qmgr_is_closed_behind_its_notices,
		    reset),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
