/*
 * counting - what it costs a connection to be counted, in process: in, four prefixes asked for, and
 * out again, while many others are inside; and one event in the series of two monitors, of clients
 * most of whom were seen before.
 *
 * Prints key=value: ns of processor time a connection, median of the rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/audit.h"
#include "base/check.h"
#include "base/mem.h"
#include "series/series.h"

enum { INSIDE = 10000, CONNECTIONS = 200000, ROUNDS = 9 };

static const unsigned lengths[] = { 32, 24, 16, 0 };

static struct addr nth_client(uint32_t n)
{
	return (struct addr){ .hi = (uint64_t)(n * 2654435761u) << 32, .family = ADDR_V4 };
}

static uint64_t connection(struct audit_scope scope, uint32_t n)
{
	struct audit_ticket ticket = { 0 };
	struct addr peer = nth_client(n);
	uint64_t seen = 0;

	audit_enter(scope.endpoint, &peer, &ticket);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		struct cidr block = cidr_of(&peer, lengths[i]);

		seen += audit_count(scope, &block);
	}
	audit_leave(&ticket);
	return seen;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of CONNECTIONS turns. */
static double ns_since(clock_t began)
{
	return (double)(clock() - began) * (1e9 / CLOCKS_PER_SEC) / CONNECTIONS;
}

static double median(double ns[ROUNDS])
{
	qsort(ns, ROUNDS, sizeof *ns, by_size);
	return ns[ROUNDS / 2];
}

static double live_counts(void)
{
	struct audit *audit = audit_new();
	struct audit_service *service = audit_service_find(audit, "SMTP");
	struct audit_scope scope = { service, audit_endpoint(audit, service, "127.0.0.1:25") };
	struct audit_ticket *inside = mem_array(INSIDE, sizeof *inside);
	double ns[ROUNDS];

	for (uint32_t i = 0; i < INSIDE; i++) {
		struct addr peer = nth_client(i * 2);

		audit_enter(scope.endpoint, &peer, &inside[i]);
	}
	for (int round = 0; round < ROUNDS; round++) {
		clock_t began = clock();

		for (uint32_t n = 0; n < CONNECTIONS; n++)
			CHECK(connection(scope, n) > INSIDE);
		ns[round] = ns_since(began);
	}
	for (uint32_t i = 0; i < INSIDE; i++)
		audit_leave(&inside[i]);
	audit_free(audit);
	free(inside);
	return median(ns);
}

static double series(void)
{
	static const struct monitor monitors[] = { { 300, 6 }, { 1800, 4 } };
	struct series_all *all = series_all_new();
	double ns[ROUNDS];

	series_monitors(all, monitors, 2, SERIES_BYTES_STANDARD, false);
	for (int round = 0; round < ROUNDS; round++) {
		clock_t began = clock();

		for (uint32_t n = 0; n < CONNECTIONS; n++) {
			struct addr peer = nth_client(n);

			series_event(all, EVENT_CONNECTION, &peer);
		}
		ns[round] = ns_since(began);
	}
	series_all_free(all);
	return median(ns);
}

int main(void)
{
	printf("counting_ns=%.0f\n", live_counts());
	printf("series_ns=%.0f\n", series());
	return 0;
}
