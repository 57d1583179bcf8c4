/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: the file is the mailbox owner's and may hold anything; values are
 * what clients sent. What does not parse is left out, never guessed.
 */
#include "lib/store/mail_metadata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/hex.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mail_folder_tree.h"

static const char file_name[] = "posthaste-metadata";
static const char aside[] = "posthaste-metadata.damaged";
static const char head[] = "posthaste-metadata 1";

struct entry {
	char *folder;
	char *name;
	char *value;
	size_t length;
};

struct mail_metadata {
	struct file_stamp stamp;
	struct entry *all;
	size_t count;
	bool foreign; /* the file is of a form that we do not know */
};

static const struct {
	const char *word;
	unsigned int use;
} uses[] = {
	{ "\\All", SPECIAL_ALL },
	{ "\\Archive", SPECIAL_ARCHIVE },
	{ "\\Drafts", SPECIAL_DRAFTS },
	{ "\\Flagged", SPECIAL_FLAGGED },
	{ "\\Important", SPECIAL_IMPORTANT },
	{ "\\Junk", SPECIAL_JUNK },
	{ "\\Sent", SPECIAL_SENT },
	{ "\\Trash", SPECIAL_TRASH },
};

unsigned int
special_use_parse(struct span text)
{
	unsigned int found = 0;
	struct span word;

	while (span_cut(&text, " ", true, &word))
		for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
			if (span_is_nocase(word, uses[i].word))
				found |= uses[i].use;
	return found;
}

void
special_use_text(unsigned int use, struct buf *out)
{
	const char *between = "";

	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
		if (use & uses[i].use) {
			buf_printf(out, "%s%s", between, uses[i].word);
			between = " ";
		}
}

static void
free_entry(struct entry *e)
{
	free(e->folder);
	free(e->name);
	free(e->value);
}

static void
clear(struct mail_metadata *m)
{
	for (size_t i = 0; i < m->count; i++)
		free_entry(&m->all[i]);
	free(m->all);
	memset(m, 0, sizeof(*m));
}

struct mail_metadata *
mail_metadata_new(void)
{
	return mem_new(sizeof(struct mail_metadata));
}

void
mail_metadata_free(struct mail_metadata **m)
{
	if (*m != NULL)
		clear(*m);
	free(*m);
	*m = NULL;
}

static void
escape(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c >= 0x7f || c == '%')
			buf_printf(out, "%%%02X", c);
		else
			buf_add_char(out, (char)c);
	}
}

static bool
unescape(struct span s, struct buf *out)
{
	buf_reset(out);
	for (size_t i = 0; i < s.n; i++) {
		int high, low;

		if (s.p[i] != '%') {
			buf_add_char(out, s.p[i]);
			continue;
		}
		if (s.n - i < 3 || (high = hex_upper_digit(s.p[i + 1])) < 0 ||
		    (low = hex_upper_digit(s.p[i + 2])) < 0)
			return false;
		buf_add_char(out, (char)(high << 4 | low));
		i += 2;
	}
	return !out->overflow;
}

/* No NUL in what is a text. */
static char *
text_of(struct span s)
{
	struct buf out = BUF_INIT(METADATA_VALUE_MAX);
	char *text = NULL;

	if (unescape(s, &out) && memchr(buf_text(&out), '\0', out.n) == NULL)
		text = mem_text(buf_text(&out));
	buf_fini(&out);
	return text;
}

static bool
take_line(struct mail_metadata *m, struct span line)
{
	struct buf value = BUF_INIT(METADATA_VALUE_MAX);
	struct span folder, name, rest = line;
	struct entry e = { 0 };
	size_t tab = span_find(rest, '\t');

	folder = span_take(rest, tab);
	rest = span_skip(rest, tab + 1);
	tab = span_find(rest, '\t');
	if (tab == rest.n)
		return false;
	name = span_take(rest, tab);
	e.folder = text_of(folder);
	e.name = text_of(name);
	if (e.folder == NULL || e.name == NULL ||
	    !unescape(span_skip(rest, tab + 1), &value)) {
		free_entry(&e);
		buf_fini(&value);
		return false;
	}
	e.length = value.n;
	e.value = mem_span_text(buf_span(&value));
	buf_fini(&value);
	m->all = mem_resize(m->all, (m->count + 1) * sizeof(*m->all));
	m->all[m->count++] = e;
	return true;
}

static void
take_lines(struct mail_metadata *m, struct span rest)
{
	struct span line;
	size_t damaged = 0;

	if (!span_cut(&rest, "\n", false, &line) || !span_is(line, head)) {
		log_warning("%s: not in a form that is known", file_name);
		m->foreign = true;
		return;
	}
	while (span_cut(&rest, "\n", false, &line))
		damaged += !take_line(m, line);
	if (damaged > 0)
		log_warning("%s: %zu damaged lines are left out", file_name,
		    damaged);
}

enum mail_result
mail_metadata_read(struct mail_metadata *m, int directory, struct why *why)
{
	struct buf text = BUF_INIT(METADATA_TOTAL_MAX);
	enum mail_result r = MAIL_OK;
	struct file_stamp stamp;

	mail_file_stamp(directory, file_name, &stamp);
	if (mail_file_same(&stamp, &m->stamp))
		return MAIL_OK;
	clear(m);
	if (mail_file_read(directory, file_name, &text, &stamp) == 0) {
		take_lines(m, buf_span(&text));
		m->stamp = stamp;
	} else if (errno != ENOENT) {
		why_errno(why, "4.2.0", "cannot read the metadata");
		r = MAIL_FAILED;
	}
	buf_fini(&text);
	return r;
}

static struct entry *
find(const struct mail_metadata *m, const char *folder, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->all[i].folder, folder) == 0 &&
		    strcmp(m->all[i].name, name) == 0)
			return &m->all[i];
	return NULL;
}

static size_t
count_of(const struct mail_metadata *m, const char *folder)
{
	size_t count = 0;

	for (size_t i = 0; i < m->count; i++)
		count += strcmp(m->all[i].folder, folder) == 0;
	return count;
}

static void
drop(struct mail_metadata *m, struct entry *e)
{
	free_entry(e);
	*e = m->all[--m->count];
}

enum mail_result
mail_metadata_put(struct mail_metadata *m, const char *folder,
    const char *entry, struct span value, struct why *why)
{
	struct entry *e = find(m, folder, entry);

	if (value.p == NULL) {
		if (e != NULL)
			drop(m, e);
		return MAIL_OK;
	}
	if (value.n > METADATA_VALUE_MAX || strlen(entry) > METADATA_NAME_MAX ||
	    (e == NULL && count_of(m, folder) >= METADATA_ENTRIES_MAX)) {
		why_set(why, "5.2.0", "too much metadata");
		return MAIL_LIMIT;
	}
	if (e == NULL) {
		m->all = mem_resize(m->all, (m->count + 1) * sizeof(*m->all));
		e = &m->all[m->count++];
		*e = (struct entry){ mem_text(folder), mem_text(entry), NULL,
			0 };
	}
	free(e->value);
	e->value = mem_span_text(value);
	e->length = value.n;
	return MAIL_OK;
}

bool
mail_metadata_forget(struct mail_metadata *m, const char *folder)
{
	bool any = false;

	for (size_t i = m->count; i-- > 0;)
		if (strcmp(m->all[i].folder, folder) == 0) {
			drop(m, &m->all[i]);
			any = true;
		}
	return any;
}

bool
mail_metadata_rename(struct mail_metadata *m, const char *from, const char *to,
    char separator)
{
	size_t n = strlen(from);
	bool any = false;

	for (size_t i = 0; i < m->count; i++) {
		char *old = m->all[i].folder;

		if (strncmp(old, from, n) != 0 ||
		    (old[n] != '\0' && old[n] != separator))
			continue;
		m->all[i].folder = mem_printf("%s%s", to, old + n);
		free(old);
		any = true;
	}
	return any;
}

enum mail_result
mail_metadata_write(struct mail_metadata *m, int directory, struct why *why)
{
	struct buf text = BUF_INIT(METADATA_TOTAL_MAX);
	enum mail_result r = MAIL_OK;

	/* one of another form is kept aside, not overwritten */
	if (m->foreign)
		(void)!renameat(directory, file_name, directory, aside);
	m->foreign = false;
	buf_printf(&text, "%s\n", head);
	for (size_t i = 0; i < m->count; i++) {
		const struct entry *e = &m->all[i];

		escape(span_of(e->folder), &text);
		buf_add_char(&text, '\t');
		escape(span_of(e->name), &text);
		buf_add_char(&text, '\t');
		escape((struct span){ e->value, e->length }, &text);
		buf_add_char(&text, '\n');
	}
	if (text.overflow) {
		why_set(why, "5.2.0", "too much metadata");
		r = MAIL_LIMIT;
	} else if (mail_file_replace(directory, file_name, buf_span(&text)) !=
	    0) {
		why_errno(why, "4.2.0", "cannot write the metadata");
		r = mail_result_of(errno);
	}
	buf_fini(&text);
	if (r == MAIL_OK)
		mail_file_stamp(directory, file_name, &m->stamp);
	else
		clear(m);
	return r;
}

struct span
mail_metadata_get(const struct mail_metadata *m, const char *folder,
    const char *entry)
{
	struct entry *e = find(m, folder, entry);

	return e == NULL ? (struct span){ NULL, 0 } :
			   (struct span){ e->value, e->length };
}

void
mail_metadata_walk(const struct mail_metadata *m, const char *folder,
    mail_metadata_visit *visit, void *with)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->all[i].folder, folder) == 0 &&
		    !visit(with, m->all[i].name,
			(struct span){ m->all[i].value, m->all[i].length }))
			return;
}

unsigned int
mail_metadata_special(const struct mail_metadata *m, const char *folder)
{
	return special_use_parse(
	    mail_metadata_get(m, folder, METADATA_SPECIAL_USE));
}

const char *
mail_metadata_special_owner(const struct mail_metadata *m, unsigned int use)
{
	for (size_t i = 0; i < m->count; i++)
		if (strcmp(m->all[i].name, METADATA_SPECIAL_USE) == 0 &&
		    special_use_parse(
			(struct span){ m->all[i].value, m->all[i].length }) &
			use)
			return m->all[i].folder;
	return NULL;
}
