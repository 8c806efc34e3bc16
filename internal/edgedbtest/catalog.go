package edgedbtest

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/conformance/queries"
	"github.com/duetdb/duet/internal/edgedbtest/typedesc"
)

// The capabilities of statements: EdgeDB documentation, "Message Formats", enum
// Capability.
const (
	capModifications uint64 = 1 << iota
	capSessionConfig
	capTransaction
	capDDL
	capPersistentConfig
)

// catalog is all that the server answers to.
type catalog struct {
	plans  map[string]*plan
	states [2]stateTypes // by the protocol's major version, less one
}

// plan is how one text is answered. It is never changed.
type plan struct {
	st     *queries.Statement
	text   string
	caps   uint64
	status string // of CommandComplete
	single typedesc.Cardinality
	params []typedesc.Field
	out    *typedesc.Type // of one result, nil where there is none
	refuse *Error         // what the compiler has against it

	commands  []command // the SQL
	returning *command  // in place of the last one, where a client wants the ids
	own       ownAnswer
	alias     string // a module alias that the text uses
	tenant    tenantUse

	described [2]map[typedesc.OutputFormat]typedesc.Description
}

// command is one SQL command.
type command struct {
	id   int // of the prepared statement; 0 is prepared anew each time
	text string
	args []int // indexes of the statement's arguments
}

// ownAnswer is what the server answers by itself.
type ownAnswer uint8

const (
	ownNone ownAnswer = iota
	ownTenant
	ownSetting
)

// tenantUse is what a text has to do with the global default::tenant.
type tenantUse uint8

const (
	tenantNone tenantUse = iota
	tenantReads
	tenantCreates
	tenantDrops
)

// newCatalog plans every statement that has an EdgeQL text.
func newCatalog(cfg Config) (*catalog, error) {
	if err := queries.Check(); err != nil {
		return nil, err
	}
	c := &catalog{plans: map[string]*plan{}, states: [2]stateTypes{newStateTypes(1), newStateTypes(2)}}
	statements := map[string]*queries.Statement{}
	for _, name := range queries.Names() {
		statements[name] = queries.Get(name)
	}
	for _, st := range cfg.Statements {
		statements[st.Name] = st
	}
	next := 1
	for _, name := range slices.Sorted(maps.Keys(statements)) {
		st := statements[name]
		text := st.Text(duet.EdgeQL)
		if text == "" {
			continue
		}
		if other := c.plans[text]; other != nil {
			return nil, fmt.Errorf("%s and %s have the same text", name, other.st.Name)
		}
		p := newPlan(st, cfg.Version)
		if p.caps&capTransaction != 0 {
			continue // the server knows these by itself
		}
		p.number(&next)
		c.plans[text] = p
	}
	return c, nil
}

// find gives the plan of a text, nil where there is none. White space at its end
// means nothing.
func (c *catalog) find(text []byte) *plan {
	if p := c.plans[string(text)]; p != nil {
		return p
	}
	return c.plans[string(bytes.TrimRight(text, " \t\r\n"))]
}

func newPlan(st *queries.Statement, version string) *plan {
	text := st.Text(duet.EdgeQL)
	p := &plan{st: st, text: text, params: typedesc.Params(st), out: typedesc.ResultType(st), refuse: refusal(st.Name, text)}
	ws := words(text)
	p.caps, p.status = capabilities(ws), statusOf(ws)
	p.tenant = tenantOf(ws)
	p.commands = commandsOf(st)
	if m := aliasPattern.FindStringSubmatch(text); m != nil && !knownModules[m[1]] {
		p.alias = m[1]
	}
	switch st.Name {
	case "tenant":
		p.own = ownTenant
	case "setting":
		p.own = ownSetting
	case "version":
		p.commands = []command{{text: "SELECT '" + strings.ReplaceAll(version, "'", "''") + "'::text"}}
	}
	p.giveIDs(ws)
	p.describe()
	return p
}

var (
	aliasPattern = regexp.MustCompile(`\b(\w+)::\w+\(`)
	knownModules = map[string]bool{"std": true, "sys": true, "cal": true, "math": true, "schema": true, "cfg": true, "default": true}
	namePattern  = regexp.MustCompile(`filter \.name = `)
	tablePattern = regexp.MustCompile(`(?i)\b(?:INTO|UPDATE|FROM) duet(?:_conformance)?\.(\w+)`)
)

// commandsOf makes the SQL twin's commands.
func commandsOf(st *queries.Statement) []command {
	var names []string
	if st.Named {
		for _, a := range st.Args {
			names = append(names, a.Name)
		}
	}
	var all []command
	for _, one := range splitSQL(st.Text(duet.SQL)) {
		c := command{text: one}
		if st.Named {
			c.text, c.args = numberParameters(one, names)
		} else {
			for i := range st.Args {
				c.args = append(c.args, i)
			}
		}
		all = append(all, c)
	}
	return all
}

// giveIDs lets a change that is declared to have no result give the ids of its
// objects, as on EdgeDB, to a client that asks for output.
func (p *plan) giveIDs(ws []word) {
	verb := mainVerb(ws)
	if p.st.Cardinality != queries.None || p.caps != capModifications || len(p.commands) == 0 {
		return
	}
	last := p.commands[len(p.commands)-1]
	tables := tablePattern.FindAllStringSubmatch(last.text, -1)
	if tables == nil {
		return
	}
	table := tables[len(tables)-1][1]
	if m := regexp.MustCompile(`(?i)\bINSERT INTO duet(?:_conformance)?\.(\w+)`).FindStringSubmatch(last.text); m != nil {
		table = m[1]
	}
	id := "id"
	if table == "claim" || table == "commit_token" { // the twin's table has no id
		id = "gen_random_uuid() AS id"
	}
	last.text += " RETURNING " + id
	p.returning = &last
	p.out = idType(objectName(table))
	switch {
	case verb == "insert":
		p.single = typedesc.ExactlyOne
	case verb != "for" && namePattern.MatchString(p.text):
		p.single = typedesc.AtMostOne
	default:
		p.single = typedesc.Many
	}
}

// objectName is the object type of a table of the twins' schemas.
func objectName(table string) string {
	if table == "" {
		return ""
	}
	name := "default::"
	for part := range strings.SplitSeq(table, "_") {
		if part != "" {
			name += strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return name
}

// describe makes the descriptors in all formats and versions.
func (p *plan) describe() {
	for major := 1; major <= 2; major++ {
		all := map[typedesc.OutputFormat]typedesc.Description{}
		for _, f := range []typedesc.OutputFormat{typedesc.Binary, typedesc.JSON, typedesc.JSONElements, typedesc.NoOutput} {
			d := typedesc.Describe(p.st, f, major)
			if p.returning != nil && f != typedesc.NoOutput {
				d.Cardinality = p.single
				if f == typedesc.Binary {
					d.OutputID, d.Output = idDescriptor(p.out.Name, major)
				} else {
					d.OutputID, d.Output = strDescriptor(major)
				}
			}
			all[f] = d
		}
		p.described[major-1] = all
	}
	if p.returning == nil {
		p.single = p.described[1][typedesc.Binary].Cardinality
	}
}

// strDescriptor describes a str: what results are as JSON.
func strDescriptor(major int) (typedesc.UUID, []byte) {
	id := typedesc.UUID{14: 1, 15: 1}
	if major < 2 {
		return id, append([]byte{2}, id[:]...)
	}
	return id, sized(scalarDescriptor(id[:], "std::str"))
}

// number gives the commands that are worth preparing their ids.
func (p *plan) number(next *int) {
	if p.caps&capDDL != 0 {
		return
	}
	for i := range p.commands {
		p.commands[i].id = *next
		*next++
	}
	if p.returning != nil {
		p.returning.id = *next
		*next++
	}
}

// run gives the commands for a format.
func (p *plan) run(f typedesc.OutputFormat) []command {
	if p.returning == nil || f == typedesc.NoOutput {
		return p.commands
	}
	if len(p.commands) == 1 {
		return []command{*p.returning}
	}
	return append(p.commands[:len(p.commands)-1:len(p.commands)-1], *p.returning)
}

func itoa(n int) string { return strconv.Itoa(n) }
