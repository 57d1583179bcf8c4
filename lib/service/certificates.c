/* SPDX-License-Identifier: ISC */
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/tls/tls_kept.h"

void
service_certificates(void)
{
	if (!tls_kept_take(service_own_descriptor(SERVICE_CERTIFICATES)))
		fatal("what master gives of certificates cannot be read");
}
