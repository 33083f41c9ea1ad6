/* The daemon's own tree behind abi.h. */
#include "abi.h"
#include "audit/cidr_tree.h"

const unsigned cc_caps = CC_V4 | CC_V6 | CC_ANY;

static struct addr address(const struct cidr_tree *tree, uint64_t hi, uint64_t lo)
{
	return (struct addr){ hi, lo, (uint8_t)cidr_tree_family(tree) };
}

void *cc_new(int family)
{
	return cidr_tree_new(family == 4 ? ADDR_V4 : ADDR_V6);
}

void cc_free(void *counter)
{
	cidr_tree_free(counter);
}

void cc_enter(void *counter, uint64_t hi, uint64_t lo)
{
	struct addr a = address(counter, hi, lo);

	cidr_tree_enter(counter, &a);
}

void cc_leave(void *counter, uint64_t hi, uint64_t lo)
{
	struct addr a = address(counter, hi, lo);

	cidr_tree_leave(counter, &a);
}

uint64_t cc_count(void *counter, uint64_t hi, uint64_t lo, unsigned len)
{
	struct cidr block = { address(counter, hi, lo), (uint8_t)len };

	return cidr_tree_count(counter, &block);
}

void cc_trim(void *counter)
{
	cidr_tree_trim(counter);
}
