/* SPDX-License-Identifier: ISC */
#include "logd/line.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistr.h>

static const struct {
	char letter;
	const char *name;
	int priority;
} levels[] = {
	{ 'D', "debug", LOG_DEBUG },
	{ 'I', "info", LOG_INFO },
	{ 'W', "warning", LOG_WARNING },
	{ 'E', "error", LOG_ERR },
	{ 'F', "fatal", LOG_CRIT },
	{ 'P', "panic", LOG_CRIT },
};

enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

static size_t
level_index(char letter)
{
	for (size_t i = 0; i < LEVELS; i++)
		if (levels[i].letter == letter)
			return i;
	return LEVELS;
}

static bool
tag_valid(struct span s)
{
	if (s.n == 0 || s.n > 100)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) &&
		    memchr("/-_.+", s.p[i], 5) == NULL)
			return false;
	return true;
}

struct line
line_parse(struct span raw)
{
	struct line l = { .level = 'W',
		.tag = SPAN("posthaste/unknown"),
		.text = span_take(raw, LINE_TEXT_MAX) };
	struct span head = span_skip(raw, 2), tag, number;
	size_t open = span_find(head, '['), end = span_find(head, ']');

	if (raw.n < 2 || raw.p[1] != ' ' || level_index(raw.p[0]) == LEVELS ||
	    end == head.n || open > end)
		return l;
	tag = span_take(head, open);
	number = span_take(span_skip(head, open + 1), end - open - 1);
	head = span_skip(head, end + 1);
	if (!tag_valid(tag) || !span_u64(number, UINT32_MAX, &l.pid) ||
	    !span_starts(head, ": "))
		return l;
	l.level = raw.p[0];
	l.tag = tag;
	l.text = span_take(span_skip(head, 2), LINE_TEXT_MAX);
	return l;
}

/* Length of the valid character in front; 0: it is to be replaced. */
static size_t
character(struct span s)
{
	unsigned char c = (unsigned char)s.p[0];
	ucs4_t point;
	int n;

	if (c < 0x80)
		return c >= ' ' && c != 0x7f ? 1 : 0;
	n = u8_mbtoucr(&point, (const uint8_t *)s.p, s.n);
	/* C1 controls, line and paragraph separators, direction overrides */
	if (n < 1 || point < 0xa0 || (point >= 0x2028 && point <= 0x202e) ||
	    (point >= 0x2066 && point <= 0x2069))
		return 0;
	return (size_t)n;
}

/* Length of what needs no second look in front: printable ASCII. */
static size_t
plain(struct span s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 0x7f)
		n++;
	return n;
}

static void
add_clean(struct buf *out, struct span s)
{
	while (s.n > 0) {
		size_t n = plain(s);

		if (n == 0)
			n = character(s);

		if (n == 0)
			buf_add_char(out, '?');
		else
			buf_add(out, s.p, n);
		s = span_skip(s, n > 0 ? n : 1);
	}
}

/*
 * Names of months in no language but the one that analysers read. Many lines
 * are of one second.
 */
static void
add_syslog_time(struct buf *out, int64_t us)
{
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	static time_t last = -1;
	static char text[64];
	time_t seconds = us / 1000000;
	struct tm tm;

	if (seconds != last) {
		localtime_r(&seconds, &tm);
		snprintf(text, sizeof(text), "%s %2d %02d:%02d:%02d",
		    months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
		last = seconds;
	}
	buf_add_text(out, text);
}

static void
add_body(const struct line *l, struct buf *out)
{
	add_clean(out, l->tag);
	if (l->pid > 0)
		buf_printf(out, "[%u]", (unsigned int)l->pid);
	buf_add_text(out, ": ");
	add_clean(out, l->text);
}

void
line_text(const struct line *l, const struct line_stamp *stamp, struct buf *out)
{
	add_syslog_time(out, stamp->time_us);
	buf_add_char(out, ' ');
	buf_add_text(out, stamp->host);
	buf_add_char(out, ' ');
	add_body(l, out);
	buf_add_char(out, '\n');
}

void
line_syslog(const struct line *l, const struct line_stamp *stamp, int facility,
    struct buf *out)
{
	size_t i = level_index(l->level);

	buf_printf(out, "<%d>", facility | levels[i < LEVELS ? i : 1].priority);
	add_syslog_time(out, stamp->time_us);
	buf_add_char(out, ' ');
	add_body(l, out);
}

/* JSON. */

static void
add_string(struct buf *out, struct span s)
{
	buf_add_char(out, '"');
	while (s.n > 0) {
		size_t n = character(s);

		if (n == 0)
			buf_add_char(out, '?');
		else if (n == 1 && (s.p[0] == '"' || s.p[0] == '\\'))
			buf_printf(out, "\\%c", s.p[0]);
		else
			buf_add(out, s.p, n);
		s = span_skip(s, n > 0 ? n : 1);
	}
	buf_add_char(out, '"');
}

static void
add_iso_time(struct buf *out, int64_t us)
{
	time_t seconds = us / 1000000;
	char date[40], zone[8];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	buf_printf(out, "\"%s.%06d%.3s:%s\"", date, (int)(us % 1000000), zone,
	    zone + 3);
}

/* "4fXyz...: " in front of a message's lines, or NOQUEUE. */
static bool
take_id(struct span *text, struct span *id)
{
	size_t colon = span_find(*text, ':');

	*id = span_take(*text, colon);
	if (colon == text->n || colon < 6 || colon > 64)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!isalnum((unsigned char)id->p[i]))
			return false;
	if (isupper((unsigned char)id->p[0]) == 0 &&
	    isdigit((unsigned char)id->p[0]) == 0)
		return false;
	*text = span_trim(span_skip(*text, colon + 1));
	return true;
}

static size_t
name_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && n < 40 &&
	    (islower((unsigned char)s.p[n]) || s.p[n] == '_' || s.p[n] == '-'))
		n++;
	return n > 0 && n < s.n && s.p[n] == '=' ? n : 0;
}

/* The value goes to the next ", name=" that is in no brackets. */
static size_t
value_length(struct span s)
{
	int level = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '(' || s.p[i] == '<' || s.p[i] == '[')
			level++;
		else if (s.p[i] == ')' || s.p[i] == '>' || s.p[i] == ']')
			level--;
		else if (s.p[i] == ',' && level <= 0 &&
		    span_starts(span_skip(s, i), ", ") &&
		    name_length(span_skip(s, i + 2)) > 0)
			return i;
	}
	return s.n;
}

static void
add_fields(struct buf *out, struct span text)
{
	bool any = false;
	size_t n;

	while ((n = name_length(text)) > 0) {
		struct span name = span_take(text, n);
		size_t length = value_length(span_skip(text, n + 1));

		buf_add_text(out, any ? "," : ",\"fields\":{");
		any = true;
		add_string(out, name);
		buf_add_char(out, ':');
		add_string(out, span_take(span_skip(text, n + 1), length));
		text = span_skip(text, n + 1 + length + 2);
	}
	if (any)
		buf_add_char(out, '}');
}

void
line_json(const struct line *l, const struct line_stamp *stamp, struct buf *out)
{
	size_t i = level_index(l->level);
	struct span rest = l->text, id;

	buf_add_text(out, "{\"time\":");
	add_iso_time(out, stamp->time_us);
	buf_add_text(out, ",\"host\":");
	add_string(out, span_of(stamp->host));
	buf_add_text(out, ",\"program\":");
	add_string(out, l->tag);
	buf_printf(out,
	    ",\"pid\":%u,\"level\":\"%s\",\"message\":", (unsigned int)l->pid,
	    levels[i < LEVELS ? i : 1].name);
	add_string(out, l->text);
	if (take_id(&rest, &id)) {
		buf_add_text(out, ",\"queue_id\":");
		add_string(out, id);
		add_fields(out, rest);
	}
	buf_add_text(out, "}\n");
}
