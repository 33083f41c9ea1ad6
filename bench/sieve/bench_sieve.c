/*
 * How many times a second one core runs a connect script that reads four live counts of the real
 * audit, two of them published examples.
 */
#include "bench/policy.h"
#include "policy/sieve/sieve.h"

int main(int argc, char **argv)
{
	const struct policy_script script = {
		.title = "connect_phase1",
		.source = argc > 1 ? argv[1] : "bench/sieve/counts.sieve",
	};
	struct bench b;
	double ns;

	bench_open(&b, &sieve_engine, &script);
	ns = bench_run(&b, false);
	printf("sieve: four counts of %d sessions: %.0f ns, %.2f M/s\n", SESSIONS, ns, 1e3 / ns);
	bench_close(&b);
	return 0;
}
