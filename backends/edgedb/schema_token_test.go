package edgedb

import (
	"errors"
	"strings"
	"testing"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest"
)

func TestCreateCommitTokens(t *testing.T) {
	if got := queries.Get("setup_commit_token").Text(duet.EdgeQL); got != CommitTokenSchema {
		t.Errorf("the catalogue has another DDL: %s", got)
	}
	for name, text := range map[string]string{"insert_commit_token": insertToken, "insert_commit_token_qualified": insertTokenQualified,
		"prune_commit_tokens": pruneTokens, "dated_commit_token": datedToken} {
		if got := eql(t, name); got != text {
			t.Errorf("the catalogue's %s is %s", name, got)
		}
	}
	c, branch := served(t, Config{MaxConns: 2, Options: duet.Options{ExactlyOnce: duet.On}})
	for range 3 {
		if err := CreateCommitTokens(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	if n := tokens(t, c); n != 0 {
		t.Errorf("trying it out has left %d tokens", n)
	}
	server := edgedbtest.Shared(t)
	for what, fault := range map[string]edgedbtest.Fault{
		"no property token":  {Text: insertToken, Code: 0x04030000, Message: "object type 'default::CommitToken' has no link or property 'token'"},
		"another required":   {Text: insertToken, Code: 0x05020003, Message: "missing value for required property 'x' of object type 'default::CommitToken'"},
		"no date":            {Text: pruneTokens, Code: 0x04030000, Message: "object type 'default::CommitToken' has no link or property 'at'"},
		"another constraint": {Text: insertToken, Skip: 1, Code: 0x05020001, Message: "mine"},
	} {
		fault.Branch, fault.Type, fault.Times = branch, 'O', -1
		stop := server.Inject(fault)
		err := CreateCommitTokens(t.Context(), c)
		stop()
		if e, _ := errors.AsType[*duet.Error](err); e == nil || e.Kind != duet.KindConfig || !strings.Contains(e.Hint, CommitTokenSchema) {
			t.Errorf("%s: %v", what, err)
		}
	}
	defer server.Inject(edgedbtest.Fault{Branch: branch, Type: 'O', Text: "create type", Code: 0x04000000, Message: "bare DDL statements are not allowed on this database branch"})()
	if err := CreateCommitTokens(t.Context(), c); err == nil || !strings.Contains(err.Error(), CommitTokenSDL) {
		t.Errorf("where DDL is forbidden: %v", err)
	}
}
