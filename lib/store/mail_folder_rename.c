/* SPDX-License-Identifier: ISC */
/*
 * Renaming a folder with its children. Under LAYOUT=fs that is one rename(2).
 * Under Maildir++ each folder is a directory of its own, so what is to be done
 * is written down first, durably, in "posthaste-renames":
 *
 *	posthaste-renames 1
 *	name	FROM	TO	for metadata
 *	mail	.from.a	.to.a	for each directory
 *	control	.from.a	.to.a	the same below CONTROL=
 *	end
 *
 * A process that finds it ends what another began. Doing it twice does
 * nothing more.
 */
#include "lib/store/mail_folder_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mail_metadata.h"

enum { JOURNAL_MAX = 16 << 20 };

static const char journal[] = "posthaste-renames";
static const char head[] = "posthaste-renames 1";

static enum mail_result
failed(struct why *why)
{
	why_errno(why, "4.2.0", "cannot rename the folder");
	return mail_result_of(errno);
}

/* Nothing is ever replaced; what is gone has been renamed before. */
static int
rename_once(int at, const char *from, const char *to)
{
	if (faccessat(at, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return renameat(at, from, at, to) == 0 || errno == ENOENT ? 0 : -1;
}

static int
flush_above(struct mail_tree *t, int at, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *above;
	int fd, result;

	if (at == t->root)
		return mail_tree_flush(t, path);
	above = slash == NULL ?
	    mem_text(".") :
	    mem_span_text((struct span){ path, (size_t)(slash - path) });
	fd = openat(at, above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = fd < 0 ? -1 : fsync(fd);
	free(above);
	fd_close(&fd);
	return result;
}

/* Is it a path that we could have written? */
static bool
is_folder_path(struct mail_tree *t, struct span path)
{
	struct buf name = BUF_INIT(2 * FOLDER_PATH_MAX);
	bool good = folder_name_of(&t->at.naming, path, &name);

	buf_fini(&name);
	return good;
}

static int
redo_paths(struct mail_tree *t, int at, struct span from, struct span to)
{
	char *old, *new;
	int result;

	if (!is_folder_path(t, from) || !is_folder_path(t, to))
		return 0;
	old = mem_span_text(from);
	new = mem_span_text(to);
	result = rename_once(at, old, new);
	free(old);
	free(new);
	return result;
}

static int
redo_name(struct mail_tree *t, struct span from, struct span to)
{
	char *old = mem_span_text(from), *new = mem_span_text(to);
	int result = 0;
	struct why why;

	if (mail_metadata_read(t->metadata, t->control, &why) != MAIL_OK)
		result = -1;
	else if (mail_metadata_rename(t->metadata, old, new,
		     t->at.naming.separator) &&
	    mail_metadata_write(t->metadata, t->control, &why) != MAIL_OK)
		result = -1;
	free(old);
	free(new);
	return result;
}

static int
redo_line(struct mail_tree *t, struct span line)
{
	struct span what, from;

	if (!span_cut(&line, "\t", false, &what) ||
	    !span_cut(&line, "\t", false, &from) || line.n == 0)
		return 0;
	if (span_is(what, "name"))
		return redo_name(t, from, line);
	if (span_is(what, "mail"))
		return redo_paths(t, t->root, from, line);
	if (span_is(what, "control"))
		return redo_paths(t, t->control, from, line);
	return 0;
}

/* The directories that the journal's lines have changed. */
static int
flush_line(struct mail_tree *t, struct span line)
{
	struct span what, from;
	int at, result;
	char *old, *new;

	if (!span_cut(&line, "\t", false, &what) ||
	    !span_cut(&line, "\t", false, &from) || span_is(what, "name"))
		return 0;
	at = span_is(what, "mail") ? t->root : t->control;
	old = mem_span_text(from);
	new = mem_span_text(line);
	result = flush_above(t, at, new);
	/* under Maildir++ that was the same one */
	if (result == 0 && t->at.naming.fs)
		result = flush_above(t, at, old);
	free(old);
	free(new);
	return result;
}

static int
each_line(struct mail_tree *t, struct span text,
    int (*call)(struct mail_tree *t, struct span line), size_t limit)
{
	struct span line;

	while (limit-- > 0 && span_cut(&text, "\n", false, &line))
		if (call(t, line) != 0)
			return -1;
	return 0;
}

static int
redo(struct mail_tree *t, struct span text)
{
	/* all directories of Maildir++ are in one: one flush does */
	size_t flushes = t->at.naming.fs ? SIZE_MAX : 3;

	if (each_line(t, text, redo_line, SIZE_MAX) != 0 ||
	    each_line(t, text, flush_line, flushes) != 0)
		return -1;
	if (unlinkat(t->control, journal, 0) != 0 && errno != ENOENT)
		return -1;
	return fsync(t->control);
}

enum mail_result
mail_tree_rename_redo(struct mail_tree *t, struct why *why)
{
	struct buf text = BUF_INIT(JOURNAL_MAX);
	enum mail_result r = mail_tree_lock(t, why);
	struct file_stamp stamp;

	if (r != MAIL_OK)
		return r;
	if (mail_file_read(t->control, journal, &text, &stamp) != 0) {
		if (errno != ENOENT)
			r = failed(why);
	} else if (!span_starts(buf_span(&text), head)) {
		log_warning("%s: not in a form that is known", journal);
		why_set(why, "4.2.0", "%s is damaged", journal);
		r = MAIL_FAILED;
	} else if (redo(t, buf_span(&text)) != 0) {
		r = failed(why);
	}
	mail_tree_unlock(t);
	buf_fini(&text);
	return r;
}

/* What a rename is about. */
struct plan {
	struct mail_tree *tree;
	const struct mail_place *from, *to;
	struct buf lines;
	size_t directories;
};

static void
plan_line(struct plan *p, const char *old, const char *new)
{
	buf_printf(&p->lines, "mail\t%s\t%s\n", old, new);
	if (p->tree->control != p->tree->root)
		buf_printf(&p->lines, "control\t%s\t%s\n", old, new);
	p->directories++;
}

/* The child keeps what stands behind the old name. */
static enum mail_result
plan_child(struct plan *p, const char *name)
{
	char *renamed =
	    mem_printf("%s%s", p->to->name, name + strlen(p->from->name));
	struct mail_place old = { 0 }, new = { 0 };
	enum mail_result r = mail_place_find(p->tree, span_of(name), &old);

	if (r == MAIL_OK)
		r = mail_place_find(p->tree, span_of(renamed), &new);
	if (r == MAIL_OK && new.kind != PLACE_NONE)
		r = MAIL_EXISTS;
	if (r == MAIL_OK)
		plan_line(p, old.path, new.path);
	mail_place_fini(&old);
	mail_place_fini(&new);
	free(renamed);
	return r;
}

static enum mail_result
plan_children(struct plan *p, struct why *why)
{
	struct mail_folder_list l = { 0 };
	enum mail_result r = mail_tree_list(p->tree, &l, why);

	for (size_t i = 0; r == MAIL_OK && i < l.count; i++)
		if (l.all[i].exists &&
		    folder_name_below(&p->tree->at.naming,
			span_of(l.all[i].name), span_of(p->from->name)))
			r = plan_child(p, l.all[i].name);
	mail_folder_list_fini(&l);
	return r;
}

static enum mail_result
plan(struct plan *p, struct why *why)
{
	enum mail_result r = MAIL_OK;

	buf_printf(&p->lines, "%s\nname\t%s\t%s\n", head, p->from->name,
	    p->to->name);
	if (p->from->kind != PLACE_NONE)
		plan_line(p, p->from->path, p->to->path);
	/* with directories in directories the children come along */
	if (!p->tree->at.naming.fs)
		r = plan_children(p, why);
	buf_add_text(&p->lines, "end\n");
	if (r == MAIL_OK && p->directories == 0) {
		why_set(why, "5.2.0", "there is no such folder");
		r = MAIL_NONEXISTENT;
	}
	if (r == MAIL_OK && p->lines.overflow)
		r = MAIL_LIMIT;
	return r;
}

/* Folders that are files have no children. */
static enum mail_result
make_directories(struct mail_tree *t, const char *path, struct why *why)
{
	char *part = mem_printf("%s/", path);
	int result = 0;

	for (char *slash = strchr(part, '/'); result == 0 && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (part[0] != '\0')
			result = mail_tree_mbox_make(t, part, false);
		*slash = '/';
	}
	free(part);
	if (result == 0)
		return MAIL_OK;
	if (errno != ENOTDIR)
		return failed(why);
	why_set(why, "5.2.0", "%s is a file, and cannot have children", path);
	return MAIL_NOT_ALLOWED;
}

static enum mail_result
make_parents(struct mail_tree *t, const struct mail_place *to, struct why *why)
{
	struct span above =
	    folder_name_parent(&t->at.naming, span_of(to->name));
	struct mail_place parent;
	enum mail_result r;

	if (above.n == 0)
		return MAIL_OK;
	r = mail_place_find(t, above, &parent);
	if (r == MAIL_OK && t->at.mbox)
		r = make_directories(t, parent.path, why);
	else if (r == MAIL_OK)
		r = mail_tree_make(t, &parent, why);
	mail_place_fini(&parent);
	if (r == MAIL_OK && t->at.naming.fs && span_is(above, "INBOX") &&
	    mkdirat(t->root, "INBOX", 0700) != 0 && errno != EEXIST)
		r = failed(why);
	return r;
}

static enum mail_result
check(struct mail_tree *t, const struct mail_place *from,
    const struct mail_place *to, struct why *why)
{
	if (from->path[0] == '\0') {
		why_set(why, "5.2.0", "INBOX has no name to change");
		return MAIL_NOT_ALLOWED;
	}
	if (folder_name_below(&t->at.naming, span_of(to->name),
		span_of(from->name))) {
		why_set(why, "5.2.0", "a folder cannot become its own child");
		return MAIL_NOT_ALLOWED;
	}
	if (to->kind == PLACE_FOLDER)
		return MAIL_EXISTS;
	/* an empty directory may be in the way under fs */
	if (to->kind == PLACE_PARENT &&
	    unlinkat(t->root, to->path, AT_REMOVEDIR) != 0)
		return MAIL_EXISTS;
	return MAIL_OK;
}

static enum mail_result
carry_out(struct plan *p, struct why *why)
{
	struct mail_tree *t = p->tree;
	enum mail_result r;

	r = make_parents(t, p->to, why);
	if (r != MAIL_OK)
		return r;
	if (mail_file_replace(t->control, journal, buf_span(&p->lines)) != 0)
		return failed(why);
	return redo(t, buf_span(&p->lines)) == 0 ? MAIL_OK : failed(why);
}

enum mail_result
mail_tree_rename(struct mail_tree *t, struct span from, struct span to,
    struct why *why)
{
	struct mail_place old = { 0 }, new = { 0 };
	struct plan p = { .tree = t, .from = &old, .to = &new };
	enum mail_result r = mail_tree_lock(t, why);

	if (r != MAIL_OK)
		return r;
	buf_init(&p.lines, JOURNAL_MAX);
	if ((r = mail_place_find(t, from, &old)) == MAIL_OK &&
	    (r = mail_place_find(t, to, &new)) == MAIL_OK &&
	    (r = check(t, &old, &new, why)) == MAIL_OK &&
	    (r = plan(&p, why)) == MAIL_OK)
		r = carry_out(&p, why);
	buf_fini(&p.lines);
	mail_place_fini(&old);
	mail_place_fini(&new);
	mail_tree_unlock(t);
	return r;
}
