/* SPDX-License-Identifier: ISC */
#include "master/restrictions_check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/table/network.h"
#include "lib/table/table_check.h"
#include "master/access_check.h"
#include "master/relaying_check.h"

enum argument { ARGUMENT_NONE, ARGUMENT_TABLE, ARGUMENT_TEXT, ARGUMENT_NEXT };

struct known {
	const char *name;
	enum argument argument;
};

static const struct known ours[] = {
#define RESTRICTION(name, argument, function, meaning) \
	{ #name, ARGUMENT_##argument },
#define MISSING(name, argument)
#include "smtpd/restrictions.def"
#undef RESTRICTION
#undef MISSING
};

/* Postfix has them, we do not yet: they are no slips of the pen. */
static const struct known missing[] = {
#define RESTRICTION(name, argument, function, meaning)
#define MISSING(name, argument) { #name, ARGUMENT_##argument },
#include "smtpd/restrictions.def"
#undef RESTRICTION
#undef MISSING
};

enum {
	OURS = sizeof(ours) / sizeof(ours[0]),
	MISSING = sizeof(missing) / sizeof(missing[0]),
};

/* One list under check. */
struct checking {
	struct conf *c;
	const char *setting;
	struct span rest;
	struct buf *errors;
	struct buf *warnings;
	struct access_checked checked;
};

static const struct known *
find(const struct known *list, size_t count, struct span name)
{
	for (size_t i = 0; i < count; i++)
		if (span_is_nocase(name, list[i].name))
			return &list[i];
	return NULL;
}

/* Of restrictions and classes, whichever is least far away. */
static void
nearest(struct conf *c, struct span word, struct buf *to)
{
	struct span rest = span_of(conf_value(c, "smtpd_restriction_classes"));
	struct span class, best = { 0 };
	size_t least = word.n / 5 + 2;

	for (size_t i = 0; i < OURS + MISSING; i++) {
		const char *name =
		    i < OURS ? ours[i].name : missing[i - OURS].name;
		size_t d = conf_name_distance(word, name);

		if (d < least) {
			least = d;
			best = span_of(name);
		}
	}
	while (conf_list_next(&rest, &class)) {
		char *name = mem_span_text(class);
		size_t d = conf_name_distance(word, name);

		if (d < least) {
			least = d;
			best = class;
		}
		free(name);
	}
	if (best.n > 0)
		buf_printf(to, "; did you mean \"%.*s\"?", SPAN_ARG(best));
}

static void
unknown(struct checking *k, struct span word)
{
	buf_printf(k->errors, "%s: %s: unknown restriction: \"%.*s\"",
	    conf_origin(k->c, k->setting), k->setting,
	    SPAN_ARG(span_take(word, 200)));
	if (span_find(word, ';') < word.n)
		buf_add_text(k->errors,
		    ": blanks or commas separate restrictions");
	else
		nearest(k->c, word, k->errors);
	buf_add_text(k->errors, "\n");
}

static void
wrong(struct checking *k, const char *why, struct span word)
{
	buf_printf(k->errors, "%s: %s: %s: \"%.*s\"\n",
	    conf_origin(k->c, k->setting), k->setting, why,
	    (int)(word.n < 200 ? word.n : 200), word.p);
}

/* Protection that is not there, as settings are: lib/conf/conf_verdict.c. */
static void
lacking(struct checking *k, struct span word)
{
	static const char why[] = "this restriction is not supported yet";
	bool tolerated =
	    strcmp(conf_value(k->c, "missing_protection"), "warn") == 0;
	struct buf *to = tolerated ? k->warnings : k->errors;

	if (to != NULL)
		buf_printf(to, "%s: %s: %s: \"%.*s\"%s\n",
		    conf_origin(k->c, k->setting), k->setting, why,
		    (int)(word.n < 200 ? word.n : 200), word.p,
		    tolerated ? "" :
				" (\"missing_protection = warn\" in main.cf "
				"leaves it out)");
}

static bool
is_class(struct conf *c, struct span name)
{
	struct span rest = span_of(conf_value(c, "smtpd_restriction_classes"));
	struct span class;

	while (conf_list_next(&rest, &class)) {
		char *text = mem_span_text(class);
		bool same = span_is(name, text);

		free(text);
		if (same)
			return true;
	}
	return false;
}

/* What a value of an access table may begin with, besides an action. */
static bool
is_restriction(void *with, struct span word)
{
	struct checking *k = with;

	return find(ours, OURS, word) != NULL ||
	    find(missing, MISSING, word) != NULL ||
	    span_find(word, ':') < word.n || is_class(k->c, word);
}

static void
check_access_table(struct checking *k, struct span spec)
{
	if (table_check_spec(k->c, k->setting, spec, k->errors, k->warnings))
		access_check(&k->checked, spec, is_restriction, k, k->warnings);
}

static void
check_argument(struct checking *k, const struct known *r, struct span word)
{
	struct span argument;

	if (r->argument == ARGUMENT_NONE || r->argument == ARGUMENT_NEXT)
		return;
	if (!conf_list_next(&k->rest, &argument))
		wrong(k, "an argument is missing behind", word);
	else if (r->argument == ARGUMENT_TABLE &&
	    span_find(argument, ':') == argument.n)
		wrong(k, "a table (type:name) is wanted", argument);
	else if (r->argument == ARGUMENT_TABLE)
		check_access_table(k, argument);
}

static void
check_word(struct checking *k, struct span word)
{
	const struct known *r = find(ours, OURS, word);

	if (r != NULL) {
		check_argument(k, r, word);
	} else if ((r = find(missing, MISSING, word)) != NULL) {
		lacking(k, word);
		check_argument(k, r, word);
	} else if (span_find(word, ':') < word.n) {
		check_access_table(k, word);
	} else if (!is_class(k->c, word)) {
		unknown(k, word);
	}
}

static void
check_list(struct checking *k, const char *setting, const char *text)
{
	struct span word;

	k->setting = setting;
	k->rest = span_of(text);
	while (conf_list_next(&k->rest, &word))
		check_word(k, word);
}

static bool
has_word(const struct buf *list, struct span word)
{
	struct span rest = buf_span(list), item;

	while (conf_list_next(&rest, &item))
		if (span_equal(item, word))
			return true;
	return false;
}

static void
add_words(const char *text, struct buf *to)
{
	struct span rest = span_of(text), word;

	while (conf_list_next(&rest, &word))
		buf_printf(to, "%.*s ", SPAN_ARG(word));
}

/*
 * Does the class, by others or at once, name itself? Each class on the way is
 * taken apart once: "words" grows behind what is being read.
 */
static bool
leads_back(struct conf *c, struct span class, const char *text)
{
	struct buf words = BUF_INIT(1 << 20), taken = BUF_INIT(65536);
	struct buf error = BUF_INIT(1024);
	bool back = false;

	add_words(text, &words);
	for (size_t at = 0, n; !back && at < words.n; at += n + 1) {
		struct span word = span_skip(buf_span(&words), at);

		n = span_find(word, ' ');
		word = span_take(word, n);
		back = span_equal(word, class);
		if (back || !is_class(c, word) || has_word(&taken, word) ||
		    !buf_printf(&taken, "%.*s ", SPAN_ARG(word)))
			continue;
		char *name = mem_span_text(word);
		const char *raw = conf_raw(c, name);

		text = raw != NULL ? conf_expand(c, raw, &error) : NULL;
		free(name);
		if (text != NULL)
			add_words(text, &words);
	}
	buf_fini(&words);
	buf_fini(&taken);
	buf_fini(&error);
	return back;
}

static void
check_classes(struct checking *k)
{
	struct span rest =
	    span_of(conf_value(k->c, "smtpd_restriction_classes"));
	struct span name;

	while (conf_list_next(&rest, &name)) {
		char *class = mem_span_text(name);
		const char *raw = conf_raw(k->c, class);
		const char *text =
		    raw == NULL ? NULL : conf_expand(k->c, raw, k->errors);

		k->setting = "smtpd_restriction_classes";
		if (raw == NULL)
			wrong(k, "this class is not set", name);
		else if (text != NULL)
			check_list(k, class, text);
		if (text != NULL && leads_back(k->c, name, text))
			wrong(k, "this class leads back to itself", name);
		free(class);
	}
}

/* Files and tables are somebody else's to check. */
static void
check_networks(struct checking *k, const char *setting)
{
	struct span rest = span_of(conf_value(k->c, setting));
	struct span word;

	while (conf_list_next(&rest, &word)) {
		struct buf error = BUF_INIT(1024);
		struct network n;

		while (word.n > 0 && word.p[0] == '!')
			word = span_skip(word, 1);
		if (network_meant(word) && !network_parse(word, &n, &error))
			buf_printf(k->errors, "%s: %s: %s\n",
			    conf_origin(k->c, setting), setting,
			    buf_text(&error));
		buf_fini(&error);
	}
}

/* Those that are made of mynetworks and the like are told of there. */
static void
check_all_networks(struct checking *k)
{
	static const char *const settings[] = {
		"mynetworks",
		"smtpd_authorized_xclient_hosts",
		"smtpd_authorized_xforward_hosts",
		"smtpd_client_connection_limit_exceptions",
		"smtpd_client_event_limit_exceptions",
		"smtpd_forbid_bare_newline_exclusions",
		"smtpd_sasl_exceptions_networks",
	};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (conf_raw(k->c, settings[i]) != NULL)
			check_networks(k, settings[i]);
}

/* local_header_rewrite_clients */
static void
check_rewrite_clients(struct conf *c, struct buf *errors)
{
	static const char setting[] = "local_header_rewrite_clients";
	static const char *const words[] = { "permit_inet_interfaces",
		"permit_mynetworks", "permit_sasl_authenticated",
		"check_address_map" };
	struct span rest = span_of(conf_value(c, setting)), word;

	while (conf_list_next(&rest, &word)) {
		bool known = span_find(word, ':') < word.n;

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			known = known || span_is_nocase(word, words[i]);
		if (!known)
			buf_printf(errors,
			    "%s: %s: \"%.*s\" is not known here\n",
			    conf_origin(c, setting), setting,
			    SPAN_ARG(span_take(word, 200)));
	}
}

static const char *const lists[] = {
	"smtpd_client_restrictions",
	"smtpd_helo_restrictions",
	"smtpd_sender_restrictions",
	"smtpd_relay_restrictions",
	"smtpd_recipient_restrictions",
	"smtpd_data_restrictions",
	"smtpd_end_of_data_restrictions",
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

/* The strict ones first: one line for a list is enough. */
static void
check_logins(struct conf *c, const char *setting, struct buf *advice)
{
	static const struct {
		const char *restriction;
		const char *refused;
	} asking[] = {
		{ "reject_sender_login_mismatch", "not theirs" },
		{ "reject_authenticated_sender_login_mismatch", "not theirs" },
		{ "reject_known_sender_login_mismatch", "somebody else's" },
	};

	for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++) {
		if (!relaying_check_has(c, setting, asking[i].restriction))
			continue;
		buf_printf(advice,
		    "%s: %s: %s refuses (553) mail of clients that have logged "
		    "in also when an address in From:, Sender: or Resent-From: "
		    "is %s, which Postfix takes: smtpd_from_login_match = no "
		    "is Postfix's way, and smtpd_from_login_match = envelope "
		    "keeps this, and says so\n",
		    conf_origin(c, setting), setting, asking[i].restriction,
		    asking[i].refused);
		return;
	}
}

void
restrictions_check_logins(struct conf *c, struct buf *advice)
{
	if (conf_raw(c, "smtpd_from_login_match") != NULL)
		return;
	for (size_t i = 0; i < LISTS; i++)
		check_logins(c, lists[i], advice);
}

void
restrictions_check_settings(struct conf *c, struct buf *errors,
    struct buf *warnings)
{
	struct checking k = { .c = c, .errors = errors, .warnings = warnings };

	check_classes(&k);
	for (size_t i = 0; i < LISTS; i++) {
		check_list(&k, lists[i], conf_value(c, lists[i]));
		if (warnings != NULL)
			relaying_check_order(c, lists[i], warnings);
	}
	check_rewrite_clients(c, errors);
	check_all_networks(&k);
	if (warnings != NULL)
		relaying_check(c, warnings);
	access_checked_fini(&k.checked);
}
