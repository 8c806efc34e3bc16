package wire

import "github.com/jackc/pgx/v5/pgproto3"

// ServerError is an error that the server reported, with all fields of the
// message (PostgreSQL documentation, "Error and Notice Message Fields"). Fields
// that the server did not send are empty. It is never changed after it was
// returned.
type ServerError struct {
	// Severity is ERROR, FATAL or PANIC, never translated; a server before 9.6
	// sends it in its own language.
	Severity string
	// Code is the SQLSTATE, five characters.
	Code string
	// Message is the primary message, Detail what more there is to say, Hint
	// what to do about it. They are in the server's language.
	Message, Detail, Hint string
	// Position is the 1-based position in the statement, in characters; 0 if
	// there is none.
	Position int32
	// InternalPosition is the position in InternalQuery, a statement that the
	// server itself made.
	InternalPosition int32
	// InternalQuery is the text of that statement.
	InternalQuery string
	// Where is the context: functions and statements, the innermost first.
	Where string
	// Schema, Table, Column, DataType and Constraint name what the error is
	// about.
	Schema, Table, Column, DataType, Constraint string
	// File, Line and Routine are the place in the server's source.
	File    string
	Line    int32
	Routine string
}

// Error gives severity, message and SQLSTATE. It leaves out Detail, which may
// hold values of rows.
func (e *ServerError) Error() string {
	text := e.Message
	if text == "" {
		text = "the server reports an error without a message"
	}
	if e.Severity != "" {
		text = e.Severity + ": " + text
	}
	if e.Code != "" {
		text += " (SQLSTATE " + e.Code + ")"
	}
	return text
}

// newServerError takes over what pgproto3 decoded.
func newServerError(m *pgproto3.ErrorResponse) *ServerError {
	e := &ServerError{
		Severity:         m.SeverityUnlocalized,
		Code:             m.Code,
		Message:          m.Message,
		Detail:           m.Detail,
		Hint:             m.Hint,
		Position:         m.Position,
		InternalPosition: m.InternalPosition,
		InternalQuery:    m.InternalQuery,
		Where:            m.Where,
		Schema:           m.SchemaName,
		Table:            m.TableName,
		Column:           m.ColumnName,
		DataType:         m.DataTypeName,
		Constraint:       m.ConstraintName,
		File:             m.File,
		Line:             m.Line,
		Routine:          m.Routine,
	}
	if e.Severity == "" {
		e.Severity = m.Severity
	}
	return e
}

// decodeServerError reads the body of an ErrorResponse; a body that is none is
// a *ProtocolError.
func decodeServerError(body []byte) error {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return protocolErrorf("an error message without its end")
	}
	return newServerError(&m)
}
