/* SPDX-License-Identifier: ISC */
/*
 * A client's name of a folder, and a directory's: whatever they are, no path
 * leads out of the account, and names lead back to their directories. The
 * first byte chooses the layout.
 */
#include "lib/store/folder_name.h"

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(const struct folder_naming *n, struct span path)
{
	struct span rest = path, part;

	ensure(path.n > 0 && path.n <= FOLDER_PATH_MAX && path.p[0] != '/');
	ensure(path.p[path.n - 1] != '/' && !span_has_break(path));
	while (span_cut(&rest, "/", false, &part)) {
		ensure(part.n > 0 && part.n <= FOLDER_LEVEL_MAX);
		ensure(!span_is(part, ".") && !span_is(part, ".."));
		ensure(!n->fs ||
		    (!span_is(part, "cur") && !span_is(part, "new") &&
			!span_is(part, "tmp")));
	}
	ensure(n->fs ||
	    (span_find(path, '/') == path.n && path.p[0] == '.' && path.n > 1 &&
		path.p[1] != '.'));
}

static void
try_name(const struct folder_naming *n, struct span name)
{
	struct buf clean = BUF_INIT(4 * FOLDER_NAME_MAX);
	struct buf path = BUF_INIT(2 * FOLDER_PATH_MAX);
	struct buf back = BUF_INIT(2 * FOLDER_PATH_MAX);

	if (folder_name_clean(n, name, &clean)) {
		for (enum folder_form f = 0; f < FOLDER_FORMS; f++)
			if (folder_name_path(n, buf_span(&clean), f, &path))
				check_path(n, buf_span(&path));
		if (folder_name_path(n, buf_span(&clean), FOLDER_FORM_OURS,
			&path))
			ensure(folder_name_of(n, buf_span(&path), &back) &&
			    span_equal(buf_span(&back), buf_span(&clean)));
	}
	buf_fini(&clean);
	buf_fini(&path);
	buf_fini(&back);
}

/* What is shown of a directory is a name by which it is found. */
static void
try_directory(const struct folder_naming *n, struct span path)
{
	struct buf name = BUF_INIT(2 * FOLDER_PATH_MAX);
	struct buf again = BUF_INIT(2 * FOLDER_PATH_MAX);
	bool found = false;

	if (span_find(path, '\0') == path.n && folder_name_of(n, path, &name)) {
		for (enum folder_form f = 0; f < FOLDER_FORMS && !found; f++)
			found =
			    folder_name_path(n, buf_span(&name), f, &again) &&
			    span_equal(buf_span(&again), path);
		ensure(found);
		check_path(n, path);
	}
	buf_fini(&name);
	buf_fini(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct folder_naming n;
	struct span text;

	if (size == 0)
		return 0;
	n = (struct folder_naming){ .separator = data[0] & 1 ? '.' : '/',
		.fs = (data[0] & 2) != 0,
		.utf8 = (data[0] & 4) != 0 };
	text = (struct span){ (const char *)data + 1, size - 1 };
	try_name(&n, text);
	try_directory(&n, text);
	return 0;
}
