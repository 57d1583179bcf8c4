/* SPDX-License-Identifier: ISC */
/*
 * The file "subscriptions", as Dovecot has it: a name in each line. In its
 * version 2, with "V\t2" and an empty line at the head, levels stand between
 * tabs; before, between the '.' or '/' of the directories. Either way each
 * level is what it is on disk. A file keeps its version; new ones get 2.
 * Lines that we cannot tell are kept.
 */
#include "lib/store/mail_folder_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

enum { FILE_SIZE_MAX = 8 << 20 };

static const char head[] = "V\t2\n\n";

static const char *
file_name(const struct mail_tree *t)
{
	if (t->at.subscriptions != NULL)
		return t->at.subscriptions;
	return t->at.mbox ? ".subscriptions" : "subscriptions";
}

static int
directory_of(const struct mail_tree *t)
{
	return t->at.mbox ? t->root : t->control;
}

static void
replace_char(struct buf *b, char from, char to)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] == from)
			b->p[i] = to;
}

/*
 * In a Maildir++, where '.' parts levels, a line with a '/' is a folder of
 * somebody else's, or a public one, whose name Dovecot has parted as if it
 * were one's own: "shared/bob@example<TAB>test/Work".
 */
static void
add_of_others(struct buf *path, struct span line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] == '/')
			buf_add_char(path, '.');
		else if (line.p[i] == '\t' || line.p[i] == '.')
			buf_add_text(path, "\\2e");
		else
			buf_add_char(path, line.p[i]);
}

/* The name that a line tells; NULL: none. */
static char *
name_of(struct mail_tree *t, struct span line)
{
	struct buf path = BUF_INIT(FOLDER_PATH_MAX);
	struct buf name = BUF_INIT(2 * FOLDER_PATH_MAX);
	char *result = NULL;

	if (span_is_nocase(line, "INBOX"))
		return mem_text("INBOX");
	if (!t->at.naming.fs)
		buf_add_char(&path, '.');
	if (!t->at.naming.fs && span_find(line, '/') < line.n)
		add_of_others(&path, line);
	else
		buf_add_span(&path, line);
	if (!t->subscriptions.first_version)
		replace_char(&path, '\t', t->at.naming.fs ? '/' : '.');
	if (!path.overflow &&
	    folder_name_of(&t->at.naming, buf_span(&path), &name))
		result = mem_text(buf_text(&name));
	buf_fini(&path);
	buf_fini(&name);
	return result;
}

/* A folder of others whose line Dovecot would have parted at dots. */
static bool
is_parted(const struct mail_tree *t, const struct mail_place *p)
{
	size_t n = t->shared == NULL ? 0 : strlen(t->shared);

	return n > 0 && !t->at.naming.fs && t->at.naming.separator == '/' &&
	    strncmp(p->name, t->shared, n) == 0 && p->name[n] == '/' &&
	    strstr(p->path, "\\2e") != NULL;
}

/* As add_of_others, the other way. */
static char *
line_of_others(const struct mail_tree *t, const char *path)
{
	struct buf line = BUF_INIT(FOLDER_PATH_MAX);
	char dot = t->subscriptions.first_version ? '.' : '\t';
	char *result;

	while (*path != '\0') {
		bool escaped = strncmp(path, "\\2e", 3) == 0;

		buf_add_char(&line, escaped ? dot : *path == '.' ? '/' : *path);
		path += escaped ? 3 : 1;
	}
	result = mem_text(buf_text(&line));
	buf_fini(&line);
	return result;
}

/* As name_of, the other way. */
static char *
line_of(struct mail_tree *t, const struct mail_place *p)
{
	struct buf line = BUF_INIT(FOLDER_PATH_MAX);
	char *result;

	if (p->path[0] == '\0')
		return mem_text("INBOX");
	if (is_parted(t, p))
		return line_of_others(t, p->path + 1);
	buf_add_text(&line, p->path + (t->at.naming.fs ? 0 : 1));
	if (!t->subscriptions.first_version)
		replace_char(&line, t->at.naming.fs ? '/' : '.', '\t');
	result = mem_text(buf_text(&line));
	buf_fini(&line);
	return result;
}

static void
add_line(struct mail_tree *t, char *line, char *name)
{
	struct subscriptions *s = &t->subscriptions;

	s->all = mem_resize(s->all, (s->count + 1) * sizeof(*s->all));
	s->all[s->count++] = (struct subscription){ line, name };
}

void
mail_subscriptions_fini(struct subscriptions *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->all[i].line);
		free(s->all[i].name);
	}
	free(s->all);
	memset(s, 0, sizeof(*s));
}

static void
take_lines(struct mail_tree *t, struct span rest)
{
	struct span line;

	t->subscriptions.first_version =
	    rest.n > 0 && !span_starts(rest, "V\t");
	if (span_starts(rest, "V\t"))
		(void)span_cut(&rest, "\n", false, &line);
	while (span_cut(&rest, "\n", false, &line))
		if (line.n > 0)
			add_line(t, mem_span_text(line), name_of(t, line));
}

enum mail_result
mail_subscriptions_read(struct mail_tree *t, struct why *why)
{
	struct buf text = BUF_INIT(FILE_SIZE_MAX);
	enum mail_result r = MAIL_OK;
	struct file_stamp stamp;

	mail_file_stamp(directory_of(t), file_name(t), &stamp);
	if (mail_file_same(&stamp, &t->subscriptions.stamp))
		return MAIL_OK;
	mail_subscriptions_fini(&t->subscriptions);
	if (mail_file_read(directory_of(t), file_name(t), &text, &stamp) == 0) {
		take_lines(t, buf_span(&text));
		t->subscriptions.stamp = stamp;
	} else if (errno != ENOENT) {
		why_errno(why, "4.2.0", "cannot read the subscriptions");
		r = MAIL_FAILED;
	}
	buf_fini(&text);
	return r;
}

bool
mail_subscriptions_has(const struct mail_tree *t, const char *name)
{
	for (size_t i = 0; i < t->subscriptions.count; i++)
		if (t->subscriptions.all[i].name != NULL &&
		    strcmp(t->subscriptions.all[i].name, name) == 0)
			return true;
	return false;
}

static enum mail_result
write_lines(struct mail_tree *t, struct why *why)
{
	struct buf text = BUF_INIT(FILE_SIZE_MAX);
	enum mail_result r = MAIL_OK;

	if (!t->subscriptions.first_version)
		buf_add_text(&text, head);
	for (size_t i = 0; i < t->subscriptions.count; i++)
		buf_printf(&text, "%s\n", t->subscriptions.all[i].line);
	if (text.overflow) {
		why_set(why, "5.2.0", "too many subscriptions");
		r = MAIL_LIMIT;
	} else if (mail_file_replace(directory_of(t), file_name(t),
		       buf_span(&text)) != 0) {
		why_errno(why, "4.2.0", "cannot write the subscriptions");
		r = mail_result_of(errno);
	} else {
		mail_file_stamp(directory_of(t), file_name(t),
		    &t->subscriptions.stamp);
	}
	buf_fini(&text);
	return r;
}

static void
remove_lines(struct mail_tree *t, const char *name)
{
	struct subscriptions *s = &t->subscriptions;
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct subscription *one = &s->all[i];

		if (one->name == NULL || strcmp(one->name, name) != 0) {
			s->all[kept++] = *one;
			continue;
		}
		free(one->line);
		free(one->name);
	}
	s->count = kept;
}

static enum mail_result
change(struct mail_tree *t, const struct mail_place *p, bool subscribed,
    struct why *why)
{
	enum mail_result r = mail_subscriptions_read(t, why);

	if (r != MAIL_OK || mail_subscriptions_has(t, p->name) == subscribed)
		return r;
	if (subscribed)
		add_line(t, line_of(t, p), mem_text(p->name));
	else
		remove_lines(t, p->name);
	r = write_lines(t, why);
	/* what could not be written is not so */
	if (r != MAIL_OK)
		mail_subscriptions_fini(&t->subscriptions);
	return r;
}

enum mail_result
mail_subscriptions_set(struct mail_tree *t, struct span name, bool subscribed,
    struct why *why)
{
	struct mail_place p;
	enum mail_result r = mail_place_find(t, name, &p);

	if (r == MAIL_OK)
		r = mail_tree_lock(t, why);
	if (r == MAIL_OK) {
		r = change(t, &p, subscribed, why);
		mail_tree_unlock(t);
	}
	mail_place_fini(&p);
	return r;
}
