package codec

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/netip"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"
)

func jsonBool(dst, src []byte) ([]byte, error) {
	if len(src) != 1 {
		return dst, wrongSize(src, 1)
	}
	return strconv.AppendBool(dst, src[0] != 0), nil
}

func jsonIntFunc(oid uint32) jsonFunc {
	switch oid {
	case pgtype.Int2OID:
		return jsonInt2
	case pgtype.Int4OID:
		return jsonInt4
	default:
		return jsonInt8
	}
}

func jsonInt2(dst, src []byte) ([]byte, error) {
	if len(src) != 2 {
		return dst, wrongSize(src, 2)
	}
	return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(src))), 10), nil
}

func jsonInt4(dst, src []byte) ([]byte, error) {
	if len(src) != 4 {
		return dst, wrongSize(src, 4)
	}
	return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(src))), 10), nil
}

func jsonInt8(dst, src []byte) ([]byte, error) {
	if len(src) != 8 {
		return dst, wrongSize(src, 8)
	}
	return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(src)), 10), nil
}

func jsonUint32(dst, src []byte) ([]byte, error) {
	if len(src) != 4 {
		return dst, wrongSize(src, 4)
	}
	return strconv.AppendUint(dst, uint64(binary.BigEndian.Uint32(src)), 10), nil
}

func jsonUint64(dst, src []byte) ([]byte, error) {
	if len(src) != 8 {
		return dst, wrongSize(src, 8)
	}
	return strconv.AppendUint(dst, binary.BigEndian.Uint64(src), 10), nil
}

func jsonFloat8(dst, src []byte) ([]byte, error) {
	if len(src) != 8 {
		return dst, wrongSize(src, 8)
	}
	return appendJSONFloat(dst, math.Float64frombits(binary.BigEndian.Uint64(src)), 64), nil
}

func jsonFloat4(dst, src []byte) ([]byte, error) {
	if len(src) != 4 {
		return dst, wrongSize(src, 4)
	}
	return appendJSONFloat(dst, float64(math.Float32frombits(binary.BigEndian.Uint32(src))), 32), nil
}

func jsonBytea(dst, src []byte) ([]byte, error) {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, src)
	return append(dst, '"'), nil
}

func jsonUUID(dst, src []byte) ([]byte, error) {
	if len(src) != 16 {
		return dst, wrongSize(src, 16)
	}
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, src[:4])
	for _, cut := range [4]int{4, 6, 8, 10} {
		dst = append(dst, '-')
		end := cut + 2
		if cut == 10 {
			end = 16
		}
		dst = hex.AppendEncode(dst, src[cut:end])
	}
	return append(dst, '"'), nil
}

func jsonMacaddr(dst, src []byte) ([]byte, error) {
	if len(src) != 6 && len(src) != 8 {
		return dst, wrongSize(src, 6)
	}
	lead := byte('"')
	for i := range src {
		dst = append(dst, lead)
		dst = hex.AppendEncode(dst, src[i:i+1])
		lead = ':'
	}
	return append(dst, '"'), nil
}

// jsonJSON embeds a value as it came. It is checked: what follows it would be
// misread otherwise.
func jsonJSON(dst, src []byte) ([]byte, error) {
	if !json.Valid(src) {
		return dst, reasonf("malformed value: it is not JSON")
	}
	return append(dst, src...), nil
}

func jsonJSONB(dst, src []byte) ([]byte, error) {
	if len(src) == 0 || src[0] != jsonbVersion {
		return dst, reasonf("malformed jsonb: its version is not known")
	}
	return jsonJSON(dst, src[1:])
}

// jsonChar writes a "char": one byte, of which 0 is the empty string and those
// that are not ASCII are octal, as the server writes them.
func jsonChar(dst, src []byte) ([]byte, error) {
	switch {
	case len(src) != 1:
		return dst, wrongSize(src, 1)
	case src[0] == 0:
		return append(dst, `""`...), nil
	case src[0] >= 0x80:
		c := src[0]
		return append(dst, '"', '\\', '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7, '"'), nil
	default:
		return appendJSONString(dst, src), nil
	}
}

// jsonInet writes an address, with its bits where it is a network or a cidr.
func jsonInet(dst, src []byte) ([]byte, error) {
	prefix, err := readInet(src)
	if err != nil {
		return dst, err
	}
	addr, bits, isCIDR := prefix.Addr(), prefix.Bits(), src[2] != 0
	dst = append(dst, '"')
	if b := addr.As16(); addr.Is6() && isIPv4Compatible(b) {
		dst = netip.AddrFrom4([4]byte(b[12:])).AppendTo(append(dst, "::"...))
	} else {
		dst = addr.AppendTo(dst)
	}
	if bits < addr.BitLen() || isCIDR {
		dst = strconv.AppendInt(append(dst, '/'), int64(bits), 10)
	}
	return append(dst, '"'), nil
}

// isIPv4Compatible says that the server writes an address as ::1.2.3.4.
func isIPv4Compatible(b [16]byte) bool {
	return [12]byte(b[:12]) == [12]byte{} && (b[12] != 0 || b[13] != 0)
}
