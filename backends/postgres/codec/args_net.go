package codec

import (
	"errors"
	"net"
	"net/netip"

	"github.com/jackc/pgx/v5/pgtype"
)

// The address families of inet's binary form: family, bits, whether it is a
// cidr, number of bytes, bytes (PostgreSQL sources,
// src/backend/utils/adt/network.c, network_send).
const (
	inetIPv4 = 2
	inetIPv6 = 3
)

func isInetOID(oid uint32) bool { return oid == pgtype.InetOID || oid == pgtype.CIDROID }

func appendArgAddr(dst []byte, oid uint32, v netip.Addr) ([]byte, argForm, error) {
	return appendInet(dst, oid, v, v.BitLen())
}

func appendArgPrefix(dst []byte, oid uint32, v netip.Prefix) ([]byte, argForm, error) {
	if v == (netip.Prefix{}) {
		return dst, argNull, nil
	}
	return appendInet(dst, oid, v.Addr(), v.Bits())
}

// appendArgIP encodes a net.IP. Its 16-byte form of an IPv4 address is IPv4, as
// everywhere in package net.
func appendArgIP(dst []byte, oid uint32, v net.IP) ([]byte, argForm, error) {
	if v == nil {
		return dst, argNull, nil
	}
	addr, ok := netip.AddrFromSlice(v)
	if !ok {
		return dst, argNull, errors.New("the net.IP is neither 4 nor 16 bytes long")
	}
	addr = addr.Unmap()
	return appendInet(dst, oid, addr, addr.BitLen())
}

func appendArgIPNet(dst []byte, oid uint32, v *net.IPNet) ([]byte, argForm, error) {
	if v == nil || v.IP == nil {
		return dst, argNull, nil
	}
	addr, ok := netip.AddrFromSlice(v.IP)
	ones, bits := v.Mask.Size()
	if !ok || bits == 0 {
		return dst, argNull, errors.New("the net.IPNet has no canonical mask")
	}
	if bits == 32 {
		addr = addr.Unmap()
	}
	if bits != addr.BitLen() {
		return dst, argNull, errors.New("the net.IPNet's mask does not belong to its address")
	}
	return appendInet(dst, oid, addr, ones)
}

// appendInet encodes an address; the zero Addr is NULL.
func appendInet(dst []byte, oid uint32, addr netip.Addr, bits int) ([]byte, argForm, error) {
	switch {
	case !isInetOID(oid):
		return dst, argNull, errArgUnfit
	case !addr.IsValid():
		return dst, argNull, nil
	case addr.Zone() != "":
		return dst, argNull, errors.New("an address with a zone cannot be sent")
	case bits < 0:
		return dst, argNull, errors.New("the netip.Prefix is not valid")
	}
	isCIDR := byte(0)
	if oid == pgtype.CIDROID {
		isCIDR = 1
	}
	if addr.Is4() {
		b := addr.As4()
		dst = append(dst, inetIPv4, byte(bits), isCIDR, 4)
		return append(dst, b[:]...), argBinary, nil
	}
	b := addr.As16()
	dst = append(dst, inetIPv6, byte(bits), isCIDR, 16)
	return append(dst, b[:]...), argBinary, nil
}

// appendArgHardware encodes a MAC address.
func appendArgHardware(dst []byte, oid uint32, v net.HardwareAddr) ([]byte, argForm, error) {
	switch {
	case v == nil:
		return dst, argNull, nil
	case oid == pgtype.MacaddrOID && len(v) == 6, oid == pgtype.Macaddr8OID && len(v) == 8:
		return append(dst, v...), argBinary, nil
	case oid == pgtype.MacaddrOID, oid == pgtype.Macaddr8OID:
		return append(dst, v.String()...), argText, nil
	default:
		return dst, argNull, errArgUnfit
	}
}
