/* SPDX-License-Identifier: ISC */
/*
 * mail_shared_prefix, mail_public_folders and mail_public_owners, parted by
 * NULs; the first byte chooses the separator. What is taken has names of one
 * level, and places; what is not names a setting.
 */
#include "lib/store/namespace_settings.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/base/span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
next_text(struct arena *a, struct span *in)
{
	struct span text = span_take(*in, span_find(*in, '\0'));

	*in = span_skip(*in, text.n < in->n ? text.n + 1 : text.n);
	return arena_span(a, text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 };
	struct namespace_settings s;
	struct namespace_texts texts;
	const char *setting = NULL;
	struct arena *a;
	struct why why = { 0 };
	char separator;

	if (size == 0 || size > 20000)
		return 0;
	separator = data[0] & 1 ? '.' : '/';
	a = arena_new();
	texts.shared_prefix = next_text(a, &in);
	texts.public_folders = next_text(a, &in);
	texts.public_owners = next_text(a, &in);
	if (namespace_settings_parse(&texts, separator, &s, &setting, &why)) {
		ensure(s.count <= PUBLIC_TREES_MAX);
		for (size_t i = 0; i < s.count; i++) {
			ensure(s.trees[i].name[0] != '\0');
			ensure(strchr(s.trees[i].name, separator) == NULL);
			ensure(s.trees[i].location[0] != '\0');
		}
	} else {
		ensure(setting != NULL && why.text[0] != '\0');
	}
	namespace_settings_fini(&s);
	arena_free(&a);
	return 0;
}
