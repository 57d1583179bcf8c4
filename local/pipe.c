/* SPDX-License-Identifier: ISC */
/*
 * pipe: an external command takes the mail, as its line in master.cf says:
 *
 *	user=NAME[:GROUP] argv=/path/of/command ${recipient} ...
 *
 * No shell is ever involved. Addresses of strangers become arguments: one
 * that would be taken for an option, because it begins with "-" where the
 * argument's own text does not, is refused.
 */
#include "local/agent.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/conf/master_cf.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_file.h"
#include "local/command.h"
#include "local/environment.h"

enum pipe_flag {
	PIPE_BLANK_LINE = 1, /* B */
	PIPE_DELIVERED_TO = 2, /* D */
	PIPE_FROM_LINE = 4, /* F */
	PIPE_ORIGINAL_TO = 8, /* O */
	PIPE_RETURN_PATH = 16, /* R */
	PIPE_RELAY = 32, /* X: somebody else delivers in the end */
	PIPE_FOLD_DOMAIN = 64, /* h */
	PIPE_QUOTE = 128, /* q */
	PIPE_FOLD_USER = 256, /* u */
	PIPE_DOTS = 512, /* . */
	PIPE_QUOTE_FROM = 1024, /* > */
};

static struct {
	unsigned int flags;
	const char *user;
	uid_t uid;
	gid_t gid;
	char *const *argv; /* templates */
	int argc;
	char eol[16];
	uint64_t size; /* 0: no limit */
	const char *null_sender;
	const char *directory;
	const char *chroot;
} set = { .eol = "\n", .null_sender = "MAILER-DAEMON" };

/* What ${...} means for one recipient of one request. */
struct expansion {
	struct request *r;
	const struct msg_deliver_recipient *to;
	bool of_recipient; /* such a name was used */
	bool of_stranger; /* a name was used whose value others choose */
	bool unknown; /* a name that nobody knows was used */
};

static void
take_flags(const char *service, const char *text)
{
	static const char letters[] = MASTER_PIPE_FLAGS;
	const char *at;

	for (; *text != '\0'; text++) {
		at = strchr(letters, *text);
		if (at == NULL)
			fatal("service %s: unknown flag in master.cf: %c",
			    service, *text);
		set.flags |= 1U << (at - letters);
	}
}

static void
take_user(const char *service, const char *text)
{
	char *name = mem_text(text), *group = strchr(name, ':');
	const struct passwd *pw;
	const struct group *gr;

	if (group != NULL)
		*group++ = '\0';
	pw = getpwnam(name);
	if (pw == NULL)
		fatal("service %s: no user is named %s", service, name);
	set.user = name;
	set.uid = pw->pw_uid;
	set.gid = pw->pw_gid;
	if (group == NULL)
		return;
	gr = getgrnam(group);
	if (gr == NULL)
		fatal("service %s: no group is named %s", service, group);
	set.gid = gr->gr_gid;
}

/* "\r\n" and its like. */
static void
take_eol(const char *service, const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n < sizeof(set.eol) - 1; text++) {
		if (*text != '\\') {
			set.eol[n++] = *text;
			continue;
		}
		text++;
		if (*text != 'n' && *text != 'r' && *text != 't' &&
		    *text != '\\')
			fatal("service %s: eol= holds an escape that is "
			      "not \\r, \\n, \\t or \\\\",
			    service);
		set.eol[n++] = *text == 'n' ? '\n' :
		    *text == 'r'            ? '\r' :
		    *text == 't'            ? '\t' :
					      '\\';
	}
	set.eol[n] = '\0';
}

static void
take_attribute(const char *service, const char *word)
{
	size_t n = strcspn(word, "=");
	struct span name = { word, n };
	const char *value = word[n] == '=' ? word + n + 1 : "";

	if (word[n] != '=')
		fatal("service %s: name=value is wanted in master.cf, not %s",
		    service, word);
	if (span_is(name, "flags"))
		take_flags(service, value);
	else if (span_is(name, "user"))
		take_user(service, value);
	else if (span_is(name, "eol"))
		take_eol(service, value);
	else if (span_is(name, "directory"))
		set.directory = value;
	else if (span_is(name, "chroot"))
		set.chroot = value;
	else if (span_is(name, "null_sender"))
		set.null_sender = value;
	else if (!span_is(name, "size"))
		fatal("service %s: unknown attribute in master.cf: %s", service,
		    word);
	else if (!span_u64(span_of(value), INT64_MAX, &set.size))
		fatal("service %s: size= is no number", service);
}

static void
check(struct agent *a, const char *service)
{
	const char *owner = a->common.mail_owner;
	const struct passwd *pw = getpwnam(owner);

	if (set.argc == 0)
		fatal("service %s: argv= is missing in master.cf", service);
	if (set.user == NULL)
		fatal("service %s: user= is missing in master.cf", service);
	if (set.uid == 0)
		fatal("service %s: user= must not be root", service);
	if (pw != NULL && pw->pw_uid == set.uid)
		fatal("service %s: user= must not be the owner of the queue, "
		      "%s",
		    service, owner);
}

void
pipe_arguments(struct agent *a, int argc, char **argv)
{
	const char *service = a->service->name;
	int i = 0;

	for (; i < argc && strncmp(argv[i], "argv=", 5) != 0; i++)
		take_attribute(service, argv[i]);
	if (i < argc) {
		argv[i] += 5;
		if (argv[i][0] == '\0')
			i++;
		set.argv = argv + i;
		set.argc = argc - i;
	}
	check(a, service);
}

static const char *
folded(struct request *r, struct span text, bool fold)
{
	char *copy = arena_span(r->arena, text);

	for (char *p = copy; fold && *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* An address with the flags h, u and q applied. */
static const char *
address_text(struct request *r, const char *address)
{
	size_t at = span_rfind(span_of(address), '@');
	struct span user = span_take(span_of(address), at);
	struct span domain = span_skip(span_of(address), at + 1);
	const char *text;

	text = arena_printf(r->arena, "%s%s%s",
	    folded(r, user, set.flags & PIPE_FOLD_USER),
	    address[at] == '@' ? "@" : "",
	    folded(r, domain, set.flags & PIPE_FOLD_DOMAIN));
	return set.flags & PIPE_QUOTE ? request_quoted(r, text) : text;
}

/* user, extension, mailbox (both), domain of the recipient. */
static const char *
recipient_part(struct expansion *x, struct span name)
{
	struct request *r = x->r;
	struct span address = span_of(x->to->address);
	size_t at = span_rfind(address, '@'), base;
	struct span mailbox = span_take(address, at);

	x->of_recipient = true;
	if (span_is(name, "domain"))
		return folded(r, span_skip(address, at + 1),
		    set.flags & PIPE_FOLD_DOMAIN);
	base = table_extension(mailbox, r->agent->common.recipient_delimiter);
	if (span_is(name, "user"))
		mailbox = span_take(mailbox, base);
	else if (span_is(name, "extension"))
		mailbox = span_skip(mailbox, base + 1);
	return folded(r, mailbox, set.flags & PIPE_FOLD_USER);
}

/* "name[address]" of the client, from the envelope in the queue file. */
static const char *
client_part(struct request *r, struct span name)
{
	struct queue_envelope e;
	struct span client;
	size_t open;

	if (queue_read_envelope(r->m->content, r->m->queue_id, r->arena, &e) !=
	    QUEUE_OK)
		return "";
	client = span_of(e.client);
	open = span_find(client, '[');
	if (open == client.n)
		return span_is(name, "client_hostname") ? "localhost" :
							  "127.0.0.1";
	if (span_is(name, "client_hostname"))
		return arena_span(r->arena, span_take(client, open));
	client = span_skip(client, open + 1);
	return arena_span(r->arena, span_take(client, span_find(client, ']')));
}

static const char *
resolve(void *with, struct span name)
{
	static const char *const empty[] = { "client_helo", "client_port",
		"client_protocol", "sasl_method", "sasl_sender",
		"sasl_username", NULL };
	struct expansion *x = with;
	struct request *r = x->r;

	if (span_is(name, "recipient")) {
		x->of_recipient = true;
		return address_text(r, x->to->address);
	}
	if (span_is(name, "original_recipient")) {
		x->of_recipient = true;
		return address_text(r, x->to->original);
	}
	if (span_is(name, "user") || span_is(name, "extension") ||
	    span_is(name, "mailbox") || span_is(name, "domain"))
		return recipient_part(x, name);
	if (span_is(name, "sender")) {
		if (r->m->sender[0] == '\0')
			return set.null_sender;
		x->of_stranger = true;
		return address_text(r, r->m->sender);
	}
	/* a captured smtpd tells it, and the client's name */
	if (span_is(name, "nexthop")) {
		x->of_stranger = true;
		return folded(r, span_of(r->m->nexthop),
		    set.flags & PIPE_FOLD_DOMAIN);
	}
	if (span_is(name, "queue_id"))
		return r->m->queue_id;
	if (span_is(name, "size"))
		return arena_printf(r->arena, "%llu",
		    (unsigned long long)r->m->content_size);
	if (span_is(name, "envid")) {
		x->of_stranger = true;
		return r->m->envid;
	}
	if (span_is(name, "client_hostname") ||
	    span_is(name, "client_address")) {
		x->of_stranger = true;
		return client_part(r, name);
	}
	for (const char *const *e = empty; *e != NULL; e++)
		if (span_is(name, *e))
			return "";
	if (conf_value(r->agent->service->conf, arena_span(r->arena, name)) ==
	    NULL)
		x->unknown = true;
	return NULL;
}

struct arguments {
	char **list;
	size_t count;
	size_t room;
};

static void
add_argument(struct arguments *a, struct arena *arena, const char *text)
{
	char **more;

	if (a->count + 1 >= a->room) {
		a->room = a->room ? 2 * a->room : 32;
		more = arena_alloc(arena, a->room * sizeof(*more));
		if (a->count > 0)
			memcpy(more, a->list, a->count * sizeof(*more));
		a->list = more;
	}
	a->list[a->count++] = arena_text(arena, text);
}

/* One template for one recipient; false: cannot be used, *why says why. */
static bool
expand_one(struct expansion *x, const char *template, struct arguments *a,
    struct why *why)
{
	struct request *r = x->r;
	struct buf out = BUF_INIT(65536), error = BUF_INIT(4096);
	bool ok = conf_expand_with(r->agent->service->conf, template, resolve,
	    x, &out, &error);

	if (!ok || x->unknown) {
		log_warning("service %s: bad argument in master.cf: %s",
		    r->agent->service->name, template);
		why_set(why, "4.3.5", "mail system configuration error");
		ok = false;
	} else if ((x->of_recipient || x->of_stranger) && template[0] != '-' &&
	    buf_text(&out)[0] == '-') {
		why_set(why, "5.1.3", "the address begins with \"-\"");
		ok = false;
	} else {
		add_argument(a, r->arena, buf_text(&out));
	}
	buf_fini(&out);
	buf_fini(&error);
	return ok;
}

/* A template that names the recipient stands for one argument for each. */
static bool
expand(struct request *r, size_t first, size_t count, struct arguments *a,
    struct why *why)
{
	for (int i = 0; i < set.argc; i++) {
		struct expansion x = { .r = r };

		for (size_t n = first; n < first + count; n++) {
			x.to = request_recipient(r, n);
			if (!expand_one(&x, set.argv[i], a, why))
				return false;
			if (!x.of_recipient)
				break;
		}
	}
	return true;
}

static struct span
headers(struct request *r, const struct msg_deliver_recipient *to)
{
	return request_headers_exactly(r,
	    set.flags & PIPE_ORIGINAL_TO ? to->original : NULL,
	    set.flags & PIPE_DELIVERED_TO ? to->address : NULL,
	    set.flags & PIPE_RETURN_PATH);
}

static enum verdict
run(struct request *r, char **argv, const struct msg_deliver_recipient *to,
    struct buf *output, struct why *why)
{
	struct agent *a = r->agent;
	struct deliver_source source;
	struct environment environment;
	struct command c = {
		.argv = argv,
		.user = set.user,
		.uid = set.uid,
		.gid = set.gid,
		.root = a->root,
		.directory = set.directory ? set.directory : "/",
		.chroot = set.chroot,
		.limit_s =
		    conf_family_number(a->service->conf, a->service->name,
			"time_limit", PARAM_TIME, a->own.command_time_limit),
		.source = &source,
		.line_end = set.eol,
		.quote_from = set.flags & PIPE_QUOTE_FROM,
		.dot_stuff = set.flags & PIPE_DOTS,
		.after = set.flags & PIPE_BLANK_LINE ? set.eol : NULL,
	};

	request_content(r, &source);
	source.headers = headers(r, to);
	if (set.flags & PIPE_FROM_LINE)
		c.before = request_from_line(r, set.eol);
	environment_init(&environment, r->arena);
	environment_export(&environment, a->own.export_environment);
	c.environment = environment.list;
	return command_run(&c, output, why);
}

/* One run of the command for these recipients. */
static void
deliver_some(struct request *r, size_t first, size_t count)
{
	struct buf output = BUF_INIT(COMMAND_OUTPUT_MAX + 1);
	struct arguments arguments = { 0 };
	struct why why = { 0 };
	enum verdict v = OK;

	if (!expand(r, first, count, &arguments, &why)) {
		v = why.dsn[0] == '5' ? NEVER : LATER;
	} else if (!r->verify) {
		add_argument(&arguments, r->arena, "");
		arguments.list[--arguments.count] = NULL;
		v = run(r, arguments.list, request_recipient(r, first), &output,
		    &why);
	}
	if (v == OK)
		why_set(&why, "2.0.0", "%s via %s service%s%s%s",
		    r->verify ? "delivers" : "delivered",
		    r->agent->service->name, output.n ? " (" : "",
		    buf_text(&output), output.n ? ")" : "");
	for (size_t i = first; i < first + count; i++)
		request_outcome(r, i, v,
		    set.flags & PIPE_RELAY ? "relayed" : "delivered", &why);
	buf_fini(&output);
}

static bool
refused_for_loop(struct request *r, size_t index)
{
	const char *address = request_recipient(r, index)->address;
	struct why why;

	if (!(set.flags & PIPE_DELIVERED_TO) || !request_loops(r, address))
		return false;
	request_outcome(r, index,
	    why_set(&why, "5.4.6", "mail forwarding loop for %s", address), "",
	    &why);
	return true;
}

void
pipe_deliver(struct request *r)
{
	size_t count = r->m->recipients.count;
	struct why why;

	if (set.size > 0 && r->m->content_size > set.size) {
		request_outcome_all(r,
		    why_set(&why, "5.2.3",
			"message size %llu exceeds size limit %llu for service "
			"%s",
			(unsigned long long)r->m->content_size,
			(unsigned long long)set.size, r->agent->service->name),
		    "", &why);
		return;
	}
	/* headers that name the recipient allow of only one */
	if (!(set.flags & (PIPE_DELIVERED_TO | PIPE_ORIGINAL_TO))) {
		deliver_some(r, 0, count);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (!refused_for_loop(r, i))
			deliver_some(r, i, 1);
}
