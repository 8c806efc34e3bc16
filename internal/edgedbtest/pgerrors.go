package edgedbtest

import (
	"regexp"
	"strings"

	"github.com/duetdb/duet/backends/postgres/wire"
)

// nobody stands for the ids of objects that PostgreSQL does not tell.
const nobody = "00000000-0000-0000-0000-000000000000"

// fromPostgres is PostgreSQL's error as EdgeDB gives it.
func fromPostgres(e *wire.ServerError) *Error {
	switch e.Code {
	case "23505":
		return constraint(e, "std::exclusive", "%s violates exclusivity constraint")
	case "23514":
		return constraint(e, "std::min_value", "Minimum allowed value for %s is 0.")
	case "23503", "23001":
		return linkTarget(e)
	case "23502":
		return errorf(codeMissingRequired, "missing value for required property '%s' of object type '%s'", e.Column, objectName(e.Table))
	case "25006":
		return errorf(codeTransaction, "%s", changePattern.ReplaceAllString(e.Message, "cannot execute SELECT in"))
	case "22P02":
		return errorf(codeInvalidValue, "%s", edgeDBTypes(e.Message))
	case "22003":
		return errorf(codeNumericOutOfRange, "%s", edgeDBTypes(e.Message))
	}
	if known := schemaError(e); known != nil {
		return known
	}
	if code, ok := sqlStates[e.Code]; ok {
		return errorf(code, "%s", e.Message)
	}
	if code, ok := sqlStates[e.Code[:min(2, len(e.Code))]]; ok {
		return errorf(code, "%s", e.Message)
	}
	return errorf(codeInternal, "%s", e.Message)
}

// changePattern is how PostgreSQL begins to refuse a change. On EdgeDB every
// change is a part of a SELECT.
var changePattern = regexp.MustCompile(`^cannot execute (?:INSERT|UPDATE|DELETE) in`)

// sqlStates are the codes of PostgreSQL's errors, or of classes of them, whose
// message EdgeDB passes on.
var sqlStates = map[string]uint32{
	"22012": codeDivisionByZero,
	"22008": codeInvalidValue, // datetime field overflow
	"22015": codeNumericOutOfRange,
	"22":    codeInvalidValue,
	"25P02": codeTransaction,
	"40001": codeSerialization,
	"40P01": codeDeadlock,
	"21000": codeCardinalityViolation,
	"55006": codeExecution,
	"54":    codeInvalidValue,
	"57014": codeQueryTimeout,
	"57":    codeBackendUnavailable,
	"53":    codeBackendUnavailable,
	"08":    codeBackendUnavailable,
	"0A000": codeUnsupportedBackend,
}

// constraintName takes the column out of account_name_key and account_balance_min.
var constraintName = regexp.MustCompile(`^[a-z_]+_([a-z]+)_(?:key|min|check)$`)

// constraint is the violation of a constraint on a property.
func constraint(e *wire.ServerError, kind, message string) *Error {
	property := e.Column
	if m := constraintName.FindStringSubmatch(e.Constraint); m != nil {
		property = m[1]
	}
	return &Error{Code: codeConstraintViolation, Message: strings.Replace(message, "%s", property, 1), Attributes: []Attribute{
		{attrDetails, "violated constraint '" + kind + "' on property '" + property + "' of object type '" + objectName(e.Table) + "'"},
	}}
}

var (
	foreignKey    = regexp.MustCompile(`violates foreign key constraint "[a-z]+_([a-z]+)_fkey" on table "([a-z]+)"`)
	foreignColumn = regexp.MustCompile(`^[a-z]+_([a-z]+)_fkey$`)
)

// linkTarget is the deletion of an object that a link leads to, or a link that
// leads nowhere.
func linkTarget(e *wire.ServerError) *Error {
	m := foreignKey.FindStringSubmatch(e.Message)
	if strings.HasPrefix(e.Message, "insert") || m == nil {
		link := e.Column
		if m := foreignColumn.FindStringSubmatch(e.Constraint); m != nil {
			link = m[1]
		}
		return errorf(codeMissingRequired, "missing value for required link '%s' of object type '%s'", link, objectName(e.Table))
	}
	target := "default::Account" // every link of the schema leads there
	return &Error{
		Code:    codeConstraintViolation,
		Message: "deletion of " + target + " (" + nobody + ") is prohibited by link target policy",
		Attributes: []Attribute{
			{attrDetails, "Object is still referenced in link " + m[1] + " of " + objectName(m[2]) + " (" + nobody + ")."},
		},
	}
}

// typeNames are EdgeDB's names of PostgreSQL's types, as they stand in messages.
var typeNames = map[string]string{
	"smallint": "std::int16", "integer": "std::int32", "bigint": "std::int64", "real": "std::float32", "double precision": "std::float64",
	"numeric": "std::decimal", "bytea": "std::bytes", "boolean": "std::bool", "uuid": "std::uuid", "jsonb": "std::json", "json": "std::json",
	"interval": "std::duration", "timestamp with time zone": "std::datetime", "timestamp without time zone": "cal::local_datetime",
}

var typeName = regexp.MustCompile(`\b(?:smallint|integer|bigint|real|double precision|numeric|bytea|boolean|uuid|jsonb?|interval|` +
	`timestamp with(?:out)? time zone)\b`)

// edgeDBTypes translates the names of types before the first colon: what
// follows it is a value.
func edgeDBTypes(message string) string {
	before, after, found := strings.Cut(message, ":")
	before = typeName.ReplaceAllStringFunc(before, func(name string) string { return typeNames[name] })
	if !found {
		return before
	}
	return before + ":" + after
}

var (
	quotedName   = regexp.MustCompile(`"(?:duet_conformance\.|duet\.)?(\w+)"`)
	droppedTable = regexp.MustCompile(`^cannot drop table (?:duet_conformance\.|duet\.)?(\w+)`)
)

// schemaError is a table or type that is missing, or there twice.
func schemaError(e *wire.ServerError) *Error {
	name := ""
	if m := quotedName.FindStringSubmatch(e.Message); m != nil {
		name = m[1]
	}
	kind := "object type"
	if name == "color" || name == "duet_conformance" {
		kind = "scalar type"
	}
	switch e.Code {
	case "42P01", "42704":
		return errorf(codeInvalidReference, "%s '%s' does not exist", kind, objectName(name))
	case "3F000":
		return errorf(codeInvalidReference, "object type 'default::Account' does not exist")
	case "42P07", "42710":
		return errorf(codeSchema, "%s '%s' already exists", kind, objectName(name))
	case "2BP01":
		table := ""
		if m := droppedTable.FindStringSubmatch(e.Message); m != nil {
			table = m[1]
		}
		return errorf(codeSchema, "cannot drop object type '%s' because other objects in the schema depend on it", objectName(table))
	case "42P06":
		return errorf(codeSchema, "scalar type 'default::Color' already exists")
	}
	return nil
}
