package codec

// jsonArrayFunc makes the encoder of an array type.
func jsonArrayFunc(elem uint32, encode jsonFunc) jsonFunc {
	return func(dst, src []byte) ([]byte, error) {
		r, err := openArray(src, elem)
		if err != nil {
			return dst, err
		}
		if r.n == 0 {
			return append(dst, '[', ']'), nil
		}
		count := r.count()
		for i := range count {
			dst = r.appendOpening(dst, i, '[', ',')
			value, null, err := r.next()
			switch {
			case err != nil:
			case null:
				dst = append(dst, "null"...)
			default:
				dst, err = encode(dst, value)
			}
			if err != nil {
				return dst, inElement(i, err)
			}
			dst = r.appendClosing(dst, i, ']')
		}
		return dst, r.close()
	}
}

// count is the number of elements in all dimensions.
func (r *arrayReader) count() int {
	total := 1
	for _, n := range r.dims[:r.n] {
		total *= n
	}
	return total
}

// appendOpening writes what stands before the i-th element, counted from 0
// through all dimensions: a separator, and an opening for each dimension that
// begins there.
func (r *arrayReader) appendOpening(dst []byte, i int, opening, separator byte) []byte {
	if i > 0 {
		dst = append(dst, separator)
	}
	for size, d := 1, r.n-1; d >= 0; d-- {
		if size *= r.dims[d]; i%size != 0 {
			break
		}
		dst = append(dst, opening)
	}
	return dst
}

// appendClosing writes what stands behind the i-th element.
func (r *arrayReader) appendClosing(dst []byte, i int, closing byte) []byte {
	for size, d := 1, r.n-1; d >= 0; d-- {
		if size *= r.dims[d]; (i+1)%size != 0 {
			break
		}
		dst = append(dst, closing)
	}
	return dst
}
