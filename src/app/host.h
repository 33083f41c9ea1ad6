/*
 * host - the daemon as policies see it: counts from the audit, series, acts into the log and the
 * ledger.
 */
#ifndef APP_HOST_H
#define APP_HOST_H

#include "audit/audit.h"
#include "front/crew.h"
#include "policy/ledger.h"
#include "policy/policy.h"
#include "series/series.h"

/* What the host's functions work on; policy_host.owner. All borrowed. */
struct host {
	struct audit *audit;
	struct ledger *ledger;
	struct series_all *series;
	struct crew *crew; /* set before the first session begins */
};

void host_fill(struct policy_host *out, struct host *host);

#endif
