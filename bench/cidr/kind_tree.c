#include "audit/cidr_tree.h"
#include "kind.h"

static void *tree_new(enum addr_family family)
{
	return cidr_tree_new(family);
}

static void tree_free(void *counter)
{
	cidr_tree_free(counter);
}

static void tree_enter(void *counter, const struct addr *addr)
{
	cidr_tree_enter(counter, addr);
}

static void tree_leave(void *counter, const struct addr *addr)
{
	cidr_tree_leave(counter, addr);
}

const struct kind kind_tree = { "cidr_tree", tree_new, tree_free, tree_enter, tree_leave };
