"""What the counts should be: a plain list of who is connected where, counted the slow way."""

import collections
import ipaddress

FIRST_BITS = {4: 32, 6: 128}


class Oracle:
    def __init__(self):
        self.live = collections.Counter()  # (endpoint, address): sessions

    def enter(self, endpoint, address):
        self.live[endpoint, ipaddress.ip_address(address)] += 1

    def leave(self, endpoint, address):
        key = endpoint, ipaddress.ip_address(address)
        self.live[key] -= 1
        if self.live[key] == 0:
            del self.live[key]

    def inside(self, prefix, endpoint=None):
        """(sessions, addresses) of a prefix, whose host bits may be set."""
        block = ipaddress.ip_network(prefix, strict=False)
        found = [(a, n) for (e, a), n in self.live.items()
                 if a.version == block.version and a in block and endpoint in (None, e)]
        return sum(n for _, n in found), len({a for a, _ in found})

    def _blocks(self, version, lengths):
        """{(first address, length): [sessions, addresses]} of every length, where somebody is."""
        of_address = collections.Counter()
        for (_, address), n in self.live.items():
            if address.version == version:
                of_address[int(address)] += n
        blocks = collections.defaultdict(lambda: [0, 0])
        for address, n in of_address.items():
            for length in lengths:
                host = FIRST_BITS[version] - length
                block = blocks[address >> host << host, length]
                block[0] += n
                block[1] += 1
        return blocks

    def levels(self, first, last, versions=(4, 6)):
        """T15, as tidectl prints it: IPv4, then IPv6."""
        lines = []
        for version in versions:
            blocks = self._blocks(version, range(first, min(last, FIRST_BITS[version]) + 1))
            for (address, length), (n, _) in sorted(blocks.items()):
                lines.append("%*s%d %s" % (length - first, "", n, text(version, address, length)))
        return lines

    def top(self, lengths, limit):
        """The rows of `tidectl top`: lengths is {version: length}."""
        rows = [(-n, version, address, length, addresses)
                for version in lengths
                for (address, length), (n, addresses) in self._blocks(version, [lengths[version]]).items()]
        return [{"prefix": text(version, address, length), "count": -n, "distinct": addresses}
                for n, version, address, length, addresses in sorted(rows)[:limit]]


def text(version, address, length):
    kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    return "%s/%d" % (kind(address), length)
