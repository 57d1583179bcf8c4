/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: every byte is hostile, and so are its owner's other programs.
 * Nothing here believes a length, ends at a NUL or keeps a line.
 */
#include "lib/store/mbox_scan.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/ensure.h"
#include "lib/store/mbox_notes.h"

enum {
	HEAD_MAX = 4352, /* a "From " line of local's fits */
	FIRST_ROOM = 64,
	NOTES_MAX = 16384,
};

static const char internal_subject[] =
    "DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA";

/* Where we are in a line. */
enum line {
	LINE_START,
	LINE_HEAD, /* its beginning is in head[]: not decided */
	LINE_TEXT,
	LINE_NOTE, /* of a mail program: not part of the digest */
};

/* Progress in a line that may be ">>From ": 0 no, 1 in the ">", 2.. "From ". */
enum { QUOTE_NO, QUOTE_RUN, QUOTE_F };

struct mbox_scan {
	struct arena *names;
	struct mbox_message *messages;
	size_t count;
	size_t room;
	const char *error;
	int64_t at; /* bytes before the current piece */

	EVP_MD_CTX *digest;
	const char *range; /* to be digested, in the caller's bytes */
	size_t range_n;

	enum line line;
	unsigned int quote;
	char last; /* byte of the text */
	bool in_header;
	bool in_note;
	bool in_hidden;
	bool noted; /* the line is one that notes.room counts */
	bool scattered; /* others are between those */
	bool has_imap;
	bool has_subject;
	unsigned int blank; /* length of an empty line not yet counted */
	char blank_first;
	char head[HEAD_MAX];
	size_t head_n;
};

struct mbox_scan *
mbox_scan_new(struct arena *names)
{
	struct mbox_scan *s = mem_new(sizeof(*s));

	s->names = names;
	s->digest = EVP_MD_CTX_new();
	ensure(s->digest != NULL);
	return s;
}

void
mbox_scan_from(struct mbox_scan *s, int64_t at)
{
	ensure(s->count == 0 && s->at == 0);
	s->at = at;
}

void
mbox_scan_free(struct mbox_scan **sp)
{
	struct mbox_scan *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	EVP_MD_CTX_free(s->digest);
	free(s->messages);
	free(s);
}

const char *
mbox_scan_error(const struct mbox_scan *s)
{
	return s->error;
}

const struct mbox_message *
mbox_scan_messages(const struct mbox_scan *s, size_t *count)
{
	*count = s->count;
	return s->messages;
}

/* "From " lines. */

static bool
one_of(struct span word, const char *list)
{
	for (const char *p = list; *p != '\0'; p += 3)
		if (word.n == 3 && memcmp(word.p, p, 3) == 0)
			return true;
	return false;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* 7:05, 07:05, 07:05:59 */
static bool
is_time(struct span w)
{
	size_t i = 0;

	while (i < w.n && is_digit(w.p[i]))
		i++;
	return (i == 1 || i == 2) && w.n >= i + 3 && w.p[i] == ':' &&
	    is_digit(w.p[i + 1]) && is_digit(w.p[i + 2]) &&
	    (w.n == i + 3 || w.p[i + 3] == ':');
}

static bool
is_day(struct span w)
{
	return (w.n == 1 || w.n == 2) && is_digit(w.p[0]) &&
	    is_digit(w.p[w.n - 1]);
}

/* Has "Sat Nov 21 13:25" somewhere behind the sender? */
bool
mbox_from_line(struct span line)
{
	struct span rest, word, last[3] = { { "", 0 }, { "", 0 }, { "", 0 } };

	if (!span_starts(line, "From "))
		return false;
	rest = span_skip(line, 5);
	while (span_cut(&rest, " \t\r", true, &word)) {
		if (is_time(word) && one_of(last[0], "MonTueWedThuFriSatSun") &&
		    one_of(last[1], "JanFebMarAprMayJunJulAugSepOctNovDec") &&
		    is_day(last[2]))
			return true;
		last[0] = last[1];
		last[1] = last[2];
		last[2] = word;
	}
	return false;
}

static int
month_of(struct span word)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; i < 12; i++)
		if (word.n == 3 && memcmp(word.p, names + 3 * i, 3) == 0)
			return i;
	return -1;
}

static int
number_of(struct span digits)
{
	int n = 0;

	for (size_t i = 0; i < digits.n && i < 6 && is_digit(digits.p[i]); i++)
		n = 10 * n + (digits.p[i] - '0');
	return n;
}

static void
time_of(struct span word, struct tm *tm)
{
	struct span part;

	if (span_cut(&word, ":", false, &part))
		tm->tm_hour = number_of(part);
	if (span_cut(&word, ":", false, &part))
		tm->tm_min = number_of(part);
	if (span_cut(&word, ":", false, &part))
		tm->tm_sec = number_of(part);
}

/* "2026", "2026 +0100", "+0100 2026", "CET 2026" */
static bool
year_and_zone(struct span rest, struct tm *tm, int *zone_s, bool *has_zone)
{
	bool has_year = false;
	struct span word;

	*has_zone = false;
	while (span_cut(&rest, " \t\r\n", true, &word)) {
		if (!has_year && word.n == 4 && is_digit(word.p[0])) {
			tm->tm_year = number_of(word) - 1900;
			has_year = true;
		} else if (word.n == 5 &&
		    (word.p[0] == '+' || word.p[0] == '-')) {
			int n = number_of(span_skip(word, 1));

			*zone_s = (n / 100 * 60 + n % 100) * 60;
			if (word.p[0] == '-')
				*zone_s = -*zone_s;
			*has_zone = true;
		}
	}
	return has_year;
}

bool
mbox_from_date(struct span line, int64_t *date)
{
	struct span rest, word, month = { "", 0 }, day = { "", 0 };
	struct tm tm = { .tm_isdst = -1 };
	bool found = false, has_zone;
	int zone_s = 0;
	time_t t;

	if (!span_starts(line, "From "))
		return false;
	rest = span_skip(line, 5);
	while (span_cut(&rest, " \t\r\n", true, &word)) {
		found = is_time(word) && month_of(month) >= 0 && is_day(day);
		if (found)
			break;
		month = day;
		day = word;
	}
	if (!found)
		return false;
	tm.tm_mon = month_of(month);
	tm.tm_mday = number_of(day);
	time_of(word, &tm);
	if (!year_and_zone(rest, &tm, &zone_s, &has_zone))
		return false;
	t = has_zone ? timegm(&tm) - zone_s : mktime(&tm);
	if (t < 0)
		return false;
	*date = t;
	return true;
}

/* The digest. */

static void
digest_now(struct mbox_scan *s, const void *p, size_t n)
{
	ensure(EVP_DigestUpdate(s->digest, p, n) == 1);
}

static void
digest_range(struct mbox_scan *s)
{
	if (s->range_n > 0)
		digest_now(s, s->range, s->range_n);
	s->range_n = 0;
}

/* "lasting": the bytes stay where they are until the piece is done. */
static void
digest_add(struct mbox_scan *s, const char *p, size_t n, bool lasting)
{
	if (lasting && s->range_n > 0 && s->range + s->range_n == p) {
		s->range_n += n;
		return;
	}
	digest_range(s);
	if (!lasting) {
		digest_now(s, p, n);
		return;
	}
	s->range = p;
	s->range_n = n;
}

/* Text. */

static struct mbox_message *
current(struct mbox_scan *s)
{
	return &s->messages[s->count - 1];
}

/* Bytes of one line: its size when sent. */
static void
measure(struct mbox_scan *s, const char *p, size_t n)
{
	struct mbox_message *m = current(s);
	char before = n > 1 ? p[n - 2] : s->last;

	m->size += n;
	if (p[n - 1] == '\n' && before != '\r')
		m->size++;
	s->last = p[n - 1];
}

/* Follows a line's first bytes through ">>From ". */
static void
follow_quote(struct mbox_scan *s, const char *p, size_t n)
{
	static const char word[] = "From ";

	for (size_t i = 0; i < n && s->quote != QUOTE_NO; i++) {
		if (s->quote == QUOTE_RUN && p[i] == '>')
			continue;
		if (p[i] != word[s->quote - QUOTE_RUN]) {
			s->quote = QUOTE_NO;
		} else if (++s->quote == QUOTE_RUN + sizeof(word) - 1) {
			current(s)->size--;
			s->quote = QUOTE_NO;
		}
	}
}

static void
take_text(struct mbox_scan *s, const char *p, size_t n, bool lasting)
{
	digest_add(s, p, n, lasting);
	follow_quote(s, p, n);
	measure(s, p, n);
}

static void
take_note(struct mbox_scan *s, const char *p, size_t n)
{
	struct mbox_message *m = current(s);
	uint64_t before = m->size;

	measure(s, p, n);
	if (s->in_hidden)
		m->hidden += m->size - before;
	if (s->noted)
		m->notes.room += (uint32_t)n;
}

/* An empty line that does not end the message is part of it. */
static void
take_blank(struct mbox_scan *s)
{
	if (s->blank == 0)
		return;
	take_text(s, s->blank == 2 ? "\r\n" : "\n", s->blank, false);
	s->blank = 0;
}

/* Messages. */

static void
end_message(struct mbox_scan *s, int64_t end)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct mbox_message *m;

	if (s->count == 0)
		return;
	m = current(s);
	digest_range(s);
	/* what a crash cut short is given a line end by the next delivery */
	if (s->last != '\n')
		digest_now(s, "\n", 1);
	ensure(EVP_DigestFinal_ex(s->digest, digest, NULL) == 1);
	memcpy(m->digest, digest, MBOX_DIGEST_SIZE);
	m->end = end;
	m->text_end = end - s->blank;
	m->internal = s->count == 1 && s->has_imap && s->has_subject;
	if (s->scattered || m->notes.room > NOTES_MAX)
		m->notes.room = 0;
	/* the line end that it gets when it is sent */
	if (m->text_end > m->text && s->last != '\n') {
		m->size += s->last == '\r' ? 1 : 2;
		if (s->in_hidden)
			m->hidden += s->last == '\r' ? 1 : 2;
	}
	s->blank = 0;
}

static bool
fails(struct mbox_scan *s, const char *error)
{
	s->error = error;
	return false;
}

/* A "From " line with its end. */
static bool
begin_message(struct mbox_scan *s, int64_t start, struct span line)
{
	struct mbox_message *m;

	end_message(s, start);
	if (s->count == MBOX_MESSAGES_MAX)
		return fails(s, "too many messages");
	if (s->count == s->room) {
		s->room = s->room == 0 ? FIRST_ROOM : 2 * s->room;
		s->messages = mem_resize(s->messages, s->room * sizeof(*m));
	}
	m = &s->messages[s->count++];
	*m = (struct mbox_message){
		.start = start,
		.text = start + (int64_t)line.n,
		.date = INT64_MIN,
	};
	(void)mbox_from_date(line, &m->date);
	ensure(EVP_DigestInit_ex(s->digest, EVP_sha256(), NULL) == 1);
	digest_now(s, line.p, line.n);
	s->in_header = true;
	s->in_note = s->has_imap = s->has_subject = false;
	s->in_hidden = s->noted = s->scattered = false;
	s->last = '\n';
	return true;
}

/* Headers. */

static bool
is_note(struct span name)
{
	static const char *const names[] = {
#define HIDDEN(name) name,
#define NOTED(name) name,
#include "lib/store/mbox_fields.def"
#undef HIDDEN
#undef NOTED
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is_nocase(name, names[i]))
			return true;
	return false;
}

static bool
is_uidl(struct span value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] < '!' || value.p[i] > '~')
			return false;
	return value.n > 0 && value.n <= MBOX_UIDL_MAX;
}

/* Where the notes are: one range, or all over the header. */
static void
place_note(struct mbox_scan *s, struct span name, int64_t start)
{
	struct mbox_notes *notes = &current(s)->notes;

	s->noted = mbox_noted(name);
	if (!s->noted)
		return;
	if (notes->room == 0)
		notes->at = start;
	else if (notes->at + notes->room != start)
		s->scattered = true;
}

/* One header line; its name says whether it is a mail program's note. */
static void
header_line(struct mbox_scan *s, struct span line, int64_t start)
{
	size_t colon = span_find(line, ':');
	struct span name = span_take(line, colon), value;

	if (line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
		return; /* goes on as it began */
	s->in_note = colon < line.n && is_note(name);
	s->in_hidden = s->noted = false;
	if (colon == line.n)
		return;
	value = span_trim(span_skip(line, colon + 1));
	if (s->in_note) {
		s->in_hidden = mbox_hidden(name);
		place_note(s, name, start);
		mbox_notes_take(&current(s)->notes, s->names, name, value);
	}
	if (span_is_nocase(name, "X-UIDL") && current(s)->uidl == NULL &&
	    is_uidl(value))
		current(s)->uidl = arena_span(s->names, value);
	s->has_imap |= span_starts_nocase(name, "X-IMAP");
	s->has_subject |=
	    span_is_nocase(name, "Subject") && span_is(value, internal_subject);
}

/* Lines. */

static struct span
without_end(struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/*
 * A line, or as much of it as fits a head. "start": its place in the file.
 */
static bool
decide(struct mbox_scan *s, struct span line, bool whole, int64_t start,
    bool lasting)
{
	struct span bare = without_end(line);

	if (s->count == 0 && !span_starts(line, "From "))
		return fails(s, "does not begin with a \"From \" line");
	if (whole && (s->count == 0 || mbox_from_line(bare))) {
		s->line = LINE_START;
		return begin_message(s, start, line);
	}
	if (s->count == 0)
		return fails(s, "the first line has no end");
	take_blank(s);
	if (whole && bare.n == 0) {
		s->in_header = s->in_note = s->in_hidden = s->noted = false;
		s->blank = (unsigned int)line.n;
		s->line = LINE_START;
		return true;
	}
	if (s->in_header)
		header_line(s, bare, start);
	s->quote = line.p[0] == '>' ? QUOTE_RUN : QUOTE_NO;
	s->line = s->in_note ? LINE_NOTE : LINE_TEXT;
	if (s->in_note)
		take_note(s, line.p, line.n);
	else
		take_text(s, line.p, line.n, lasting);
	if (whole)
		s->line = LINE_START;
	return true;
}

/* Can a line that begins so be anything but text? */
static bool
needs_head(const struct mbox_scan *s, char first)
{
	return s->count == 0 || s->in_header || first == 'F' || first == '\n' ||
	    first == '\r';
}

/* More of a line whose beginning is not enough to decide. */
static bool
gather(struct mbox_scan *s, const char *p, size_t n, bool ends, int64_t at)
{
	size_t part = n < HEAD_MAX - s->head_n ? n : HEAD_MAX - s->head_n;
	struct span head;
	int64_t start = at - (int64_t)s->head_n;

	memcpy(s->head + s->head_n, p, part);
	s->head_n += part;
	if (!(ends && part == n) && s->head_n < HEAD_MAX) {
		s->line = LINE_HEAD;
		return true;
	}
	head = (struct span){ s->head, s->head_n };
	s->head_n = 0;
	if (!decide(s, head, ends && part == n, start, false))
		return false;
	if (part == n)
		return true;
	/* the rest of a line that is longer */
	if (s->line == LINE_NOTE)
		take_note(s, p + part, n - part);
	else
		take_text(s, p + part, n - part, true);
	if (ends)
		s->line = LINE_START;
	return true;
}

/* A piece of one line; "ends": up to its LF. */
static bool
take(struct mbox_scan *s, const char *p, size_t n, bool ends, int64_t at)
{
	struct span piece = { p, n };

	switch (s->line) {
	case LINE_START:
		if (!needs_head(s, p[0])) {
			take_blank(s);
			s->quote = p[0] == '>' ? QUOTE_RUN : QUOTE_NO;
			s->line = LINE_TEXT;
			take_text(s, p, n, true);
			break;
		}
		if (!ends || n > HEAD_MAX)
			return gather(s, p, n, ends, at);
		return decide(s, piece, true, at, true);
	case LINE_HEAD:
		return gather(s, p, n, ends, at);
	case LINE_TEXT:
		take_text(s, p, n, true);
		break;
	case LINE_NOTE:
		take_note(s, p, n);
		break;
	}
	if (ends)
		s->line = LINE_START;
	return true;
}

bool
mbox_scan_feed(struct mbox_scan *s, const char *p, size_t n)
{
	const char *end = p + n, *begin = p;

	if (s->error != NULL)
		return false;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t part =
		    lf != NULL ? (size_t)(lf - p) + 1 : (size_t)(end - p);

		if (!take(s, p, part, lf != NULL, s->at + (p - begin)))
			return false;
		p += part;
	}
	digest_range(s);
	s->at += (int64_t)n;
	return true;
}

bool
mbox_scan_end(struct mbox_scan *s)
{
	struct span head = { s->head, s->head_n };

	if (s->error != NULL)
		return false;
	if (s->line == LINE_HEAD) {
		s->head_n = 0;
		if (!decide(s, head, false, s->at - (int64_t)head.n, false))
			return false;
	}
	end_message(s, s->at);
	return true;
}
