package edgedb

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// exportedErrors are the names of the errors that edgedb-go exports.
func exportedErrors(t *testing.T) []string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/edgedb/edgedb-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "errors_gen.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.ValueSpec); ok && strings.HasSuffix(s.Names[0].Name, "Error") {
			names = append(names, s.Names[0].Name)
		}
		return true
	})
	return names
}

// notExported are the documented errors that edgedb-go does not know.
var notExported = []string{"DeprecatedScopingError", "ServerOfflineError", "UnknownTenantError", "ServerBlockedError", "LogMessage", "WarningMessage"}

// TestConditions lets edgedb-go make an error of each code: it must agree on the
// name, the parents and the tags, and the code must come back.
func TestConditions(t *testing.T) {
	exported := exportedErrors(t)
	if len(exported) != len(conditions)-len(notExported) || len(exported) < 90 {
		t.Errorf("edgedb-go exports %d errors, the table has %d", len(exported), len(conditions))
	}
	for _, name := range exported {
		if _, ok := conditions[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	server := newFakeServer(t)
	client := server.client(t)
	for name, c := range conditions {
		server.answer(append(errorFrame(c.code, "so it is", nil), ready...))
		err := client.Execute(t.Context(), "select 1")
		e, ok := serverError(err, "select 1", duet.PhaseRun).(*duet.Error)
		if !ok {
			t.Fatalf("%s: %v", name, err)
		}
		wantCode := fmt.Sprintf("0x%08x", c.code)
		if c.fromClient() {
			wantCode = ""
		}
		if e.Name != name || e.Code != wantCode || e.Kind != c.kind || e.Message != "so it is" || e.Phase != duet.PhaseRun {
			t.Errorf("%s: %+v", name, *e)
		}
		checkAgreement(t, name, c, err.(edgedb.Error), exported)
	}
}

func checkAgreement(t *testing.T, name string, c condition, err edgedb.Error, exported []string) {
	t.Helper()
	if strings.Contains(err.Error(), "invalid error code") {
		return // edgedb-go does not know it
	}
	if !strings.HasPrefix(err.Error(), "edgedb."+name+": ") {
		t.Errorf("%s is edgedb-go's %v", name, err)
	}
	if err.HasTag(edgedb.ShouldRetry) != (c.tags&retryTag != 0) || err.HasTag(edgedb.ShouldReconnect) != (c.tags&reconnectTag != 0) {
		t.Errorf("%s has the wrong tags", name)
	}
	for _, other := range exported {
		family := conditions[other].code
		for family&0xff == 0 {
			family >>= 8
		}
		if got := err.Category(edgedb.ErrorCategory("errors::" + other)); got != c.is(family) {
			t.Errorf("%s is a %s: edgedb-go says %v", name, other, got)
		}
	}
}

// A newer server's errors: edgedb-go tells their codes in a text.
func TestNewerErrors(t *testing.T) {
	tests := []struct {
		code  uint32
		name  string
		kind  duet.Kind
		class retry.Class
		lost  bool
	}{
		{0x08000002, "ServerOfflineError", duet.KindUnavailable, retry.Unavailable, true},
		{0x08000003, "UnknownTenantError", duet.KindUnavailable, retry.Unavailable, true},
		{0x08000004, "ServerBlockedError", duet.KindUnavailable, retry.Permanent, true},
		{0x05030107, "TransactionConflictError", duet.KindSerialization, retry.Conflict, false},
		{0x05020017, "IntegrityError", duet.KindOther, retry.Permanent, false},
		{0x04010900, "InvalidSyntaxError", duet.KindSyntax, retry.Permanent, false},
		{0x07020000, "AccessError", duet.KindPermission, retry.Permanent, false},
		{0x77000000, "UnexpectedMessageError", duet.KindProtocol, retry.Permanent, true},
	}
	server := newFakeServer(t)
	client := server.client(t)
	const message = "quoted \"text\"\nand \x00 so on"
	for _, tt := range tests {
		server.answer(append(errorFrame(tt.code, message, nil), ready...))
		err := serverError(client.Execute(t.Context(), "select 1"), "select 1", duet.PhaseRun)
		e, ok := err.(*duet.Error)
		if !ok || e.Name != tt.name || e.Kind != tt.kind || classify(err) != tt.class || isConnectionLost(err) != tt.lost {
			t.Errorf("0x%08x: %+v, %v, lost %v", tt.code, err, classify(err), isConnectionLost(err))
			continue
		}
		wantCode, wantMessage := fmt.Sprintf("0x%08x", tt.code), message
		if tt.code == 0x77000000 {
			wantCode, wantMessage = "0x03010003", e.Message
		}
		if e.Code != wantCode || e.Message != wantMessage {
			t.Errorf("0x%08x: %s %q", tt.code, e.Code, e.Message)
		}
	}
}

// fakeError is an error of edgedb-go with any text.
type fakeError struct {
	text  string
	cause error
}

func (e fakeError) Error() string                      { return e.text }
func (e fakeError) Unwrap() error                      { return e.cause }
func (e fakeError) HasTag(edgedb.ErrorTag) bool        { return false }
func (e fakeError) Category(edgedb.ErrorCategory) bool { return false }

func TestTexts(t *testing.T) {
	type want struct {
		kind                              duet.Kind
		constraint, schema, table, column string
	}
	check := duet.KindCheckViolation
	tests := []struct {
		text string
		want want
	}{
		{"ConstraintViolationError: name violates exclusivity constraint", want{duet.KindUniqueViolation, "std::exclusive", "", "", "name"}},
		{"ConstraintViolationError: Account violates exclusivity constraint", want{duet.KindUniqueViolation, "std::exclusive", "", "", ""}},
		{"ConstraintViolationError: the user's name violates exclusivity constraint", want{duet.KindUniqueViolation, "std::exclusive", "", "", ""}},
		{"ConstraintViolationError: unique link constraint violation", want{duet.KindUniqueViolation, "", "", "", ""}},
		{"ConstraintViolationError: deletion of a::b::Type (a5ccf0ec-e55e-11f1-8db4-8f00a03388da) is prohibited by link target policy",
			want{duet.KindForeignKeyViolation, "", "a::b", "Type", ""}},
		{"ConstraintViolationError: Existing default::A.name values violate the new constraint", want{check, "", "default", "A", "name"}},
		{"ConstraintViolationError: Maximum allowed value for size is 10.", want{check, "std::max_value", "", "", "size"}},
		{"ConstraintViolationError: Minimum allowed value for größe is -1.5.", want{check, "std::min_value", "", "", "größe"}},
		{"ConstraintViolationError: size must be less than 10.", want{check, "std::max_ex_value", "", "", "size"}},
		{"ConstraintViolationError: size must be greater than 10.", want{check, "std::min_ex_value", "", "", "size"}},
		{"ConstraintViolationError: name must be no longer than 10 characters.", want{check, "std::max_len_value", "", "", "name"}},
		{"ConstraintViolationError: name must be no shorter than 1 characters.", want{check, "std::min_len_value", "", "", "name"}},
		{"ConstraintViolationError: color must be one of: ['red', 'a.b'].", want{check, "std::one_of", "", "", "color"}},
		{"ConstraintViolationError: invalid email", want{check, "", "", "", "email"}},
		{"ConstraintViolationError: my own words", want{check, "", "", "", ""}},
		{"ConstraintViolationError: assert_distinct violation: expression returned a set with duplicate elements", want{check, "", "", "", ""}},
		{"MissingRequiredError: missing value for required link 'src' of object type 'm::n::T'", want{duet.KindNotNullViolation, "", "m::n", "T", "src"}},
		{"MissingRequiredError: missing value for required property 'note' of link 'src' of object type 'm::T'",
			want{duet.KindNotNullViolation, "", "", "", "note"}},
		{"MissingRequiredError: else", want{duet.KindNotNullViolation, "", "", "", ""}},
		{"CardinalityViolationError: assert_exists violation: expression returned an empty set", want{kind: duet.KindNoData}},
		{"CardinalityViolationError: assert_single violation: more than one element returned by an expression", want{kind: duet.KindCardinality}},
		{"CardinalityViolationError: cardinality violation", want{kind: duet.KindCardinality}},
		{"UnknownLinkError: invalid target for link 'default::T.src': 'A' (expecting 'B')", want{kind: duet.KindForeignKeyViolation}},
		{"UnknownLinkError: no such link", want{kind: duet.KindUndefined}},
		{"TransactionError: cannot execute INSERT in a read-only transaction", want{kind: duet.KindReadOnly}},
		{"TransactionError: current transaction is aborted, commands ignored until end of transaction block", want{kind: duet.KindOther}},
		{"BinaryProtocolError: invalid connection state: found unknown state value default::x", want{kind: duet.KindUndefined}},
		{"BinaryProtocolError: invalid connection state: expected state.globals to be int64 got string", want{kind: duet.KindInvalidArgument}},
		{`InvalidArgumentError: the "out" argument does not match query schema: expected []string to be int64`, want{kind: duet.KindInvalidResult}},
		{`InterfaceError: the "out" argument must be a pointer to a slice, got int`, want{kind: duet.KindInvalidResult}},
		{"InterfaceError: client closed", want{kind: duet.KindClosed}},
		{"InterfaceError: cannot Execute; the transaction is already committed", want{kind: duet.KindClosed}},
		{"InterfaceError: The connection is borrowed for a transaction.", want{kind: duet.KindInvalidArgument}},
		{"ClientConnectionFailedError: The server doesn't support the edgedb-binary protocol.", want{kind: duet.KindProtocol}},
		{"ConfigurationError: invalid", want{kind: duet.KindConfig}},
		{"AccessPolicyError: access policy violation on insert of default::T", want{kind: duet.KindPermission}},
		{"QueryTimeoutError: canceling statement due to statement timeout", want{kind: duet.KindCanceled}},
		{"IdleTransactionTimeoutError: terminating connection", want{kind: duet.KindUnavailable}},
		{"UnsupportedFeatureError: no", want{kind: duet.KindUnsupported}},
		{"NoDataError: zero results", want{kind: duet.KindNoData}},
	}
	for _, tt := range tests {
		e := translate(fakeError{text: "edgedb." + tt.text}, "select 1", duet.PhaseRun)
		if got := (want{e.Kind, e.Constraint, e.Schema, e.Table, e.Column}); got != tt.want {
			t.Errorf("%s\ngot  %+v\nwant %+v", tt.text, got, tt.want)
		}
	}
}

// joined is what edgedb-go makes of several errors: only its text and errors.As
// show them.
type joined []error

func (j joined) Error() string {
	var texts []string
	for _, err := range j {
		texts = append(texts, err.Error())
	}
	return strings.Join(texts, "; ")
}

func (j joined) As(target any) bool {
	for _, err := range j {
		if errors.As(err, target) {
			return true
		}
	}
	return false
}

func TestJoined(t *testing.T) {
	one := func(text string) error { return fakeError{text: "edgedb." + text} }
	eof, auth := one("ClientConnectionFailedTemporarilyError: EOF"), one("AuthenticationError: authentication failed")
	conflict, aborted := one("TransactionSerializationError: lost"), one("TransactionError: current transaction is aborted; edgedb.Nothing: really")
	tests := []struct {
		err           error
		name, message string
		lost          bool
	}{
		{joined{auth, eof}, "AuthenticationError", "authentication failed", true},
		{joined{one("NoDataError: zero results"), eof}, "ClientConnectionFailedTemporarilyError", "EOF", true},
		{joined{eof, auth}, "AuthenticationError", "authentication failed", true},
		{joined{eof, conflict}, "TransactionSerializationError", "lost", true},
		{joined{conflict, aborted, eof}, "TransactionError", "current transaction is aborted; edgedb.Nothing: really", true},
		{joined{conflict, conflict}, "TransactionSerializationError", "lost", false},
		{joined{errors.New("cannot decode"), conflict}, "TransactionSerializationError", "lost", false},
		{fmt.Errorf("wrapped: %w", joined{auth, eof}), "AuthenticationError", "authentication failed", true},
		{fmt.Errorf("wrapped: %w", auth), "AuthenticationError", "authentication failed", true},
		// One error, whatever its text has in it.
		{one("QueryAssertionError: no; edgedb.AuthenticationError: me"), "QueryAssertionError", "no; edgedb.AuthenticationError: me", false},
		{one("ClientConnectionClosedError: edgedb.IdleSessionTimeoutError: idle"), "ClientConnectionClosedError", "idle", true},
	}
	for _, tt := range tests {
		e := translate(tt.err, "", duet.PhaseRun)
		if e.Name != tt.name || e.Message != tt.message || isConnectionLost(tt.err) != tt.lost {
			t.Errorf("%v\nbecame %s %q, lost %v", tt.err, e.Name, e.Message, isConnectionLost(tt.err))
		}
	}
}

// Each sentinel that an error of the server or of edgedb-go can stand for.
func TestSentinels(t *testing.T) {
	tests := map[error]string{
		duet.ErrNoData:              "NoDataError: zero results",
		duet.ErrCardinality:         "ResultCardinalityMismatchError: many",
		duet.ErrUniqueViolation:     "ConstraintViolationError: id violates exclusivity constraint",
		duet.ErrForeignKeyViolation: "ConstraintViolationError: deletion of A (0) is prohibited by link target policy",
		duet.ErrNotNullViolation:    "MissingRequiredError: x",
		duet.ErrCheckViolation:      "ConstraintViolationError: x",
		duet.ErrSerialization:       "TransactionSerializationError: x",
		duet.ErrDeadlock:            "TransactionDeadlockError: x",
		duet.ErrSyntax:              "EdgeQLSyntaxError: x",
		duet.ErrUndefined:           "InvalidReferenceError: x",
		duet.ErrInvalidArgument:     "InvalidArgumentError: x",
		duet.ErrInvalidResult:       `InvalidArgumentError: the "out" argument does not match query schema: x`,
		duet.ErrReadOnly:            "TransactionError: cannot execute UPDATE in a read-only transaction",
		duet.ErrAuthentication:      "AuthenticationError: x",
		duet.ErrPermission:          "AccessPolicyError: x",
		duet.ErrUnavailable:         "BackendUnavailableError: x",
		duet.ErrClosed:              "InterfaceError: client closed",
		duet.ErrUnsupported:         "DisabledCapabilityError: x",
		errors.ErrUnsupported:       "UnsupportedBackendFeatureError: x",
	}
	for sentinel, text := range tests {
		err := serverError(fakeError{text: "edgedb." + text}, "", duet.PhaseRun)
		for other := range tests {
			want := other == sentinel || errors.Is(other, errors.ErrUnsupported) && errors.Is(sentinel, errors.ErrUnsupported)
			if got := errors.Is(err, other); got != want {
				t.Errorf("%s: errors.Is(%v) is %v", text, other, got)
			}
		}
	}
}

func TestPassedThrough(t *testing.T) {
	if err := serverError(nil, "select 1", duet.PhaseRun); err != nil {
		t.Errorf("nil became %v", err)
	}
	mine := fmt.Errorf("mine: %w", duet.ErrClosed)
	already := fmt.Errorf("closure: %w", &duet.Error{Kind: duet.KindSyntax})
	if err := serverError(already, "", duet.PhaseRun); err != already {
		t.Errorf("%v became %v", already, err)
	}
	e := translate(mine, "select 1", duet.PhaseRun)
	if !errors.Is(e, duet.ErrClosed) || e.Kind != duet.KindProtocol || e.Code != "" || e.Name != "" {
		t.Errorf("%v became %+v", mine, *e)
	}
	for _, ctxErr := range []error{context.Canceled, context.DeadlineExceeded} {
		err := serverError(ctxErr, "select 1", duet.PhaseRun)
		if !errors.Is(err, ctxErr) || duet.KindOf(err) != duet.KindCanceled || classify(err) != retry.Permanent {
			t.Errorf("%v became %v", ctxErr, err)
		}
	}
}

func TestClasses(t *testing.T) {
	run := func(text string) error { return serverError(fakeError{text: "edgedb." + text}, "", duet.PhaseRun) }
	tests := []struct {
		err  error
		want retry.Class
	}{
		{run("TransactionConflictError: x"), retry.Conflict},
		{run("TransactionDeadlockError: x"), retry.Conflict},
		{fmt.Errorf("closure: %w", run("TransactionSerializationError: x")), retry.Conflict},
		{run("StateMismatchError: x"), retry.Conflict},
		{run("BackendUnavailableError: x"), retry.Unavailable},
		{run("IdleSessionTimeoutError: x"), retry.Unavailable},
		{run("ClientConnectionClosedError: "), retry.Unavailable},
		{run("ClientConnectionFailedTemporarilyError: EOF"), retry.Unavailable},
		{run("AuthenticationError: x"), retry.Permanent},
		{run("ConstraintViolationError: x"), retry.Permanent},
		{run("InternalServerError: x"), retry.Permanent},
		{run("QueryTimeoutError: x"), retry.Permanent},
		{&duet.Error{Kind: duet.KindSerialization, Backend: "postgres"}, retry.Permanent},
		{&duet.Error{Kind: duet.KindCommitUnknown, Backend: backendName, Err: run("ClientConnectionClosedError: ")}, retry.CommitUnknown},
		{&retry.Error{Last: run("TransactionConflictError: x")}, retry.Permanent},
		{gaveUp(&retry.Error{Last: run("BackendUnavailableError: x")}), retry.Permanent},
		{errors.Join(run("TransactionConflictError: x"), gaveUp(&retry.Error{Last: run("TransactionConflictError: x")})), retry.Permanent},
		{gaveUp(&retry.Error{Last: duet.ErrCommitUnknown}), retry.CommitUnknown},
		{context.Canceled, retry.Permanent},
		{errors.New("mine"), retry.Permanent},
		{duet.ErrCommitUnknown, retry.CommitUnknown},
	}
	for _, tt := range tests {
		if got := classify(tt.err); got != tt.want {
			t.Errorf("%v is %v, want %v", tt.err, got, tt.want)
		}
	}
}

func TestSecrets(t *testing.T) {
	for _, text := range []string{
		"ConfigurationError: invalid DSN edgedb://user:hunter2@host:5656/db",
		"ConfigurationError: parse \"edgedb://user:hunter2@host:x\": invalid port",
		"ClientConnectionFailedError: gel://u:hunter2@h and edgedb://h?secret_key=hunter2&user=x and edgedb://h?password=hunter2",
	} {
		e := translate(fakeError{text: "edgedb." + text, cause: nil}, "", duet.PhaseConnect)
		if strings.Contains(e.Error(), "hunter2") || !strings.Contains(e.Message, "xxxxx") {
			t.Errorf("%v", e)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	for _, c := range recordedErrors(f) {
		_, text, _ := strings.Cut(c.Error, ": ")
		f.Add(text, c.EdgeQL, false)
		f.Add(text, c.EdgeQL, true)
	}
	f.Add("edgedb.UnexpectedMessageError: invalid error code 0x8000002 with message \"x\"", "", false)
	f.Fuzz(func(t *testing.T, text, cmd string, many bool) {
		var err error = fakeError{text: text}
		if many {
			err = joined{err}
		}
		e := translate(err, cmd, duet.PhaseRun)
		if e.Kind.String() == "unknown kind" || e.Command != cmd || e.Position < 0 || e.Position > len([]rune(cmd))+1 || (e.Excerpt != "") != (e.Position > 0) {
			t.Fatalf("%q: %+v", text, *e)
		}
		if (e.Code != "") != (e.Severity != "") || e.Code != "" && e.Name == "" || e.Message == "" {
			t.Fatalf("%q: %+v", text, *e)
		}
		_, _, _ = classify(e), isUnsent(err), isUnsent(e)
		if isConnectionLost(e) && !isConnectionLost(err) {
			t.Fatalf("%q: lost once it is translated", text)
		}
	})
}
