package edgedb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// wantError is what a recorded error must become.
type wantError struct {
	kind                                    duet.Kind
	position                                int
	hint, constraint, schema, table, column string
}

// wantErrors are by the case's name.
var wantErrors = map[string]wantError{
	"slow statement":             {kind: duet.KindUndefined},
	"slow statement by duration": {kind: duet.KindUndefined},
	"assert_exists":              {kind: duet.KindNoData},
	"NUL in a string":            {kind: duet.KindInvalidArgument},
	"mixed arguments":            {kind: duet.KindInvalidArgument},
	"missing named argument":     {kind: duet.KindInvalidArgument},
	"null for a required argument": {
		kind: duet.KindInvalidArgument},
	"drop missing type":    {kind: duet.KindUndefined, position: 1},
	"create type twice":    {kind: duet.KindOther},
	"empty text":           {kind: duet.KindInvalidArgument},
	"only a comment":       {kind: duet.KindInvalidArgument},
	"only a semicolon":     {kind: duet.KindInvalidArgument},
	"script, second fails": {kind: duet.KindOther},
	"two of them":          {kind: duet.KindCardinality},
	"at most one by name":  {kind: duet.KindNoData},
	"division by an argument": {
		kind: duet.KindOther},
	"insert the token again":   {kind: duet.KindUniqueViolation, constraint: "std::exclusive", column: "token"},
	"wrong password":           {kind: duet.KindAuthentication},
	"unknown branch":           {kind: duet.KindUndefined},
	"single json, none":        {kind: duet.KindNoData},
	"single json, cardinality": {kind: duet.KindCardinality},
	"unique violation":         {kind: duet.KindUniqueViolation, constraint: "std::exclusive", column: "name"},
	"check violation":          {kind: duet.KindCheckViolation, constraint: "std::min_value", column: "balance"},
	"missing required":         {kind: duet.KindNotNullViolation, position: 1, schema: "default", table: "Account", column: "balance"},
	"link target deletion":     {kind: duet.KindForeignKeyViolation, schema: "default", table: "Account"},
	"division by zero":         {kind: duet.KindOther},
	"syntax error":             {kind: duet.KindSyntax, position: 11}, // edgedb-go says 1:1
	"unknown type":             {kind: duet.KindUndefined, position: 8},
	"unknown property":         {kind: duet.KindUndefined, position: 18},
	"type mismatch":            {kind: duet.KindUndefined, position: 8, hint: "Consider using an explicit type cast or a conversion function."},
	"invalid value":            {kind: duet.KindInvalidArgument},
	"out of range":             {kind: duet.KindInvalidArgument},
	"missing argument":         {kind: duet.KindInvalidArgument},
	"too many arguments":       {kind: duet.KindInvalidArgument},
	"wrong argument type":      {kind: duet.KindInvalidArgument},
	"transaction command":      {kind: duet.KindUnsupported},
	"savepoint command":        {kind: duet.KindOther},
	"assert":                   {kind: duet.KindOther},
	"config session":           {kind: duet.KindUnsupported},
	"insert as JSON":           {kind: duet.KindUniqueViolation, constraint: "std::exclusive", column: "name"},
	"insert named as JSON":     {kind: duet.KindUniqueViolation, constraint: "std::exclusive", column: "name"},
	"statement fails, then another statement": {
		kind: duet.KindOther},
	"statement fails, closure returns nil": {
		kind: duet.KindOther},
	"write in a read-only transaction":     {kind: duet.KindReadOnly},
	"conflict: first of two updaters wins": {kind: duet.KindSerialization},
	"write skew: the second commit fails":  {kind: duet.KindSerialization},
}

// recordedArguments are those of the cases in which edgedb-go itself refuses.
var recordedArguments = map[string][]any{
	"missing named argument":       {map[string]any{"a": "x"}},
	"null for a required argument": {edgedb.OptionalStr{}},
	"at most one by name":          {"nobody"},
	"too many arguments":           {int64(1), int64(2)},
	"wrong argument type":          {"x"},
}

// TestRecordedErrors gives the recorded frames to edgedb-go, and what it makes of
// them to serverError.
func TestRecordedErrors(t *testing.T) {
	seen := 0
	for _, c := range recordedErrors(t) {
		t.Run(c.Name, func(t *testing.T) {
			want, ok := wantErrors[c.Name]
			if !ok {
				t.Fatalf("nothing says what becomes of %s", c.Error)
			}
			seen++
			code, err := replay(t, c)
			name, text, _ := strings.Cut(c.Error, ": ")
			text, _, _ = strings.Cut(text, "; ") // whether edgedb-go sees the end of the connection too, is a matter of luck
			if err == nil || fmt.Sprintf("%T", err) != name && !isJoined(err) || !strings.HasPrefix(err.Error(), text) {
				t.Fatalf("replayed %T %v, recorded %s", err, err, c.Error)
			}
			checkRecorded(t, serverError(err, c.EdgeQL, duet.PhaseRun), c, want, code, text)
		})
	}
	if seen < 45 {
		t.Errorf("only %d recorded errors", seen)
	}
}

func checkRecorded(t *testing.T, err error, c recordedCase, want wantError, code uint32, text string) {
	t.Helper()
	e, ok := err.(*duet.Error)
	if !ok {
		t.Fatalf("got %T", err)
	}
	got := wantError{e.Kind, e.Position, e.Hint, e.Constraint, e.Schema, e.Table, e.Column}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	wantCode := ""
	if code != 0 {
		wantCode = fmt.Sprintf("0x%08x", code)
	}
	if e.Code != wantCode {
		t.Errorf("code %s, the server sent %s", e.Code, wantCode)
	}
	message, _, _ := strings.Cut(text, "\nquery:")
	message, _, _ = strings.Cut(message, "; edgedb.")
	if !strings.HasPrefix(text, "edgedb."+e.Name+": ") || "edgedb."+e.Name+": "+e.Message != message {
		t.Errorf("%s and %q out of %q", e.Name, e.Message, text)
	}
	if e.Backend != "edgedb" || e.Phase != duet.PhaseRun || e.Command != c.EdgeQL || e.Err != nil || (e.Severity != "") != (code != 0) {
		t.Errorf("%+v", *e)
	}
	if (e.Excerpt != "") != (e.Position > 0) || strings.Contains(e.Error(), "hunter2") {
		t.Errorf("excerpt %q of %v", e.Excerpt, e)
	}
	if isConnectionLost(err) != (c.Name == "wrong password") {
		t.Errorf("lost is %v", isConnectionLost(err))
	}
}

// replay lets edgedb-go run into a recorded error.
func replay(t *testing.T, c recordedCase) (code uint32, err error) {
	server := newFakeServer(t)
	groups, code, refusal := c.answers(t)
	switch {
	case c.Name == "wrong password" || c.Name == "unknown branch":
		server.login = refusal
	case refusal != nil:
		server.answer(append(refusal, ready...))
	case len(groups) > 0:
		server.answer(groups...)
	default: // the recorded connection knew the text
		server.answer(description(t, c))
	}
	client := server.client(t)
	ctx := context.Background()
	args := recordedArguments[c.Name]
	var out []byte
	switch c.Call {
	case "QueryJSON":
		err = client.QueryJSON(ctx, c.EdgeQL, &out, args...)
	case "QuerySingleJSON":
		err = client.QuerySingleJSON(ctx, c.EdgeQL, &out, args...)
	default:
		err = client.Execute(ctx, c.EdgeQL, args...)
	}
	return code, err
}

// description is what a server described the text of a case with.
func description(t *testing.T, c recordedCase) []byte {
	for _, other := range recordedCases(t, "*") {
		if groups, _, _ := other.answers(t); other.EdgeQL == c.EdgeQL && other.Call == c.Call && len(groups) > 0 && groups[0][0] == 'T' {
			return groups[0]
		}
	}
	t.Fatalf("nothing describes %s", c.EdgeQL)
	return nil
}

func isJoined(err error) bool {
	_, ok := err.(edgedb.Error)
	return !ok && err != nil
}

// TestRefusedConnections: the server's refusal and the end of the connection,
// which edgedb-go may join, are one error, and a permanent one.
func TestRefusedConnections(t *testing.T) {
	for _, c := range recordedCases(t, "state") {
		want, ok := map[string]error{"wrong password": duet.ErrAuthentication, "unknown branch": duet.ErrUndefined}[c.Name]
		if !ok {
			continue
		}
		_, _, refusal := c.answers(t)
		for _, joined := range []bool{true, false} {
			server := newFakeServer(t)
			server.login, server.stay = refusal, !joined
			if joined { // in the midst of a message
				server.login = append(slices.Clip(refusal), 'Z')
			}
			err := server.client(t).Execute(t.Context(), "select 1")
			if isJoined(err) != joined {
				t.Fatalf("%s: %T %v", c.Name, err, err)
			}
			if joined && (!isConnectionLost(err) || err.Error() != strings.SplitN(c.Error, ": ", 2)[1]) {
				t.Errorf("not as recorded: %v", err)
			}
			e := connectError(err, "example.com:5656")
			if !errors.Is(e, want) || classify(e) != retry.Permanent || e.Phase != duet.PhaseConnect || e.Host == "" ||
				e.Err != nil || !isUnsent(err) || !isUnsent(e) {
				t.Errorf("%v became %+v", err, *e)
			}
		}
	}
}

// placeAttributes are where the server says that an error is.
func placeAttributes(text string, at int, hint string) map[uint16]string {
	a := map[uint16]string{0xfff1: fmt.Sprint(at), 0xfff3: fmt.Sprint(1 + strings.Count(text[:at], "\n"))}
	if hint != "" {
		a[1] = hint
	}
	return a
}

func TestPositions(t *testing.T) {
	const long = "select User {\n\tname,\n\t größe := .ümläut\n}\norder by .x"
	tests := []struct {
		cmd, message, hint string
		at                 int // bytes
		want               int // characters from 1; 0 is at as it is
	}{
		{cmd: long, message: "no", at: 0},
		{cmd: long, message: "no", at: strings.Index(long, "name")},
		{cmd: long, message: "no", at: strings.Index(long, ".ümläut")},
		{cmd: long, message: "no", at: strings.Index(long, "läut"), hint: "two\nlines"},
		{cmd: long, message: "two\nlines", at: strings.Index(long, ".x"), hint: "did you mean 'y'?"},
		{cmd: long, message: "says\nquery:1:8\n\nselect 1\n       ^ error", at: strings.Index(long, ".x")},
		{cmd: long, message: "says\nquery:1:3\n\nselect User {\n       ^ error", at: strings.Index(long, ".x"),
			hint: "error\nquery:1:1\n\nselect User {\n^ mine"},
		{cmd: "a\x00b", message: "with\x00NUL", at: 2},
		{cmd: "日本 ++ x", message: "", at: len("日本 ++ ")},
		{cmd: "select 1 +\n\t2 3\n", message: "Unexpected '3'", at: len("select 1 +\n\t2 ")},
		// edgedb-go says column 1 of the last line for the text's end.
		{cmd: "# c\n\nselect (1", message: "Missing ')'", at: 14, want: 15},
		{cmd: "select\n(1", message: "Missing ')'", at: 9, want: 8},
	}
	server := newFakeServer(t)
	client := server.client(t)
	for i, tt := range tests {
		server.answer(append(errorFrame(0x04010100, tt.message, placeAttributes(tt.cmd, tt.at, tt.hint)), ready...))
		err := serverError(client.Execute(t.Context(), tt.cmd), tt.cmd, duet.PhaseRun)
		e, ok := errors.AsType[*duet.Error](err)
		if !ok || e.Code != "0x04010100" {
			t.Fatalf("%d: %v", i, err)
		}
		want := tt.want
		if want == 0 {
			want = len([]rune(tt.cmd[:tt.at])) + 1
		}
		message := tt.message
		if message == "" {
			message = "the server reports an error without a message"
		}
		if e.Position != want || e.Hint != tt.hint || e.Message != message {
			t.Errorf("%d: got %d %q %q\nwant %d %q %q", i, e.Position, e.Message, e.Hint, want, message, tt.hint)
		}
		if !strings.Contains(e.Excerpt, "LINE ") || !strings.Contains(err.Error(), e.Excerpt) {
			t.Errorf("%d: excerpt %q", i, e.Excerpt)
		}
		if strings.Contains(tt.message, "query:1:8") {
			continue // without the text nothing tells which place is edgedb-go's
		}
		e = translate(clientError(t, server, client, tt.cmd, tt.message, placeAttributes(tt.cmd, tt.at, tt.hint)), "select 'something else'", duet.PhaseRun)
		if e.Position != 0 || e.Excerpt != "" || e.Hint != tt.hint || e.Message != message {
			t.Errorf("%d, of another text: %d %q %q", i, e.Position, e.Message, e.Hint)
		}
	}
}

func clientError(t *testing.T, s *fakeServer, c *edgedb.Client, cmd, message string, attributes map[uint16]string) error {
	t.Helper()
	s.answer(append(errorFrame(0x04010100, message, attributes), ready...))
	err := c.Execute(t.Context(), cmd)
	if err == nil {
		t.Fatal("no error")
	}
	return err
}
