/* SPDX-License-Identifier: ISC */
#include "lib/service/internal.h"

#include <getopt.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"

static uint64_t
number(char option, const char *text, uint64_t max)
{
	uint64_t value;

	if (!span_u64(span_of(text), max, &value))
		fatal("option -%c: \"%s\" is no number up to %llu", option,
		    text, (unsigned long long)max);
	return value;
}

static void
take(struct service_arguments *a, int option, size_t *overrides)
{
	switch (option) {
	case 'n':
		a->name = optarg;
		break;
	case 't':
		a->type = optarg;
		break;
	case 'c':
		a->command = optarg;
		break;
	case 'g':
		a->generation = (unsigned int)number('g', optarg, UINT32_MAX);
		break;
	case 'l':
		a->listeners = number('l', optarg, SERVICE_LISTENERS_MAX);
		break;
	case 'm':
		a->maxproc = (int64_t)number('m', optarg, 1000000);
		break;
	case 's':
		a->slot = number('s', optarg, STATUS_SLOTS - 1);
		break;
	case 'o':
		a->overrides[(*overrides)++] = optarg;
		break;
	case 'v':
		a->verbose = true;
		break;
	default:
		fatal("this program is started by the posthaste master "
		      "only, from a line in master.cf");
	}
}

/* "-v" and "-D" of master.cf are for the skeleton. */
static void
take_rest(struct service_arguments *a, int argc, char **argv)
{
	a->rest = mem_array((size_t)argc + 1, sizeof(char *));
	for (int i = optind; i < argc; i++) {
		if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "-vv") == 0 ||
		    strcmp(argv[i], "-D") == 0)
			a->verbose = true;
		else
			a->rest[a->rest_count++] = argv[i];
	}
}

void
service_arguments_parse(struct service_arguments *a, int argc, char **argv)
{
	size_t overrides = 0;
	int option;

	*a = (struct service_arguments){ .name = NULL };
	a->overrides = mem_array((size_t)argc + 1, sizeof(char *));
	opterr = 0;
	while ((option = getopt(argc, argv, "+n:t:c:g:l:m:s:o:uv")) != -1)
		if (option != 'u')
			take(a, option, &overrides);
	if (a->name == NULL || a->type == NULL)
		take(a, '?', &overrides);
	take_rest(a, argc, argv);
}
