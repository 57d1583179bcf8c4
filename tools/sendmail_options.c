/* SPDX-License-Identifier: ISC */
/*
 * Forty years of sendmail options. What only ever concerned sendmail's own
 * inside (-m, -n, -h, -L, -o... , -O...) is taken and has no effect, since
 * programs give it without thought; what asks for something that does not
 * exist here is refused.
 */
#include "tools/sendmail_options.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/span.h"
#include "lib/log/log.h"
#include "lib/queue/queue_file.h"

static const struct {
	char letter;
	enum sendmail_mode mode;
} modes[] = {
	{ 'm', MODE_ENQUEUE },
	{ 'v', MODE_VERIFY },
	{ 's', MODE_SMTP },
	{ 'p', MODE_LIST },
	{ 'i', MODE_ALIASES },
	{ 'd', MODE_DAEMON },
	{ 'D', MODE_DAEMON },
	{ 'l', MODE_DAEMON },
	{ 'h', MODE_NOTHING },
	{ 'H', MODE_NOTHING },
};

static void
take_mode(struct sendmail_options *o, const char *value)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (value[0] == modes[i].letter && value[1] == '\0') {
			o->mode = modes[i].mode;
			return;
		}
	fatal_status(EX_USAGE, "unsupported: -b%s", value);
}

static void
take_flush(struct sendmail_options *o, const char *value)
{
	if (value == NULL) {
		o->mode = MODE_FLUSH;
	} else if (value[0] >= '0' && value[0] <= '9') {
		/* qmgr has its own interval, queue_run_delay */
		if (o->mode == MODE_ENQUEUE)
			o->mode = MODE_NOTHING;
	} else if (value[0] == 'R' && value[1] != '\0') {
		o->mode = MODE_FLUSH_SITE;
		o->flush = value + 1;
	} else if (value[0] == 'I' && value[1] != '\0') {
		o->mode = MODE_FLUSH_ID;
		o->flush = value + 1;
	} else {
		fatal_status(EX_USAGE, "unsupported: -q%s", value);
	}
}

/*
 * RFC 3461 section 4.1. A wrong value must not cost the message: programs
 * have it in their configuration, and nobody reads what they are told.
 */
static unsigned int
parse_notify(const char *value)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} words[] = { { "never", NOTIFY_NEVER }, { "success", NOTIFY_SUCCESS },
		{ "failure", NOTIFY_FAILURE }, { "delay", NOTIFY_DELAY } };
	struct span rest = span_of(value), word;
	unsigned int bits = 0, before;

	while (span_cut(&rest, ", ", true, &word)) {
		before = bits;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (span_is_nocase(word, words[i].name))
				bits |= words[i].bit;
		if (bits == before)
			bits = NOTIFY_NEVER | NOTIFY_FAILURE; /* not valid */
	}
	if (bits != 0 && (!(bits & NOTIFY_NEVER) || bits == NOTIFY_NEVER))
		return bits;
	log_warning("bad -N option value -- ignored");
	return NOTIFY_DEFAULT;
}

static unsigned int
parse_ret(const char *value)
{
	if (strcasecmp(value, "full") == 0)
		return 1;
	if (strcasecmp(value, "hdrs") == 0)
		return 2;
	log_warning("bad -R option value -- ignored");
	return 0;
}

static unsigned int
parse_body(const char *value)
{
	if (strcasecmp(value, "7BIT") == 0)
		return 1;
	if (strcasecmp(value, "8BITMIME") == 0)
		return 2;
	fatal_status(EX_USAGE, "-B option needs 8BITMIME or 7BIT");
}

static noreturn void
usage(void)
{
	fatal_status(EX_USAGE,
	    "usage: sendmail [-tiv] [-f sender] [-F name] [-N dsn] "
	    "[-R full|hdrs] [-V envid] [-B 7BIT|8BITMIME] [-C config] "
	    "[-bm|-bs|-bv|-bp|-bi|-q|-qRsite|-qIid] [recipient ...]");
}

static void
take_option(struct sendmail_options *o, int option, const char *value)
{
	switch (option) {
	case 'B':
		o->body = parse_body(value);
		break;
	case 'b':
		take_mode(o, value);
		break;
	case 'C':
		o->config = value;
		break;
	case 'F':
		o->full_name = value;
		break;
	case 'f':
	case 'r':
		o->sender = value;
		break;
	case 'G':
		o->gateway = true;
		break;
	case 'I':
		o->mode = MODE_ALIASES;
		break;
	case 'i':
		o->ignore_dots = true;
		break;
	case 'N':
		o->notify = parse_notify(value);
		break;
	case 'o': /* -oi: as -i; the others concern sendmail's inside */
		if (strcmp(value, "i") == 0)
			o->ignore_dots = true;
		break;
	case 'q':
		take_flush(o, value);
		break;
	case 'R':
		o->ret = parse_ret(value);
		break;
	case 't':
		o->extract = true;
		break;
	case 'X':
		log_warning("-X is ignored: no transcript is written to %s; "
			    "posttrace tells the story of a message",
		    value);
		break;
	case 'V':
		o->envid = value;
		break;
	case 'v':
		o->trace = true;
		break;
	case '?':
		usage();
	default:
		break; /* of no meaning here */
	}
}

const char *
sendmail_program_name(const char *path)
{
	static const char *const names[] = { "mailq", "newaliases" };
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return names[i];
	return "sendmail";
}

/* By which name were we called? */
static enum sendmail_mode
mode_of_name(const char *path)
{
	const char *name = sendmail_program_name(path);

	if (strcmp(name, "mailq") == 0)
		return MODE_LIST;
	if (strcmp(name, "newaliases") == 0)
		return MODE_ALIASES;
	return MODE_ENQUEUE;
}

void
sendmail_options_parse(int argc, char **argv, struct sendmail_options *out)
{
	/* "+": options end at the first recipient; "q::": -q and -qRsite */
	static const char options[] =
	    "+A:B:C:D:F:GIL:N:O:R:UV:X:b:cd::e:f:h:imno:p:q::r:stvx";
	int option;

	*out = (struct sendmail_options){ .mode = mode_of_name(argv[0]) };
	while ((option = getopt(argc, argv, options)) != -1)
		take_option(out, option, optarg);
	out->recipients = argv + optind;
	if (out->envid != NULL &&
	    (strlen(out->envid) > 100 || !span_is_ascii(span_of(out->envid))))
		fatal_status(EX_USAGE, "bad -V option value -- %s", out->envid);
}
