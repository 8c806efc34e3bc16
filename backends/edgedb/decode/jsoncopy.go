package decode

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/internal/fields"
)

// jsonCopier moves a value of the server's JSON to dst, which is addressable and
// zero. JSON does not tell EdgeDB's types, so that the Go type decides what a
// text is: base64 for bytes, ISO 8601 for dates, times and durations.
type jsonCopier func(dst reflect.Value, v *jsonValue) error

// compileJSON finds how JSON goes into t.
func (c *compiler) compileJSON(t reflect.Type) (jsonCopier, error) {
	return c.compileJSONWithin(t, nil)
}

// compileJSONWithin compiles for t; open are the structs that are being compiled,
// which a struct that contains itself refers to.
func (c *compiler) compileJSONWithin(t reflect.Type, open map[reflect.Type]*jsonCopier) (jsonCopier, error) {
	out, err := compileTarget(t, func(t reflect.Type) (target[*jsonValue], error) { return c.jsonTarget(t, open) })
	if err != nil {
		return nil, err
	}
	return func(dst reflect.Value, v *jsonValue) error {
		if v.kind == jsonNull && t != rawType {
			return out.none(dst)
		}
		return out.set(dst, v)
	}, nil
}

func (c *compiler) jsonTarget(t reflect.Type, open map[reflect.Type]*jsonCopier) (target[*jsonValue], error) {
	out := target[*jsonValue]{}
	switch {
	case t == anyType:
		out.missing = setZero
		out.set = func(dst reflect.Value, v *jsonValue) error {
			if natural := v.natural(); natural != nil {
				dst.Set(reflect.ValueOf(natural))
			}
			return nil
		}
		return out, nil
	case t == rawType:
		out.set = func(dst reflect.Value, v *jsonValue) error { return setBytes(dst, v.raw) }
		return out, nil
	case isRange(t):
		out.set = jsonUnmarshal
		return out, nil
	case t == recordType || isAnyMap(t) || isAnyList(t):
		out.set = jsonValues
		return out, nil
	}
	if set, err := jsonScalar(t); set != nil || err != nil {
		out.set, out.missing = set, ownMissing(t)
		return out, err
	}
	if implements(t, scannerType) && !isEdgeDB(t) {
		return scannerTarget("a JSON value", t, (*jsonValue).driver), nil
	}
	switch {
	case implements(t, jsonUnmarshalerType) && !isEdgeDB(t):
		out.set = jsonUnmarshal
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		return c.jsonList(t, open)
	case t.Kind() == reflect.Struct && !nativeStruct(t) && !implements(t, textUnmarshalerType):
		return c.jsonStruct(t, open)
	case t.Kind() == reflect.Map:
		out.set = jsonUnmarshal
	default:
		return out, reasonf("JSON does not decode into %v", t)
	}
	return out, nil
}

func jsonUnmarshal(dst reflect.Value, v *jsonValue) error {
	if err := unmarshalJSON(v.raw, dst.Addr().Interface()); err != nil {
		return because(err, "%s into %v", v.what(), dst.Type())
	}
	return nil
}

// natural is what an any gets: string, bool, nil, int64 for integers that fit,
// float64 for other numbers of which it keeps every digit, else json.Number,
// []any, and duet.Record for objects.
func (v *jsonValue) natural() any {
	switch v.kind {
	case jsonNull:
		return nil
	case jsonBool:
		return v.raw[0] == 't'
	case jsonString:
		return v.text()
	case jsonNumber:
		return naturalNumber(string(v.raw))
	case jsonArray:
		list := make([]any, len(v.list))
		for i, e := range v.list {
			list[i] = e.natural()
		}
		return list
	default:
		return duet.NewRecord(v.keys, v.naturals())
	}
}

func (v *jsonValue) naturals() []any {
	list := make([]any, len(v.list))
	for i, e := range v.list {
		list[i] = e.natural()
	}
	return list
}

func naturalNumber(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err == nil && sameNumber(text, strconv.FormatFloat(f, 'g', -1, 64)) {
		return f
	}
	return json.Number(text)
}

// sameNumber says whether two numbers have the same digits at the same places.
func sameNumber(a, b string) bool {
	negativeA, digitsA, placesA, errA := splitNumber(a)
	negativeB, digitsB, placesB, errB := splitNumber(b)
	if errA != nil || errB != nil {
		return false
	}
	shortA, shortB := strings.TrimRight(digitsA, "0"), strings.TrimRight(digitsB, "0")
	return shortA == shortB && (shortA == "" ||
		negativeA == negativeB && placesA-len(digitsA)+len(shortA) == placesB-len(digitsB)+len(shortB))
}

// driver is what a sql.Scanner gets.
func (v *jsonValue) driver() any {
	switch n := v.natural().(type) {
	case json.Number:
		return n.String()
	case []any, duet.Record:
		return copyBytes(v.raw)
	default:
		return n
	}
}

// jsonValues stores an object in a Record or a map, and an array or an object's
// values in a []any.
func jsonValues(dst reflect.Value, v *jsonValue) error {
	isList := dst.Kind() == reflect.Slice
	if v.kind != jsonObject && !(isList && v.kind == jsonArray) {
		return reasonf("%s into %v", v.what(), dst.Type())
	}
	storeValues(dst, v.keys, v.naturals())
	return nil
}

func (c *compiler) jsonList(t reflect.Type, open map[reflect.Type]*jsonCopier) (target[*jsonValue], error) {
	elem, err := c.compileJSONWithin(t.Elem(), open)
	out := target[*jsonValue]{set: func(dst reflect.Value, v *jsonValue) error {
		switch {
		case v.kind != jsonArray:
			return reasonf("%s into %v", v.what(), t)
		case t.Kind() == reflect.Slice:
			dst.Set(reflect.MakeSlice(t, len(v.list), len(v.list)))
		case len(v.list) != t.Len():
			return reasonf("%d elements do not fit %v", len(v.list), t)
		}
		for i, e := range v.list {
			if err := elem(dst.Index(i), e); err != nil {
				return within(fmt.Sprintf("element %d", i+1), err)
			}
		}
		return nil
	}}
	return out, err
}

// jsonStruct takes objects apart by name, and arrays, which tuples are in JSON, by
// position.
func (c *compiler) jsonStruct(t reflect.Type, open map[reflect.Type]*jsonCopier) (target[*jsonValue], error) {
	if inside := open[t]; inside != nil {
		return target[*jsonValue]{missing: ownMissing(t), set: func(dst reflect.Value, v *jsonValue) error { return (*inside)(dst, v) }}, nil
	}
	shape, err := fields.Of(t)
	if err != nil {
		return target[*jsonValue]{}, &valueError{Reason: err.Error()}
	}
	inner := map[reflect.Type]*jsonCopier{t: new(jsonCopier)}
	for k, v := range open {
		inner[k] = v
	}
	plan := &jsonStructPlan{shape: shape, lax: c.lax, marks: implements(t, missingSetterType)}
	for _, f := range shape.Fields {
		one, err := c.compileJSONWithin(f.Type, inner)
		if err != nil {
			return target[*jsonValue]{}, within(inField(f.Name), err)
		}
		plan.copiers = append(plan.copiers, one)
	}
	*inner[t] = plan.set
	return target[*jsonValue]{missing: ownMissing(t), set: plan.set}, nil
}

type jsonStructPlan struct {
	shape   *fields.Struct
	copiers []jsonCopier
	lax     bool
	marks   bool
}

func (p *jsonStructPlan) set(dst reflect.Value, v *jsonValue) error {
	t := p.shape.Type
	if v.kind != jsonObject && v.kind != jsonArray {
		return reasonf("%s into %v", v.what(), t)
	}
	if p.marks {
		dst.Addr().Interface().(missingSetter).SetMissing(false)
	}
	names := v.keys
	if v.kind == jsonArray {
		names = make([]string, len(v.list))
		for i := range names {
			names[i] = tupleName(i)
		}
	}
	for i := range p.shape.Fields {
		f := &p.shape.Fields[i]
		var from *jsonValue
		name := f.Name
		if v.kind == jsonObject {
			from = v.member(f.Name)
		} else if i < len(v.list) {
			from, name = v.list[i], names[i]
		}
		if from == nil {
			return noColumn(f, t, names)
		}
		if err := p.copiers[i](fieldAt(dst, f.Index), from); err != nil {
			return within(inField(name), err)
		}
	}
	if p.lax || len(v.list) == len(p.shape.Fields) {
		return nil
	}
	for i, name := range names {
		if v.kind == jsonObject && p.shape.ByName(name) == nil || v.kind == jsonArray && i >= len(p.shape.Fields) {
			return noField(name, t, p.shape.Fields)
		}
	}
	return nil
}
