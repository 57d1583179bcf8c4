/* SPDX-License-Identifier: ISC */
#include "master/relaying_check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/table/table.h"
#include "lib/table/words.h"

static const char relay[] = "smtpd_relay_restrictions";
static const char recipient[] = "smtpd_recipient_restrictions";

static bool
is_one_of(struct span word, const char *const *words)
{
	while (*words != NULL && !span_is_nocase(word, *words))
		words++;
	return *words != NULL;
}

/* Everybody who comes so far is let through, or refused. */
static bool
ends_list(struct span word)
{
	static const char *const words[] = { "permit", "reject", "defer",
		NULL };

	return is_one_of(word, words);
}

static bool
refuses_other_sites(struct span word)
{
	static const char *const words[] = { "reject_unauth_destination",
		"defer_unauth_destination", NULL };

	return is_one_of(word, words);
}

/* Those of the site itself, who mean to send elsewhere. */
static bool
lets_ours(struct span word)
{
	static const char *const words[] = { "permit_mynetworks",
		"permit_sasl_authenticated", NULL };

	return is_one_of(word, words);
}

static void
say_behind(struct conf *c, const char *setting, struct span word,
    struct span before, const char *so, struct buf *warnings)
{
	buf_printf(warnings, "%s: %s: \"%.*s\" stands behind \"%.*s\"%s\n",
	    conf_origin(c, setting), setting, SPAN_ARG(span_take(word, 200)),
	    SPAN_ARG(before), so);
}

static bool
has_word(struct span list, struct span wanted)
{
	struct span word;

	while (conf_list_next(&list, &word))
		if (span_equal_nocase(word, wanted))
			return true;
	return false;
}

/* One is enough: what stands behind is in the same case. */
void
relaying_check_order(struct conf *c, const char *setting, struct buf *warnings)
{
	const struct span whole = span_of(conf_value(c, setting));
	struct span rest = whole;
	struct span word, refusal = { 0 }, end = { 0 };
	bool relays =
	    strcmp(setting, relay) == 0 || strcmp(setting, recipient) == 0;
	struct span before = span_take(rest, 0);
	bool warn = false, told = false;

	while (conf_list_next(&rest, &word)) {
		if (end.n > 0) {
			say_behind(c, setting, word, end,
			    ", which ends the list: it is never asked",
			    warnings);
			return;
		}
		if (relays && refusal.n > 0 && !told && lets_ours(word) &&
		    !has_word(before, word)) {
			say_behind(c, setting, word, refusal,
			    ": whom it is to let through cannot send to other "
			    "sites; it belongs before it",
			    warnings);
			told = true;
		}
		if (refusal.n == 0)
			before = span_take(whole, (size_t)(rest.p - whole.p));
		if (!warn && refuses_other_sites(word))
			refusal = word;
		if (!warn && ends_list(word))
			end = word;
		warn = span_is_nocase(word, "warn_if_reject");
	}
}

/* The same word, as classes are named: by letter. */
static bool
lists(struct conf *c, const char *setting, struct span name)
{
	struct span rest = span_of(conf_value(c, setting)), word;

	while (conf_list_next(&rest, &word))
		if (word.n == name.n && memcmp(word.p, name.p, name.n) == 0)
			return true;
	return false;
}

/* As smtpd/restriction.c has it: what a stranger's mail meets first. */
enum fate { FATE_OPEN, FATE_REFUSED, FATE_PASSED };

/*
 * A class is looked into once: the walk ends with the first fate that is not
 * open, so those behind it were.
 */
struct walk {
	struct conf *c;
	struct buf seen; /* their names */
};

static bool
seen(struct walk *w, struct span name)
{
	struct span rest = buf_span(&w->seen), word;

	while (conf_list_next(&rest, &word))
		if (span_equal(word, name))
			return true;
	return !buf_printf(&w->seen, "%.*s ", SPAN_ARG(name));
}

static enum fate fate_in(struct walk *w, const char *text);

/* What a class stands for, the first time; NULL: then, or the word is none. */
static const char *
class_text(struct walk *w, struct span word)
{
	char *name = mem_span_text(word);
	const char *raw = conf_raw(w->c, name);
	struct buf error = BUF_INIT(1024);
	const char *text = NULL;

	if (raw != NULL && lists(w->c, "smtpd_restriction_classes", word) &&
	    !seen(w, word))
		text = conf_expand(w->c, raw, &error);
	buf_fini(&error);
	free(name);
	return text;
}

static enum fate
fate_in_class(struct walk *w, struct span word)
{
	const char *text = class_text(w, word);

	return text != NULL ? fate_in(w, text) : FATE_OPEN;
}

static enum fate
fate_in(struct walk *w, const char *text)
{
	struct span rest = span_of(text), word;
	enum fate f = FATE_OPEN;
	bool warn = false;

	while (f == FATE_OPEN && conf_list_next(&rest, &word)) {
		if (warn)
			;
		else if (span_is_nocase(word, "permit"))
			f = FATE_PASSED;
		else if (refuses_other_sites(word) || ends_list(word))
			f = FATE_REFUSED;
		else
			f = fate_in_class(w, word);
		warn = span_is_nocase(word, "warn_if_reject");
	}
	return f;
}

static bool
protects(struct conf *c, const char *setting)
{
	struct walk w = { c, BUF_INIT(65536) };
	enum fate f = fate_in(&w, conf_value(c, setting));

	buf_fini(&w.seen);
	return f == FATE_REFUSED;
}

/* What refuses does not where it only warns; what permits does. */
static bool
acts(struct span word, bool warn)
{
	return !warn || !span_is_nocase(span_take(word, 6), "reject");
}

/* Is the restriction there, or in a class that is there? */
static bool
has_in(struct walk *w, const char *text, const char *wanted)
{
	struct span rest = span_of(text), word;
	bool warn = false;

	while (conf_list_next(&rest, &word)) {
		const char *class;

		if (span_is_nocase(word, wanted) && acts(word, warn))
			return true;
		class = class_text(w, word);
		if (class != NULL && has_in(w, class, wanted))
			return true;
		warn = span_is_nocase(word, "warn_if_reject");
	}
	return false;
}

bool
relaying_check_has(struct conf *c, const char *setting, const char *restriction)
{
	struct walk w = { c, BUF_INIT(65536) };
	bool there = has_in(&w, conf_value(c, setting), restriction);

	buf_fini(&w.seen);
	return there;
}

static void
check_protection(struct conf *c, struct buf *warnings)
{
	bool empty = conf_value(c, relay)[0] == '\0';
	const char *setting = empty ? recipient : relay;

	if (protects(c, relay) || protects(c, recipient) ||
	    (empty && conf_value(c, recipient)[0] == '\0'))
		return;
	buf_printf(warnings,
	    "%s: %s: neither this nor %s has reject_unauth_destination: it is "
	    "used as well, so that strangers cannot send to other sites\n",
	    conf_origin(c, setting), setting, empty ? relay : recipient);
}

/* Networks, and files of them: no server is asked. */
static void
add_networks(struct span value, struct buf *out)
{
	struct span word;

	while (words_next(&value, &word)) {
		struct span bare = word;

		while (bare.n > 0 && bare.p[0] == '!')
			bare = span_skip(bare, 1);
		if (bare.n > 0 &&
		    (bare.p[0] == '[' || bare.p[0] == '/' ||
			(bare.p[0] >= '0' && bare.p[0] <= '9') ||
			span_starts(bare, "cidr:")))
			buf_printf(out, "%.*s ", SPAN_ARG(word));
	}
}

static bool
holds_all(struct match_list *l, const char *const *addresses)
{
	struct buf why = BUF_INIT(1024);
	bool all = true;

	for (; all && *addresses != NULL; addresses++)
		all = match_list_match_host(l, span_of("unknown"),
			  span_of(*addresses), &why) == TABLE_FOUND;
	buf_fini(&why);
	return all;
}

/*
 * Addresses that are in documents alone (RFC 5737, 3849, 9637) lie far apart
 * and are nobody's: a list that has them all has the whole world.
 */
static void
check_networks(struct conf *c, struct buf *warnings)
{
	static const char *const four[] = { "192.0.2.77", "198.51.100.77",
		"203.0.113.77", NULL };
	static const char *const six[] = { "2001:db8::77", "3fff::77", NULL };
	struct buf networks = BUF_INIT(1 << 20), error = BUF_INIT(1024);
	struct match_list *l;

	add_networks(span_of(conf_value(c, "mynetworks")), &networks);
	l = match_list_open(buf_text(&networks), MATCH_HOST, &error);
	for (int i = 0; l != NULL && i < 2; i++)
		if (holds_all(l, i == 0 ? four : six))
			buf_printf(warnings,
			    "%s: mynetworks: holds every IPv%s address: "
			    "whoever can connect may send to other sites (an "
			    "open relay): list the networks of your own "
			    "machines\n",
			    conf_origin(c, "mynetworks"), i == 0 ? "4" : "6");
	match_list_free(&l);
	buf_fini(&error);
	buf_fini(&networks);
}

void
relaying_check(struct conf *c, struct buf *warnings)
{
	check_protection(c, warnings);
	if (relaying_check_has(c, relay, "permit_mynetworks") ||
	    relaying_check_has(c, recipient, "permit_mynetworks"))
		check_networks(c, warnings);
}
