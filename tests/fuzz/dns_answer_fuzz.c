/* SPDX-License-Identifier: ISC */
/* Any bytes as the answer of a name server. */
#include "lib/dns/dns_answer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int types[] = { ns_t_a, ns_t_mx, ns_t_txt, ns_t_ptr };
	struct dns_record records[DNS_RECORDS_MAX];
	char name[DNS_NAME_MAX];
	struct dns_answer a;
	uint8_t *exact = malloc(size + 1); /* so that reads beyond show */

	if (size > 65535 || exact == NULL) {
		free(exact);
		return 0;
	}
	memcpy(exact, data, size);
	(void)dns_answer_cut(exact, (int)size);
	if (!dns_answer_open(&a, exact, (int)size, "example.test")) {
		free(exact);
		return 0;
	}
	for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
		size_t n = dns_answer_records(&a, types[t], records);

		for (size_t i = 0; i < n; i++) {
			const unsigned char *end =
			    records[i].data + records[i].length;

			if (records[i].data < exact || end > exact + size)
				abort();
			if (dns_answer_name(&a, records[i].data, name) &&
			    strlen(name) >= DNS_NAME_MAX)
				abort();
		}
	}
	free(exact);
	return 0;
}
