package faultproxy

import (
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
)

// journal collects what Watch is told.
type journal struct {
	mu       sync.Mutex
	messages []Message
}

func (j *journal) watch(m Message) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.messages = append(j.messages, m)
}

// take gives and forgets a side's messages, as they print.
func (j *journal) take(from Side) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var got []string
	for _, m := range j.messages {
		if m.From == from {
			got = append(got, m.String())
		}
	}
	j.messages = slices.DeleteFunc(j.messages, func(m Message) bool { return m.From == from })
	return got
}

func TestMessagesAreSeenAndNamed(t *testing.T) {
	to := newTarget(t)
	var j journal
	p := start(t, to, Config{Watch: j.watch})
	c := login(t, p, to)
	if got := j.take(Client); !cmp.Equal(got, []string{`client Startup`}) {
		t.Errorf("login: %q", got)
	}
	got := j.take(Server)
	if len(got) < 4 || got[0] != `server Authentication` || got[len(got)-2] != `server BackendKeyData` || got[len(got)-1] != `server ReadyForQuery "I"` {
		t.Errorf("login: %q", got)
	}
	tests := []struct {
		name           string
		send           []pgproto3.FrontendMessage
		client, server []string
	}{
		{
			"simple", []pgproto3.FrontendMessage{&pgproto3.Query{String: "BEGIN"}},
			[]string{`client Query "BEGIN"`}, []string{`server CommandComplete "BEGIN"`, `server ReadyForQuery "T"`},
		},
		{
			"unprepared", extended("SELECT 1"),
			[]string{
				`client Parse "SELECT 1"`, `client Bind "SELECT 1"`, `client Describe "SELECT 1"`, `client Execute "SELECT 1"`, `client Sync`,
			},
			[]string{
				`server ParseComplete`, `server BindComplete`, `server RowDescription`, `server DataRow`,
				`server CommandComplete "SELECT 1"`, `server ReadyForQuery "T"`,
			},
		},
		{
			"prepare", []pgproto3.FrontendMessage{
				&pgproto3.Parse{Name: "s1", Query: "COMMIT"}, &pgproto3.Describe{ObjectType: 'S', Name: "s1"}, &pgproto3.Sync{},
			},
			[]string{`client Parse "COMMIT"`, `client Describe "COMMIT"`, `client Sync`},
			[]string{`server ParseComplete`, `server ParameterDescription`, `server NoData`, `server ReadyForQuery "T"`},
		},
		{
			"an error", extended("SELECT 1/0"),
			[]string{
				`client Parse "SELECT 1/0"`, `client Bind "SELECT 1/0"`, `client Describe "SELECT 1/0"`, `client Execute "SELECT 1/0"`, `client Sync`,
			},
			[]string{`server ParseComplete`, `server ErrorResponse "22012"`, `server ReadyForQuery "E"`}, // Bind folds constants
		},
		{
			"prepared", []pgproto3.FrontendMessage{
				&pgproto3.Bind{DestinationPortal: "p1", PreparedStatement: "s1"}, &pgproto3.Execute{Portal: "p1"},
				&pgproto3.Close{ObjectType: 'S', Name: "s1"}, &pgproto3.Flush{}, &pgproto3.Describe{ObjectType: 'S', Name: "s1"}, &pgproto3.Sync{},
			},
			[]string{
				`client Bind "COMMIT"`, `client Execute "COMMIT"`, `client Close "COMMIT"`, `client Flush`, `client Describe`, `client Sync`,
			},
			[]string{
				`server BindComplete`, `server CommandComplete "ROLLBACK"`, `server CloseComplete`, `server ErrorResponse "26000"`,
				`server ReadyForQuery "I"`,
			},
		},
	}
	for _, tt := range tests {
		c.send(tt.send...)
		if _, err := c.replies(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.client, j.take(Client)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.server, j.take(Server)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
	c.run(t, "SET client_min_messages = notice; DO $$ BEGIN RAISE NOTICE 'x'; END $$; LISTEN here; NOTIFY here")
	if got := j.take(Server); !slices.Contains(got, `server NoticeResponse "00000"`) || !slices.Contains(got, `server NotificationResponse`) {
		t.Errorf("a notice and a notification: %q", got)
	}
	c.send(&pgproto3.Query{String: "COPY done FROM STDIN"}, &pgproto3.CopyData{Data: []byte("1\n")}, &pgproto3.CopyDone{})
	if _, err := c.replies(); err != nil {
		t.Fatal(err)
	}
	c.run(t, "COPY done TO STDOUT")
	wantServer := []string{
		`server CopyInResponse`, `server CommandComplete "COPY 1"`, `server ReadyForQuery "I"`,
		`server CopyOutResponse`, `server CopyData`, `server CopyDone`, `server CommandComplete "COPY 1"`, `server ReadyForQuery "I"`,
	}
	if diff := cmp.Diff(wantServer, j.take(Server)); diff != "" {
		t.Errorf("COPY: %s", diff)
	}
	j.take(Client)
	c.send(&pgproto3.Terminate{})
	if _, err := c.atEnd(t); err != nil {
		t.Error(err)
	}
	if got := j.take(Client); !cmp.Equal(got, []string{`client Terminate`}) {
		t.Errorf("the end: %q", got)
	}
}
