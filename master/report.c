/* SPDX-License-Identifier: ISC */
/*
 * Verdicts come from lib/conf, mistakes from whoever finds them for `check`:
 * those are lines with their place in front, and are put to the setting or
 * service they are about.
 */
#include "master/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/conf/handed_on.h"
#include "lib/conf/logical_lines.h"
#include "lib/mail/mail_address.h"
#include "master/absorbed.h"
#include "master/plan.h"

enum { TEXT_MAX = 1024, MESSAGES_MAX = 1 << 20, KINDS = VERDICT_UNKNOWN + 1 };

static const char *const words[KINDS] = {
	[VERDICT_HONOURED] = "honoured",
	[VERDICT_OWN] = "own",
	[VERDICT_MAPPED] = "mapped",
	[VERDICT_HARMLESS] = "harmless",
	[VERDICT_PLANNED] = "planned",
	[VERDICT_REFUSED] = "refused",
	[VERDICT_UNKNOWN] = "unknown",
};

/* A line of check's. */
struct message {
	struct span text;
	bool error;
	bool shown;
};

struct reporting {
	const char *directory;
	bool json;
	bool fine;
	size_t counts[KINDS];
	struct conf *conf;
	struct master_cf *cf;
	struct buf errors, warnings;
	struct message *messages;
	size_t message_count;
};

/* What one row of the report is about. */
struct place {
	const char *file;
	int line;
	const char *name; /* may be empty */
};

static void
put_json_text(const char *text)
{
	bool plain = mail_is_utf8(span_of(text));

	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f || (*p > 0x7f && !plain))
			printf("\\u%04x", *p);
		else
			putchar(*p);
	putchar('"');
}

static void
put_row(const struct reporting *r, const struct place *at, const char *word,
    const char *text)
{
	if (!r->json) {
		printf("%s:%d: %s: %s%s%s\n", at->file, at->line, word,
		    at->name,
		    at->name[0] != '\0' && text[0] != '\0' ? ": " : "", text);
		return;
	}
	fputs("{\"file\":", stdout);
	put_json_text(at->file);
	printf(",\"line\":%d,\"verdict\":\"%s\",\"name\":", at->line, word);
	put_json_text(at->name);
	fputs(",\"text\":", stdout);
	put_json_text(text);
	puts("}");
}

static void
put_verdict(struct reporting *r, const struct place *at, enum verdict_kind kind,
    const char *text)
{
	r->counts[kind]++;
	if (kind == VERDICT_REFUSED)
		r->fine = false;
	put_row(r, at, words[kind], text);
}

static void
put_counts(const struct reporting *r)
{
	fputs(r->json ? "{" : "", stdout);
	for (size_t i = 0; i < KINDS; i++)
		if (r->json)
			printf("%s\"%s\":%zu", i > 0 ? "," : "", words[i],
			    r->counts[i]);
		else
			printf("%s%zu %s", i > 0 ? ", " : "", r->counts[i],
			    words[i]);
	puts(r->json ? "}" : "");
}

static void
add_messages(struct reporting *r, const struct buf *from, bool error)
{
	struct span rest = buf_span(from), line;

	while (span_cut(&rest, "\n", true, &line)) {
		r->messages = mem_resize(r->messages,
		    (r->message_count + 1) * sizeof(*r->messages));
		r->messages[r->message_count++] =
		    (struct message){ line, error, false };
	}
}

/* The next one that begins so; what follows that is in *text. */
static struct message *
next_message(struct reporting *r, const char *start, bool error,
    struct span *text)
{
	for (size_t i = 0; i < r->message_count; i++) {
		struct message *m = &r->messages[i];

		if (m->shown || m->error != error ||
		    !span_starts(m->text, start))
			continue;
		*text = span_skip(m->text, strlen(start));
		if (span_starts(*text, "-o option")) /* has its own row */
			continue;
		m->shown = true;
		return m;
	}
	return NULL;
}

/* A verdict with all that check says about the same thing. */
static void
put_judged(struct reporting *r, const struct place *at, const char *start,
    enum verdict_kind kind, const char *reason)
{
	struct span text;
	char shown[TEXT_MAX];

	snprintf(shown, sizeof(shown), "%s", reason);
	if (next_message(r, start, true, &text) != NULL) {
		snprintf(shown, sizeof(shown), "%.*s", SPAN_ARG(text));
		if (kind == VERDICT_UNKNOWN) /* refused as such */
			r->fine = false;
		else
			kind = VERDICT_REFUSED;
	}
	put_verdict(r, at, kind, shown);
	while (next_message(r, start, true, &text) != NULL) {
		snprintf(shown, sizeof(shown), "%.*s", SPAN_ARG(text));
		put_row(r, at, "note", shown);
	}
	while (next_message(r, start, false, &text) != NULL) {
		if (reason[0] != '\0' &&
		    memmem(text.p, text.n, reason, strlen(reason)) != NULL)
			continue; /* the same in more words */
		snprintf(shown, sizeof(shown), "%.*s", SPAN_ARG(text));
		put_row(r, at, "note", shown);
	}
}

static void
put_setting(struct reporting *r, const struct place *at, const char *start,
    struct conf *c, const char *name)
{
	struct verdict_of_setting v = conf_verdict(c, name);
	char reason[TEXT_MAX];

	snprintf(reason, sizeof(reason), "%s", v.reason);
	if (v.idle) { /* nothing is asked for, so nothing is missing */
		v.kind = VERDICT_HARMLESS;
		snprintf(reason, sizeof(reason), "the default");
	}
	put_judged(r, at, start, v.kind, reason);
}

/* The setting of one line, unless a later one has the same name. */
static void
report_line(struct reporting *r, int number, struct span name)
{
	char *text = mem_span_text(name);
	char *origin = mem_printf("main.cf: line %d", number);
	char *start = mem_printf("%s: %s: ", origin, text);
	const char *last = conf_origin(r->conf, text);
	const struct place at = { "main.cf", number, text };
	char why[TEXT_MAX];

	if (strcmp(last, origin) == 0) {
		put_setting(r, &at, start, r->conf, text);
	} else {
		snprintf(why, sizeof(why), "set again: %s counts", last);
		put_verdict(r, &at, VERDICT_HARMLESS, why);
	}
	free(start);
	free(origin);
	free(text);
}

static void
report_main_cf(struct reporting *r)
{
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX), told = BUF_INIT(65536);
	char *path = mem_printf("%s/main.cf", r->directory);
	struct span line, name, value;
	struct logical_lines l;

	if (logical_file_read(path, &text, &told)) {
		logical_lines_init(&l, buf_span(&text), "main.cf");
		while (logical_lines_next(&l, &line, &told))
			if (conf_split(line, &name, &value) == NULL)
				report_line(r, l.number, name);
		logical_lines_fini(&l);
	}
	free(path);
	buf_fini(&text);
	buf_fini(&told);
}

static enum verdict_kind
judge_service(const struct reporting *r, const struct master_entry *e,
    const char **reason)
{
	static const enum verdict_kind kinds[] = {
		[ABSORBED_SERVED] = VERDICT_HONOURED,
		[ABSORBED_STANDS_IN] = VERDICT_MAPPED,
		[ABSORBED_IDLE] = VERDICT_HARMLESS,
		[ABSORBED_REFUSED] = VERDICT_REFUSED,
		[ABSORBED_GUARDS] = VERDICT_PLANNED, /* or check says no */
	};
	const struct absorbed *a = absorbed_find(e->command);

	*reason = "";
	if (e->disabled) {
		*reason = "master_service_disable";
		return VERDICT_HARMLESS;
	}
	if (e->type == SERVICE_PASS && handed_on_any(r->cf, r->conf, e)) {
		*reason = "its options count for the line of postscreen";
		return VERDICT_MAPPED;
	}
	if (e->type == SERVICE_PASS) {
		*reason = "no program hands connections on";
		return VERDICT_HARMLESS;
	}
	if (program_find(e->command) != NULL)
		return VERDICT_HONOURED;
	*reason = a != NULL ? a->meaning : "there is no such program";
	return a != NULL ? kinds[a->kind] : VERDICT_UNKNOWN;
}

/* The settings as this service will see them. */
static struct conf *
conf_of(const struct reporting *r, const struct master_entry *e)
{
	struct buf errors = BUF_INIT(1 << 18);
	struct conf *c = conf_read(r->directory, &errors, NULL);

	for (char **o = e->overrides; c != NULL && *o != NULL; o++)
		(void)conf_override(c, *o, &errors);
	if (c != NULL)
		master_cf_mention(r->cf, c);
	buf_fini(&errors);
	return c;
}

static void
report_options(struct reporting *r, const struct master_entry *e,
    const char *service)
{
	struct conf *c = conf_of(r, e);

	for (char **o = e->overrides; c != NULL && *o != NULL; o++) {
		char *name =
		    mem_span_text((struct span){ *o, strcspn(*o, "=") });
		char *shown = mem_printf("%s -o %s", service, name);
		char *start =
		    mem_printf("master.cf: line %d: service %s: -o option: "
			       "%s: ",
			e->line, service, name);
		const struct place at = { "master.cf", e->line, shown };

		put_setting(r, &at, start, c, name);
		free(start);
		free(shown);
		free(name);
	}
	conf_free(&c);
}

static void
report_service(struct reporting *r, const struct master_entry *e)
{
	char *service =
	    mem_printf("%s/%s", e->name, service_type_name(e->type));
	char *shown = mem_printf("%s %s", service, e->command);
	char *start =
	    mem_printf("master.cf: line %d: service %s: ", e->line, service);
	const struct place at = { "master.cf", e->line, shown };
	const char *reason;
	enum verdict_kind kind = judge_service(r, e, &reason);

	put_judged(r, &at, start, kind, reason);
	report_options(r, e, service);
	free(start);
	free(shown);
	free(service);
}

/*
 * "FILE: line N: TEXT", of a line that is no setting or no service, or of a
 * table. What has no line is about this machine, not about the files.
 */
static void
report_rest(struct reporting *r)
{
	static const char mark[] = ": line ";

	for (size_t i = 0; i < r->message_count; i++) {
		struct message *m = &r->messages[i];
		char *text = mem_span_text(m->text);
		char *line = strstr(text, mark), *after = NULL;
		struct place at = { text, 0, "" };

		if (line != NULL)
			at.line = (int)strtol(line + strlen(mark), &after, 10);
		if (!m->shown && at.line > 0 && after[0] == ':' &&
		    after[1] == ' ') {
			*line = '\0';
			if (m->error)
				put_verdict(r, &at, VERDICT_REFUSED, after + 2);
			else
				put_row(r, &at, "note", after + 2);
		}
		free(text);
	}
}

bool
report(const char *directory, bool json)
{
	struct reporting r = { .directory = directory,
		.json = json,
		.fine = true };
	struct buf told = BUF_INIT(MESSAGES_MAX);
	struct plan *plan;

	buf_init(&r.errors, MESSAGES_MAX);
	buf_init(&r.warnings, MESSAGES_MAX);
	plan = plan_load(directory, 0, NULL, &r.errors, &r.warnings);
	plan_free(&plan);
	add_messages(&r, &r.errors, true);
	add_messages(&r, &r.warnings, false);
	r.conf = conf_read(directory, &told, NULL);
	if (r.conf != NULL)
		r.cf = master_cf_read(directory, r.conf, &told, NULL);
	if (r.cf != NULL)
		master_cf_mention(r.cf, r.conf);
	if (r.conf != NULL)
		report_main_cf(&r);
	for (size_t i = 0; r.cf != NULL && i < r.cf->count; i++)
		report_service(&r, &r.cf->entries[i]);
	report_rest(&r);
	put_counts(&r);
	r.fine &= r.conf != NULL && r.cf != NULL;
	master_cf_free(&r.cf);
	conf_free(&r.conf);
	free(r.messages);
	buf_fini(&r.errors);
	buf_fini(&r.warnings);
	buf_fini(&told);
	return fflush(stdout) == 0 && r.fine;
}
