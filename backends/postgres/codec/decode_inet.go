package codec

import (
	"net"
	"net/netip"
	"reflect"
)

// readInet reads an inet or a cidr (PostgreSQL source, utils/adt/network.c): the
// family, the bits of the mask, whether it is a cidr, the length and the address.
func readInet(src []byte) (netip.Prefix, error) {
	const family4, family6 = 2, 3
	var addr netip.Addr
	switch {
	case len(src) == 8 && src[0] == family4 && src[3] == 4 && src[1] <= 32:
		addr = netip.AddrFrom4([4]byte(src[4:]))
	case len(src) == 20 && src[0] == family6 && src[3] == 16 && src[1] <= 128:
		addr = netip.AddrFrom16([16]byte(src[4:]))
	default:
		return netip.Prefix{}, reasonf("malformed address of %d bytes", len(src))
	}
	return netip.PrefixFrom(addr, int(src[1])), nil
}

// compileInet decodes addresses and networks. What has no room for the mask takes
// single addresses only.
func compileInet(dst reflect.Type) func(ptr, []byte) error {
	single := func(src []byte) (netip.Addr, error) {
		prefix, err := readInet(src)
		if err == nil && !prefix.IsSingleIP() {
			err = reasonf("%v is a network and does not fit %v", prefix, dst)
		}
		return prefix.Addr(), err
	}
	switch dst {
	case prefixType:
		return func(p ptr, src []byte) error {
			prefix, err := readInet(src)
			store(p, prefix)
			return err
		}
	case addrType:
		return func(p ptr, src []byte) error {
			addr, err := single(src)
			store(p, addr)
			return err
		}
	case ipType:
		return func(p ptr, src []byte) error {
			addr, err := single(src)
			store(p, net.IP(addr.AsSlice()))
			return err
		}
	case ipNetType:
		return func(p ptr, src []byte) error {
			prefix, err := readInet(src)
			if err != nil {
				return err
			}
			addr := prefix.Addr()
			store(p, net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(prefix.Bits(), addr.BitLen())})
			return nil
		}
	default:
		return nil
	}
}

// inetText leaves out the mask of an inet that is a single address, as PostgreSQL
// does.
func inetText(src []byte) (string, error) {
	prefix, err := readInet(src)
	if err != nil {
		return "", err
	}
	if isCIDR := src[2] != 0; prefix.IsSingleIP() && !isCIDR {
		return prefix.Addr().String(), nil
	}
	return prefix.String(), nil
}
