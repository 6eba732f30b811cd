"""Network addresses, as far as they tell callers apart."""

import ipaddress


def network_of(host: str) -> str:
    """The network that one subscriber has: an IPv4 address, or a /64 of IPv6, where everybody has billions.

    Whatever is no address is one network, so that inventing some gains nothing.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, 64), strict=False))
        address = address.ipv4_mapped
    return str(address)
