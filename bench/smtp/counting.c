/*
 * counting - what it costs a connection to be counted: in, four prefixes asked for, and out again,
 * in process, while many others are inside.
 *
 * Prints key=value: ns of processor time a connection, median of the rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/audit.h"
#include "base/check.h"
#include "base/mem.h"

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

int main(void)
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
		ns[round] = (double)(clock() - began) * (1e9 / CLOCKS_PER_SEC) / CONNECTIONS;
	}
	qsort(ns, ROUNDS, sizeof *ns, by_size);
	printf("counting_ns=%.0f\n", ns[ROUNDS / 2]);
	for (uint32_t i = 0; i < INSIDE; i++)
		audit_leave(&inside[i]);
	audit_free(audit);
	free(inside);
	return 0;
}
