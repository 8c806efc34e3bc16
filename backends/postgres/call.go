package postgres

import (
	"github.com/duetdb/duet"
)

// call is one command on its way.
type call struct {
	cmd  string
	args []any
	opt  *duet.Options
	into *sink

	st     *statement
	values []any // by position
	result duet.Result
}

// begin fills in the call. The sink has been chosen before.
func (t *task) begin(cmd string, args []any, opt *duet.Options) {
	t.k = call{cmd: cmd, args: args, opt: opt, into: &t.into}
	t.into.lax = opt.Columns == duet.ColumnsLax
}

// ended ends what surrounded the call and gives its result.
func (t *task) ended(end func(duet.Result, error), err error) (duet.Result, error) {
	if end != nil {
		end(t.k.result, err)
	}
	if err != nil {
		return duet.Result{RowsAffected: -1}, err
	}
	return t.k.result, nil
}

// resolve finds the statement and puts the arguments in order.
func (db *db) resolve(k *call, s *session) (err error) {
	standard := s.standardStrings(k.opt.Settings)
	if k.st, err = db.statements.get(statementKey{k.cmd, settingsKey(k.opt.Settings), standard}); err != nil {
		return err
	}
	k.values, err = k.st.positional(k.args)
	return err
}

// parseTag reads a command tag (PostgreSQL documentation, "Message Formats",
// CommandComplete): a word or more, and for most commands the number of rows.
func parseTag(body []byte) duet.Result {
	if n := len(body); n > 0 && body[n-1] == 0 {
		body = body[:n-1]
	}
	r := duet.Result{Status: tagText(body), RowsAffected: -1}
	i := len(body)
	var n, scale int64 = 0, 1
	for i > 0 && body[i-1] >= '0' && body[i-1] <= '9' && scale <= 1e17 {
		i--
		n += int64(body[i]-'0') * scale
		scale *= 10
	}
	if i < len(body) && i > 0 && body[i-1] == ' ' {
		r.RowsAffected = n
	}
	return r
}

// tagText keeps the usual tags from costing an allocation each.
func tagText(body []byte) string {
	switch string(body) {
	case "SELECT 1":
		return "SELECT 1"
	case "SELECT 0":
		return "SELECT 0"
	case "INSERT 0 1":
		return "INSERT 0 1"
	case "UPDATE 1":
		return "UPDATE 1"
	case "UPDATE 0":
		return "UPDATE 0"
	case "DELETE 1":
		return "DELETE 1"
	case "BEGIN":
		return "BEGIN"
	case "COMMIT":
		return "COMMIT"
	}
	return string(body)
}
