package postgres

import (
	"context"
	"slices"
	"strings"

	"github.com/duetdb/duet/backends/postgres/sqltext"
)

// suspect is what statements have used that may have an effect which leaves no
// transaction's id.
type suspect struct {
	called []string // names before a parenthesis
	named  []string // all names
	wrote  bool     // one of them is no plain SELECT
	hidden bool     // there is a name that cannot be read
}

// suspects lists what statements have used.
func suspects(texts []*statement) (w suspect) {
	for _, st := range texts {
		called, _, _ := sqltext.Calls(st.cmd, st.standard)
		w.called = addNames(w.called, called)
		w.named = addNames(w.named, sqltext.Names(st.cmd, st.standard))
		w.wrote = w.wrote || !st.quiet
	}
	w.hidden = slices.ContainsFunc(w.named, func(name string) bool { return strings.Contains(name, `&"`) })
	return w
}

// addNames adds names, each once. Where the database's encoding has one byte for
// each character, the server folds more letters than ASCII's.
func addNames(to, names []string) []string {
	for _, name := range names {
		for _, form := range []string{name, strings.ToLower(name)} {
			if !slices.Contains(to, form) {
				to = append(to, form)
			}
		}
	}
	return to
}

// hasSideEffects looks for something among the suspects that may have had an
// effect, though the transaction has no id: it says what, or "".
func (s *session) hasSideEffects(ctx context.Context, w suspect) (string, error) {
	if w.hidden {
		return `a name that is written with escapes (U&"...")`, nil
	}
	text := strings.NewReplacer("$CALLED", nameArray(w.called), "$NAMED", nameArray(w.named)).Replace(sideEffects)
	if w.wrote {
		text += sideEffectsOfWriting
	}
	return s.ask(ctx, text+") x (what)")
}

// nameArray writes names as an array, as the server cuts them.
func nameArray(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return "(ARRAY[" + strings.Join(quoted, ", ") + "]::pg_catalog.name[])"
}

// sideEffects finds volatile functions of the user's own that may have been
// called: by name, written as a column of a row, or behind a view or a policy, and
// pg_notify (PostgreSQL documentation, "System Catalogs", "Function Volatility
// Categories", and "Function Calling": functional notation).
const sideEffects = `WITH RECURSIVE used (oid) AS (
	SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relname = ANY $NAMED AND c.relkind IN ('r', 'p', 'v', 'f')
	UNION SELECT d.refobjid FROM used u JOIN pg_catalog.pg_rewrite r ON r.ev_class = u.oid
		JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
			AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
), rules (class, oid, rel) AS (
	SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, r.ev_class FROM pg_catalog.pg_rewrite r
	UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, p.polrelid FROM pg_catalog.pg_policy p
)
SELECT COALESCE(pg_catalog.string_agg(x.what, ', '), '') FROM (
	SELECT 'the function ' || f.proname FROM pg_catalog.pg_proc f WHERE f.proname = ANY $CALLED AND f.provolatile = 'v'
		AND (f.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace OR f.proname = 'pg_notify')
	UNION SELECT 'the function ' || f.proname FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_type t ON t.oid = f.proargtypes[0]
		WHERE f.proname = ANY $NAMED AND f.provolatile = 'v' AND f.pronargs = 1 AND t.typtype = 'c'
		AND f.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace
	UNION SELECT 'the function ' || f.proname || ' behind ' || c.relname FROM used u JOIN rules r ON r.rel = u.oid
		JOIN pg_catalog.pg_depend d ON d.classid = r.class AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
		JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid JOIN pg_catalog.pg_class c ON c.oid = r.rel WHERE f.provolatile = 'v'
`

// sideEffectsOfWriting finds what a command that has written no row may have done
// all the same: a trigger of statements, a rule, something on a foreign server.
const sideEffectsOfWriting = `	UNION SELECT 'the trigger ' || g.tgname FROM used u JOIN pg_catalog.pg_trigger g ON g.tgrelid = u.oid
		WHERE NOT g.tgisinternal AND g.tgtype & 1 = 0
	UNION SELECT 'the rule ' || r.rulename FROM used u JOIN pg_catalog.pg_rewrite r ON r.ev_class = u.oid WHERE r.ev_type <> '1'
	UNION SELECT 'foreign servers' FROM pg_catalog.pg_foreign_server
`
